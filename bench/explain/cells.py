"""Cells of stored campaigns as the command line names them, with their records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.analysis.analyse import check_pool
from bench.analysis.results import NotComparableError
from bench.anatomy.model import TRACE, Anatomy, CellAnatomy, read_anatomy
from bench.plan.trials import Cell
from bench.records.campaign import read_campaign
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.fields import canonical_label
from bench.scenario.model import Scenario
from bench.util.errors import UsageError
from bench.util.text import meant_or_listed


@dataclass(frozen=True)
class LoadedCampaign:
    """A campaign directory with all its data."""

    path: Path
    manifest: Manifest
    records: tuple[Record, ...]
    anatomy: Anatomy | None

    def cells(self) -> tuple[Cell, ...]:
        """Its cells without those of traced starts, in the order of the plan's first block."""
        cells = {trial.cell.key: trial.cell for trial in self.manifest.plan}
        return tuple(cell for cell in cells.values() if cell.factors.get(TRACE) != "on")


@dataclass(frozen=True)
class CampaignCell:
    """A cell of a campaign with everything that the campaign has about it."""

    loaded: LoadedCampaign
    cell: Cell

    @property
    def manifest(self) -> Manifest:
        """The manifest of its campaign."""
        return self.loaded.manifest

    @property
    def name(self) -> str:
        """``DIRECTORY:web/docker``, for messages and reports."""
        return f"{self.loaded.path.name}:{bare_key(self.cell)}"

    @property
    def scenario(self) -> Scenario:
        """The scenario as it was run."""
        return self.manifest.scenarios[self.cell.scenario].scenario

    @property
    def digest(self) -> str | None:
        """Digest of the image's file tree; None when the manifest has none."""
        image = self.manifest.images.get(self.cell.scenario)
        return image.digest if image else None

    @property
    def description(self) -> dict[str, str]:
        """The target's description of itself; empty when there is none."""
        return self.manifest.targets.get(self.cell.box, {})

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """All records of the cell."""
        return tuple(record for record in self.loaded.records if record.trial.cell.key == self.cell.key)

    @cached_property
    def measured(self) -> tuple[Record, ...]:
        """The records without warm-ups."""
        return tuple(record for record in self.records if not record.trial.warmup)

    @cached_property
    def good(self) -> tuple[Record, ...]:
        """The measured records of boots that ended well."""
        return tuple(record for record in self.measured if record.outcome == "ok")

    @cached_property
    def sittings(self) -> dict[int, int]:
        """The number of the sitting in which the cell's boot of a block ran, by block."""
        return {record.trial.block: record.sitting for record in self.records}

    @cached_property
    def anatomy(self) -> CellAnatomy | None:
        """The steps of the cell's starts; None unless the campaign was an anatomy."""
        cells = self.loaded.anatomy.cells if self.loaded.anatomy else ()
        return next((cell for cell in cells if cell.cell == bare_key(self.cell)), None)


def bare_key(cell: Cell) -> str:
    """The cell's key without the factor ``trace``."""
    factors = {name: level for name, level in cell.factors.items() if name != TRACE}
    return cell.model_copy(update={"factors": factors}).key


def load(path: Path) -> LoadedCampaign:
    """Read a campaign directory. Raises CampaignError, RecordError, NotComparableError."""
    manifest, records = read_campaign(path)
    check_pool(manifest, records)
    return LoadedCampaign(path, manifest, records, read_anatomy(path))


def split_name(text: str) -> tuple[str, str]:
    """Split ``DIR:web/docker`` into directory and cell. ``DIR`` has an empty cell, ``:CELL`` an empty directory."""
    if Path(text).is_dir():
        return text, ""
    directory, colon, cell = text.rpartition(":")
    return (directory, cell) if colon else (text, "")


def pairs(name_a: str, name_b: str) -> tuple[tuple[CampaignCell, CampaignCell], ...]:
    """The pairs of cells that two names mean: two cells, or all cells that two campaigns share.

    Args:
        name_a: ``DIR:CELL`` or ``DIR``.
        name_b: the same, or ``:CELL`` for another cell of the same campaign.

    Raises:
        UsageError: no such cell, several of that name, or the same cell twice.
        NotComparableError: two campaigns share no cell, or a side has no boot that ended well.
        CampaignError, RecordError: not campaign directories.
    """
    (left_dir, left_cell), (right_dir, right_cell) = split_name(name_a), split_name(name_b)
    if not left_dir:
        raise UsageError(
            f'A needs a directory: DIR:{left_cell or "SCENARIO/BOX"} (only B may begin with ":")',
            hint="name the campaign first, as in `boxbench explain DIR:web/docker :web/runc`",
        )
    left = load(Path(left_dir))
    right = left if right_dir in ("", left_dir) else load(Path(right_dir))
    if not left_cell and not right_cell:
        found = _shared(left, right)
    else:
        # One side may leave out its cell: then it is the same cell.
        found = ((_cell_of(left, left_cell or right_cell), _cell_of(right, right_cell or left_cell)),)
    for side in (side for pair in found for side in pair):
        _check(side)
    if any(a.loaded is b.loaded and a.cell.key == b.cell.key for a, b in found):
        raise UsageError(
            f"{name_a} and {name_b} are the same",
            hint="name two cells, as in `boxbench explain DIR:web/docker :web/runc`",
        )
    return found


def _shared(left: LoadedCampaign, right: LoadedCampaign) -> tuple[tuple[CampaignCell, CampaignCell], ...]:
    theirs = {bare_key(cell): cell for cell in right.cells()}
    found = tuple(
        (CampaignCell(left, cell), CampaignCell(right, theirs[bare_key(cell)]))
        for cell in left.cells()
        if bare_key(cell) in theirs
    )
    if not found:
        raise NotComparableError(
            f"{left.path} and {right.path} have no cell in common",
            hint=f"name one of each: {_names(left.cells())}; {_names(right.cells())}",
        )
    return found


def _cell_of(loaded: LoadedCampaign, name: str) -> CampaignCell:
    cells, name = loaded.cells(), canonical_label(name)
    for matches in (
        [cell for cell in cells if name in (cell.key, bare_key(cell))],
        # Without the accelerator or the factors, if only one cell matches.
        [cell for cell in cells if name in (f"{cell.scenario}/{cell.target}", f"{cell.scenario}/{cell.box}")],
        [cell for cell in cells if name in (cell.target, cell.box)],
    ):
        if len(matches) == 1:
            return CampaignCell(loaded, matches[0])
        if matches:
            raise UsageError(
                f"{name!r} matches more than one cell of {loaded.path}", hint=f"name one: {_names(matches)}"
            )
    raise UsageError(
        f"{loaded.path} has no cell {name!r}",
        hint=meant_or_listed(name, map(bare_key, cells), f"its cells: {_names(cells)}"),
    )


def _check(side: CampaignCell) -> None:
    if not side.good:
        raise NotComparableError(
            f"{side.name}: none of its {len(side.measured)} boots ended well",
            hint="look at the failures with `boxbench report`",
        )


def _names(cells: Iterable[Cell] | Sequence[Cell]) -> str:
    return ", ".join(dict.fromkeys(bare_key(cell) for cell in cells))
