"""Which cell is compared with which, and the boots of both: from a campaign's manifest and records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from bench.analysis.analyse import check_pool, to_samples
from bench.analysis.certified import with_doubts
from bench.analysis.exercises import exercise_headline
from bench.analysis.results import NotComparableError, cells_of
from bench.gate.judge import Series, Sides
from bench.gate.thresholds import better, choose_metrics, named
from bench.plan.trials import Cell
from bench.records.campaign import Manifest
from bench.records.record import Failure, Record
from bench.scenario.model import Scenario

SideTargets = Mapping[str, str]
"""A's target labels, each with the one of B that it is compared with."""


@dataclass(frozen=True)
class Pair:
    """A's cell and B's, and what people call the two together."""

    scenario: str
    base: Cell
    other: Cell

    @property
    def box(self) -> str:
        """``docker``, or ``docker → runc`` where the sides are boxed differently; factor levels included."""
        left, right = place(self.base), place(self.other)
        return left if left == right else f"{left} → {right}"


@dataclass(frozen=True)
class Pairing:
    """Which cells belong together, and those of A alone and of B alone: their target, or their factor levels."""

    pairs: tuple[Pair, ...]
    only_base: tuple[Cell, ...] = ()
    only_other: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Boots:
    """The boots of one campaign, or of the two stages of a gate, warm-ups left out.

    Attributes:
        values: by cell key and metric, a value per block.
        ran: by cell key, the blocks that have a record.
        failures: by cell key, why boots ended badly, by block.
        campaigns: ids of all campaigns that boots came from; ``manifest`` is the first one's.
    """

    manifest: Manifest
    values: Mapping[tuple[str, str], Series]
    ran: Mapping[str, Set[int]]
    failures: Mapping[str, Mapping[int, Failure]]
    campaigns: tuple[str, ...]

    def metrics(self, cell: Cell) -> tuple[str, ...]:
        """What was measured of a cell."""
        return tuple(metric for key, metric in self.values if key == cell.key)

    def series(self, cell: Cell, metric: str) -> Series:
        """Empty when there is none."""
        return self.values.get((cell.key, metric), {})

    def failed(self, cell: Cell) -> Mapping[int, Failure]:
        """Why boots of a cell ended badly, by block."""
        return self.failures.get(cell.key, {})

    def all_failed(self, cell: Cell) -> bool:
        """Whether not one boot of a cell ended well, of one at least."""
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
    return Boots(manifest, values, ran, failures, (manifest.id,))


def renewed(old: Boots, new: Boots) -> Boots:
    """``old`` with the boots of ``new`` in the place of its own, for every cell that ``new`` has."""
    kept = {key: series for key, series in old.values.items() if key[0] not in new.ran}
    return Boots(
        old.manifest,
        kept | dict(new.values),
        {**old.ran, **new.ran},
        {key: of for key, of in old.failures.items() if key not in new.ran} | dict(new.failures),
        (*old.campaigns, *new.campaigns),
    )


def pair_cells(name: str, base: Sequence[Cell], other: Sequence[Cell], targets: SideTargets) -> Pairing:
    """Cells of the two sides that belong together: their targets by ``targets``, the same factor levels.

    Raises:
        NotComparableError: a pair would mix accelerators, or there is none.
    """
    theirs = {(cell.target, *_levels(cell)): cell for cell in other}
    matches = [(cell, theirs.get((targets.get(cell.target, ""), *_levels(cell)))) for cell in base]
    pairs = tuple(Pair(name, cell, match) for cell, match in matches if match is not None)
    for pair in pairs:
        if pair.base.accel != pair.other.accel:
            raise NotComparableError(
                f"{pair.base.key} and {pair.other.key} have different accelerators: what an emulated CPU does is no "
                "other hypervisor's time",
                hint="give both sides the same with --accel",
            )
    if not pairs:
        raise NotComparableError(
            f"{name}: the two sides have no cell in common",
            hint="name targets that both can run with -t, or `boxbench doctor` for what is missing",
        )
    taken = {pair.other.key for pair in pairs}
    return Pairing(
        pairs,
        tuple(cell for cell, match in matches if match is None),
        tuple(cell for cell in other if cell.key not in taken),
    )


def cells_by_side(manifest: Manifest, scenario: str) -> tuple[Cell, ...]:
    """A scenario's cells of the targets that it lists: its native control is not among them unless it is listed."""
    labels = {spec.label for spec in manifest.scenarios[scenario].scenario.targets}
    return tuple(cell for cell in cells_of(manifest, scenario) if cell.target in labels)


def rows_of(pair: Pair, base: Boots, other: Boots, patterns: Sequence[str], scenario: Scenario) -> dict[str, Sides]:
    """By metric: the boots of both sides. One campaign on both sides means pairs by block.

    What only one side has keeps its row, with nothing on the other: a metric that was lost must not look unchanged.
    Only of what a pattern happens to match (``unshared``) such rows are left out.
    """
    left_out = unshared(pair, base, other, patterns, scenario)
    known = {*base.metrics(pair.base), *other.metrics(pair.other)} - {*left_out[0], *left_out[1]}
    failures = len(base.failed(pair.base)), len(other.failed(pair.other))
    return {
        metric: Sides(
            _judged(base, pair.base, metric, scenario),
            _judged(other, pair.other, metric, scenario),
            base is other,
            failures,
        )
        for metric in choose_metrics(patterns, scenario, known)
    }


def unshared(
    pair: Pair, base: Boots, other: Boots, patterns: Sequence[str], scenario: Scenario
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Metrics of A alone and of B alone that only a wildcard asked for and that nobody expects on both sides.

    Different boxes consist of different parts, and phases are named after the order of their ends, which may differ.
    """
    alike = place(pair.base) == place(pair.other)
    mine, theirs = set(base.metrics(pair.base)), set(other.metrics(pair.other))
    first, second = (
        tuple(
            metric
            for metric in choose_metrics(patterns, scenario, only)
            if not (named(patterns, metric) or (alike and not metric.startswith("phase.")))
        )
        for only in (mine - theirs, theirs - mine)
    )
    return first, second


def _judged(boots: Boots, cell: Cell, metric: str, scenario: Scenario) -> Series:
    """The values, with those boots that failed before they gave the rate which answers the exercise's question."""
    series = boots.series(cell, metric)
    if metric != exercise_headline(scenario) or better(metric) == "lower":
        # What is not a rate is censored by the analysis; other values a failed box does not owe.
        return series
    return dict.fromkeys(boots.failed(cell), math.inf) | dict(series)


def _levels(cell: Cell) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(cell.factors.items()))
