"""The results of an analysis as frozen values. ``bench.analysis.analyse`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.analysis.metrics import Metric
from bench.analysis.stats import Estimate, RatioEstimate, RatioVerdict, Trend
from bench.analysis.values import Chain
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Record
from bench.scenario.model import Scenario
from bench.util.errors import UsageError


class NotComparableError(UsageError):
    """Records of different campaigns, hosts or sources were mixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One metric of one boot.

    Attributes:
        source: ``measured``, ``replayed`` or ``simulated``.
        trial: the trial's id.
        value: in the metric's unit; inf when ``censored``.
        censored: the boot ended before the metric had a value (it failed or timed out).
        doubts: how many disturbances are on the record.
    """

    cell: Cell
    source: str
    block: int
    warmup: bool
    trial: str
    metric: Metric
    value: float
    censored: bool
    doubts: int

    @property
    def unit(self) -> str:
        """The metric's unit, such as ``ns`` or ``bytes``; empty for a plain number."""
        return self.metric.unit


@dataclass(frozen=True, kw_only=True)
class CellSummary:
    """One metric of one cell over its boots, without warm-ups.

    Attributes:
        n: boots that have a value, censored ones included.
        failures: trials of this cell that failed or timed out, whether or not they affect this metric.
        missing: boots that ended well and have no value.
        p95: None when ``n`` is too small for it; ``p95_reason`` then says so.
        doubts: boots with at least one disturbance.
    """

    cell: Cell
    metric: Metric
    source: str
    n: int
    failures: int
    missing: int
    median: Estimate
    p95: float | None
    p95_reason: str
    doubts: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of a cell against the same metric of its baseline cell.

    Attributes:
        ratio: median of ``other`` over median of ``baseline``; None when there is none, and ``notes`` say why.
    """

    metric: Metric
    baseline: Cell
    other: Cell
    ratio: RatioEstimate | None
    verdict: RatioVerdict
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """How the native control of a scenario moved over the blocks.

    Attributes:
        box: the native control.
        trend: None when it cannot be computed; ``note`` then says why.
        note: a sentence for the report; empty when there is nothing to report.
    """

    scenario: str
    box: str
    trend: Trend | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """All results of one campaign.

    Attributes:
        chains: the endpoints of a start in order, by cell key.
        inside: what the boxes reported about themselves, by cell key and fact, with every distinct value.
    """

    manifest: Manifest
    records: tuple[Record, ...]
    samples: tuple[Sample, ...]
    summaries: tuple[CellSummary, ...]
    comparisons: tuple[Comparison, ...]
    drifts: tuple[Drift, ...]
    chains: Mapping[str, Chain]
    inside: Mapping[str, Mapping[str, tuple[str, ...]]]

    def scenario(self, name: str) -> Scenario:
        """The scenario of that name, as the campaign ran it. Raises KeyError."""
        return self.manifest.scenarios[name].scenario

    def cells(self, scenario: str) -> tuple[Cell, ...]:
        """The scenario's cells in the order in which it lists its targets."""
        return cells_of(self.manifest, scenario)

    def summary(self, cell: Cell, metric: str) -> CellSummary | None:
        """The summary of one metric; None when the cell has no value of it."""
        return self._summaries.get((cell.key, metric))

    def comparison(self, cell: Cell, metric: str) -> Comparison | None:
        """The comparison of a cell with its baseline; None for the baseline itself and for a metric only one has."""
        return self._comparisons.get((cell.key, metric))

    def of(self, cell: Cell, metric: str, *, warmups: bool = False) -> tuple[Sample, ...]:
        """The samples of one metric of one cell, in block order."""
        found = self._samples.get((cell.key, metric), [])
        return tuple(sorted((s for s in found if warmups or not s.warmup), key=lambda s: s.block))

    # A report asks thousands of times. Searching all samples each time takes half a minute at 100 blocks.

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
    """A scenario's cells, ordered by its targets, then by accelerator and factors."""
    planned = {trial.cell.key: trial.cell for trial in manifest.plan if trial.cell.scenario == scenario}
    labels = [spec.label for spec in manifest.scenarios[scenario].scenario.targets]

    def position(cell: Cell) -> tuple[int, str]:
        # The plan may hold the native control although the scenario does not list it: it comes first.
        return labels.index(cell.target) if cell.target in labels else -1, cell.key

    return tuple(sorted(planned.values(), key=position))
