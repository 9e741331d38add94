"""One side of a comparison: a cell of a campaign directory, named on the command line, with its records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.analysis.analyse import check_pool
from bench.analysis.results import NotComparableError
from bench.anatomy.model import Anatomy, CellAnatomy, read_anatomy
from bench.plan.trials import Cell
from bench.records.campaign import read_records
from bench.records.manifest import Manifest, read_manifest
from bench.records.record import Record
from bench.scenario.model import Scenario
from bench.util.errors import UsageError

TRACE = "trace"
"""The factor of an anatomy's campaign: its untraced starts are what its records are compared by."""


@dataclass(frozen=True)
class Loaded:
    """A campaign directory as read."""

    path: Path
    manifest: Manifest
    records: tuple[Record, ...]
    anatomy: Anatomy | None

    def cells(self) -> tuple[Cell, ...]:
        """Its cells, those of traced starts left out, in the order of the plan's first block."""
        cells = {trial.cell.key: trial.cell for trial in self.manifest.plan}
        return tuple(cell for cell in cells.values() if cell.factors.get(TRACE) != "on")


@dataclass(frozen=True)
class Side:
    """A cell with everything that is known about it."""

    loaded: Loaded
    cell: Cell

    @property
    def manifest(self) -> Manifest:
        """Of its campaign."""
        return self.loaded.manifest

    @property
    def name(self) -> str:
        """``CAMPAIGN:web/docker``, the campaign by its directory."""
        return f"{self.loaded.path.name}:{bare_key(self.cell)}"

    @property
    def scenario(self) -> Scenario:
        """As it was run."""
        return self.manifest.scenarios[self.cell.scenario].scenario

    @property
    def digest(self) -> str | None:
        """Of the image's tree."""
        image = self.manifest.images.get(self.cell.scenario)
        return image.digest if image else None

    @property
    def description(self) -> dict[str, str]:
        """What the target was."""
        return self.manifest.targets.get(self.cell.box, {})

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """All of the cell."""
        return tuple(record for record in self.loaded.records if record.trial.cell.key == self.cell.key)

    @cached_property
    def measured(self) -> tuple[Record, ...]:
        """Without warm-ups."""
        return tuple(record for record in self.records if not record.trial.warmup)

    @cached_property
    def good(self) -> tuple[Record, ...]:
        """Those that ended well."""
        return tuple(record for record in self.measured if record.outcome == "ok")

    @cached_property
    def anatomy(self) -> CellAnatomy | None:
        """The cell taken apart, when the campaign was an anatomy."""
        cells = self.loaded.anatomy.cells if self.loaded.anatomy else ()
        return next((cell for cell in cells if cell.cell == bare_key(self.cell)), None)


def bare_key(cell: Cell) -> str:
    """The cell's key without the factor ``trace``."""
    factors = {name: level for name, level in cell.factors.items() if name != TRACE}
    return cell.model_copy(update={"factors": factors}).key


def load(path: Path) -> Loaded:
    """A campaign directory. Raises CampaignError, RecordError, NotComparableError."""
    manifest, records = read_manifest(path), read_records(path)
    check_pool(manifest, records)
    return Loaded(path, manifest, records, read_anatomy(path))


def split_name(text: str) -> tuple[str, str]:
    """``DIR:web/docker`` as directory and cell; the cell is empty for a whole campaign, the directory for ``:CELL``."""
    if Path(text).is_dir():
        return text, ""
    directory, colon, cell = text.rpartition(":")
    return (directory, cell) if colon else (text, "")


def pairs(base: str, other: str) -> tuple[tuple[Side, Side], ...]:
    """What two names on the command line mean: two cells, or all cells that two campaigns share.

    Args:
        base: ``DIR:CELL`` or ``DIR``.
        other: the same, or ``:CELL`` for another cell of the same campaign.

    Raises:
        UsageError: no such cell, several of that name, or the same thing twice.
        NotComparableError: two campaigns share no cell, or a side has no boot that ended well.
        CampaignError, RecordError: not campaign directories.
    """
    (left_dir, left_cell), (right_dir, right_cell) = split_name(base), split_name(other)
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
        # One side may leave out its cell: then it is the same one.
        found = ((_side(left, left_cell or right_cell), _side(right, right_cell or left_cell)),)
    for side in (side for pair in found for side in pair):
        _check(side)
    if any(a.loaded is b.loaded and a.cell.key == b.cell.key for a, b in found):
        raise UsageError(
            f"{base} and {other} are the same", hint="name two cells, as in `boxbench explain DIR:web/docker :web/runc`"
        )
    return found


def _shared(left: Loaded, right: Loaded) -> tuple[tuple[Side, Side], ...]:
    theirs = {bare_key(cell): cell for cell in right.cells()}
    found = tuple(
        (Side(left, cell), Side(right, theirs[bare_key(cell)])) for cell in left.cells() if bare_key(cell) in theirs
    )
    if not found:
        raise NotComparableError(
            f"{left.path} and {right.path} have no cell in common",
            hint=f"name one of each: {_names(left.cells())}; {_names(right.cells())}",
        )
    return found


def _side(loaded: Loaded, name: str) -> Side:
    cells = loaded.cells()
    for matches in (
        [cell for cell in cells if name in (cell.key, bare_key(cell))],
        # Without the accelerator or the factors, as long as only one is meant.
        [cell for cell in cells if name in (f"{cell.scenario}/{cell.target}", f"{cell.scenario}/{cell.box}")],
        [cell for cell in cells if name in (cell.target, cell.box)],
    ):
        if len(matches) == 1:
            return Side(loaded, matches[0])
        if matches:
            raise UsageError(f"{name!r} is more than one cell of {loaded.path}", hint=f"name one: {_names(matches)}")
    raise UsageError(f"{loaded.path} has no cell {name!r}", hint=f"its cells: {_names(cells)}")


def _check(side: Side) -> None:
    if not side.good:
        raise NotComparableError(
            f"{side.name}: none of its {len(side.measured)} boots ended well",
            hint="look at the failures with `boxbench report`",
        )


def _names(cells: Iterable[Cell] | Sequence[Cell]) -> str:
    return ", ".join(dict.fromkeys(bare_key(cell) for cell in cells))
