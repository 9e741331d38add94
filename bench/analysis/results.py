"""What an analysis finds, as frozen values; made by ``bench.analysis.analyse``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.analysis.metrics import Chain, unit
from bench.analysis.stats import Estimate, RatioEstimate, Trend, Verdict
from bench.plan.trials import Cell
from bench.records.campaign import Manifest
from bench.records.record import Record
from bench.util.errors import UsageError


class NotComparableError(UsageError):
    """Records of different campaigns, hosts or sources were put together."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric of one boot. ``value`` is inf when ``censored``: the boot ended before it came."""

    cell: Cell
    source: str
    block: int
    warmup: bool
    trial: str
    metric: str
    value: float
    censored: bool
    doubts: int

    @property
    def unit(self) -> str:
        """``ns``, ``bytes`` or empty."""
        return unit(self.metric)


@dataclass(frozen=True)
class CellSummary:
    """One metric of one cell over its boots, warm-ups left out.

    Attributes:
        failures: trials of this cell that did not end well, whether or not they bear on this metric.
        missing: boots that ended well and still have no value.
        p95: None when ``n`` cannot support it; then ``p95_reason`` says why.
        doubts: boots that something disturbed.
    """

    cell: Cell
    metric: str
    source: str
    n: int
    failures: int
    missing: int
    median: Estimate
    p95: float | None
    p95_reason: str
    doubts: int


@dataclass(frozen=True)
class Comparison:
    """One metric of a cell against the same metric of its base; ``ratio`` is None when ``notes`` say why."""

    metric: str
    base: Cell
    other: Cell
    ratio: RatioEstimate | None
    verdict: Verdict
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How a scenario's native control moved over the blocks; ``trend`` is None when ``note`` says why."""

    scenario: str
    box: str
    trend: Trend | None
    note: str


@dataclass(frozen=True)
class Analysis:
    """Everything a report needs to know about a campaign."""

    manifest: Manifest
    records: tuple[Record, ...]
    samples: tuple[Sample, ...]
    summaries: tuple[CellSummary, ...]
    comparisons: tuple[Comparison, ...]
    drifts: tuple[Drift, ...]
    chains: Mapping[str, Chain]
    """Start-up phases by cell key."""
    inside: Mapping[str, Mapping[str, tuple[str, ...]]]
    """By cell key: what the boxes saw of themselves, with every distinct value."""

    def cells(self, scenario: str) -> tuple[Cell, ...]:
        """The scenario's cells in the order in which it lists its targets."""
        return cells_of(self.manifest, scenario)

    def summary(self, cell: Cell, metric: str) -> CellSummary | None:
        """The summary of one metric, or None when the cell has no value of it."""
        return self._summaries.get((cell.key, metric))

    def comparison(self, cell: Cell, metric: str) -> Comparison | None:
        """The comparison of a cell with its base, or None (the base itself, no shared metric)."""
        return self._comparisons.get((cell.key, metric))

    def of(self, cell: Cell, metric: str, *, warmups: bool = False) -> tuple[Sample, ...]:
        """The samples of one metric of one cell, in block order."""
        found = self._samples.get((cell.key, metric), [])
        return tuple(sorted((s for s in found if warmups or not s.warmup), key=lambda s: s.block))

    # A report asks thousands of times: looking through all samples each time takes half a minute at 100 blocks.

    @cached_property
    def _summaries(self) -> dict[tuple[str, str], CellSummary]:
        return {(summary.cell.key, summary.metric): summary for summary in self.summaries}

    @cached_property
    def _comparisons(self) -> dict[tuple[str, str], Comparison]:
        return {(found.other.key, found.metric): found for found in self.comparisons}

    @cached_property
    def _samples(self) -> dict[tuple[str, str], list[Sample]]:
        groups: dict[tuple[str, str], list[Sample]] = {}
        for sample in self.samples:
            groups.setdefault((sample.cell.key, sample.metric), []).append(sample)
        return groups


def cells_of(manifest: Manifest, scenario: str) -> tuple[Cell, ...]:
    """A scenario's cells in the order of its targets, then of accelerators and factors."""
    planned = {trial.cell.key: trial.cell for trial in manifest.plan if trial.cell.scenario == scenario}
    labels = [spec.label for spec in manifest.scenarios[scenario].scenario.targets]

    def position(cell: Cell) -> tuple[int, str]:
        # The native control may be in the plan without being among the scenario's targets: it comes first.
        return labels.index(cell.target) if cell.target in labels else -1, cell.key

    return tuple(sorted(planned.values(), key=position))
