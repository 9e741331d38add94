"""Pairs of cells that are compared, and the boots of both, from a campaign's manifest and records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from bench.analysis.analyse import check_pool, to_samples
from bench.analysis.certified import with_doubts
from bench.analysis.estimates import Estimate
from bench.analysis.in_order import estimate
from bench.analysis.results import NotComparableError, cells_of
from bench.gate.judge import Series, SeriesPair
from bench.gate.thresholds import better, choose_metrics, named
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Failure, Record
from bench.scenario.model import Scenario

_APART: Final = 1_000_000
"""Between the block numbers of two campaigns; more than any campaign has."""

SideTargets = Mapping[str, str]
"""A's target labels, each with the label of B that it is compared with."""


@dataclass(frozen=True)
class CellPair:
    """A's cell and B's cell, and the scenario's name as reports show it."""

    scenario: str
    a: Cell
    b: Cell

    @property
    def box(self) -> str:
        """``docker``, or ``docker → runc`` where the sides differ; factor levels included."""
        left, right = place(self.a), place(self.b)
        return left if left == right else f"{left} → {right}"


@dataclass(frozen=True)
class Pairing:
    """Cells that are compared, and those that only A or only B has, by target and factor levels."""

    pairs: tuple[CellPair, ...]
    only_a: tuple[Cell, ...] = ()
    only_b: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Boots:
    """The boots of one campaign, or of the two stages of a gate, without warm-ups.

    Attributes:
        values: by cell key and metric, a value per block.
        ran: by cell key, the blocks that have a record.
        failures: by cell key, why boots failed, by block.
        sittings: the number of the sitting of a boot, by cell key and block.
        campaigns: ids of all campaigns with these boots; ``manifest`` is the first one's.
        parts: the boots of each stored campaign, where A is several; their blocks have other numbers here.
    """

    manifest: Manifest
    values: Mapping[tuple[str, str], Series]
    ran: Mapping[str, Set[int]]
    failures: Mapping[str, Mapping[int, Failure]]
    campaigns: tuple[str, ...]
    sittings: Mapping[tuple[str, int], int] = field(default_factory=dict)
    parts: tuple[Boots, ...] = ()

    def metrics(self, cell: Cell) -> tuple[str, ...]:
        """The metrics that were measured in a cell."""
        return tuple(metric for key, metric in self.values if key == cell.key)

    def series(self, cell: Cell, metric: str) -> Series:
        """A cell's values of a metric by block; empty when there are none."""
        return self.values.get((cell.key, metric), {})

    def estimate(self, cell: Cell, metric: str) -> Estimate:
        """The median of a metric of a cell with its interval. Raises TooFewBootsError: there is no value."""
        series = self.series(cell, metric)
        blocks = sorted(series)
        return estimate([series[at] for at in blocks], [self.sittings.get((cell.key, at), 0) for at in blocks])

    def failed(self, cell: Cell) -> Mapping[int, Failure]:
        """Why boots of a cell failed, by block."""
        return self.failures.get(cell.key, {})

    def all_failed(self, cell: Cell) -> bool:
        """Whether the cell has boots and every one of them failed."""
        return 0 < len(self.ran.get(cell.key, ())) == len(self.failed(cell))


def place(cell: Cell) -> str:
    """The cell's key without its scenario: ``libvirt/tcg{cache=cold}``."""
    return cell.key.removeprefix(f"{cell.scenario}/")


def boots_of(manifest: Manifest, records: Sequence[Record]) -> Boots:
    """One value per boot and metric. Raises NotComparableError for records of another campaign or mixed sources."""
    check_pool(manifest, records)
    values: dict[tuple[str, str], dict[int, float]] = {}
    for sample in to_samples(manifest, with_doubts(manifest, records)):
        if not sample.warmup:
            values.setdefault((sample.cell.key, sample.metric), {})[sample.block] = sample.value
    ran: dict[str, set[int]] = {}
    failures: dict[str, dict[int, Failure]] = {}
    for record in records:
        key, block = record.trial.cell.key, record.trial.block
        if not record.trial.warmup:
            ran.setdefault(key, set()).add(block)
            if record.failure is not None:
                failures.setdefault(key, {})[block] = record.failure
    sittings = {(record.trial.cell.key, record.trial.block): record.sitting for record in records}
    return Boots(manifest, values, ran, failures, (manifest.id,), sittings)


def renewed(old: Boots, new: Boots) -> Boots:
    """The boots of both; for a cell that ``new`` has, only those of ``new``. The manifest has the notes of both."""
    notes = tuple(dict.fromkeys((*old.manifest.notes, *new.manifest.notes)))
    kept = {key: series for key, series in old.values.items() if key[0] not in new.ran}
    return Boots(
        old.manifest.model_copy(update={"notes": notes}),
        kept | dict(new.values),
        {**old.ran, **new.ran},
        {key: of for key, of in old.failures.items() if key not in new.ran} | dict(new.failures),
        (*old.campaigns, *new.campaigns),
        {key: number for key, number in old.sittings.items() if key[0] not in new.ran} | dict(new.sittings),
    )


def together(parts: Sequence[Boots]) -> Boots:
    """The boots of stored campaigns as those of one, with the notes of all."""
    first = parts[0]
    if len(parts) == 1:
        return first
    values: dict[tuple[str, str], dict[int, float]] = {}
    ran: dict[str, set[int]] = {}
    failures: dict[str, dict[int, Failure]] = {}
    for number, part in enumerate(parts):
        start = number * _APART
        for key, series in part.values.items():
            values.setdefault(key, {}).update({start + block: value for block, value in series.items()})
        for cell, blocks in part.ran.items():
            ran.setdefault(cell, set()).update(start + block for block in blocks)
        for cell, failed in part.failures.items():
            failures.setdefault(cell, {}).update({start + block: failure for block, failure in failed.items()})
    notes = tuple(dict.fromkeys(note for part in parts for note in part.manifest.notes))
    manifest = first.manifest.model_copy(update={"notes": notes})
    campaigns = tuple(identity for part in parts for identity in part.campaigns)
    return Boots(manifest, values, ran, failures, campaigns, parts=tuple(parts))


def pair_cells(name: str, cells_a: Sequence[Cell], cells_b: Sequence[Cell], targets: SideTargets) -> Pairing:
    """Pair the cells of the two sides whose targets correspond by ``targets`` and whose factor levels are equal.

    Raises:
        NotComparableError: a pair would mix accelerators, or there is none.
    """
    theirs = {(cell.target, *_levels(cell)): cell for cell in cells_b}
    matches = [(cell, theirs.get((targets.get(cell.target, ""), *_levels(cell)))) for cell in cells_a]
    pairs = tuple(CellPair(name, cell, match) for cell, match in matches if match is not None)
    for pair in pairs:
        if pair.a.accel != pair.b.accel:
            raise NotComparableError(
                f"{pair.a.key} and {pair.b.key} have different accelerators: the time of an "
                "emulated CPU cannot be compared with that of another hypervisor",
                hint="give both sides the same accelerator with --accel",
            )
    if not pairs:
        raise NotComparableError(
            f"{name}: the two sides have no cell in common",
            hint="name targets that both can run with -t; `boxbench doctor` shows what this host lacks",
        )
    taken = {pair.b.key for pair in pairs}
    return Pairing(
        pairs,
        tuple(cell for cell, match in matches if match is None),
        tuple(cell for cell in cells_b if cell.key not in taken),
    )


def cells_by_side(manifest: Manifest, scenario: str) -> tuple[Cell, ...]:
    """A scenario's cells of the targets that it lists; its native control only if it is listed."""
    labels = {spec.label for spec in manifest.scenarios[scenario].scenario.targets}
    return tuple(cell for cell in cells_of(manifest, scenario) if cell.target in labels)


def rows_of(
    pair: CellPair, boots_a: Boots, boots_b: Boots, patterns: Sequence[str], scenario: Scenario
) -> dict[str, SeriesPair]:
    """The boots of both sides by metric, paired by block when both are in one campaign.

    A failed boot counts as the worst in every metric that it did not reach.
    A metric that only one side has keeps its row, with no boots on the other: a lost metric must not look unchanged.
    Metrics that only a wildcard matches are left out (``unshared``).
    """
    shared = boots_a is boots_b
    left_out = unshared(pair, boots_a, boots_b, patterns, scenario)
    known = {*boots_a.metrics(pair.a), *boots_b.metrics(pair.b)} - {*left_out[0], *left_out[1]}
    failures = len(boots_a.failed(pair.a)), len(boots_b.failed(pair.b))
    return {
        metric: SeriesPair(
            _judged(boots_a, pair.a, metric),
            _judged(boots_b, pair.b, metric),
            shared,
            failures,
            () if shared else tuple(_judged(part, pair.a, metric) for part in boots_a.parts or (boots_a,)),
        )
        for metric in choose_metrics(patterns, scenario, known)
    }


def unshared(
    pair: CellPair, boots_a: Boots, boots_b: Boots, patterns: Sequence[str], scenario: Scenario
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Metrics that only A has, and that only B has, which a wildcard matched and both sides need not have.

    Different boxes consist of different parts, and phases are named after the order of their ends, which may differ.
    """
    alike = place(pair.a) == place(pair.b)
    mine, theirs = set(boots_a.metrics(pair.a)), set(boots_b.metrics(pair.b))
    first, second = (
        tuple(
            metric
            for metric in choose_metrics(patterns, scenario, only)
            if not (named(patterns, metric) or (alike and not metric.startswith("phase.")))
        )
        for only in (mine - theirs, theirs - mine)
    )
    return first, second


def _judged(boots: Boots, cell: Cell, metric: str) -> Series:
    """The values; a failed boot that had none yet counts as the worst, whether the metric is a cost or a rate."""
    series, failed = boots.series(cell, metric), boots.failed(cell)
    if not (series.keys() - failed.keys()) and not boots.all_failed(cell):
        # Boots that ended well do not have this metric, so failed ones have not lost it.
        return series
    lost = {block for block in failed if _is_lost(series.get(block), metric)}
    return dict(series) | dict.fromkeys(lost, math.inf)


def _is_lost(value: float | None, metric: str) -> bool:
    """Whether a failed boot has no value, which the analysis says of a rate by 0."""
    return value is None or (value == 0 and better(metric) == "higher")


def _levels(cell: Cell) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(cell.factors.items()))
