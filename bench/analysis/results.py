"""The results of an analysis as frozen values. ``bench.analysis.analyse`` makes them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import numpy as np

from bench.analysis.estimates import Estimate, Floats, RatioEstimate, Trend
from bench.analysis.in_order import Quantile
from bench.analysis.metrics import Metric
from bench.analysis.values import Chain
from bench.analysis.verdicts import RatioVerdict
from bench.plan.trials import Cell
from bench.records.manifest import Manifest
from bench.records.record import Record, Samples
from bench.scenario.model import Scenario
from bench.util.errors import UsageError

_Made = TypeVar("_Made")


class NotComparableError(UsageError):
    """Records of different campaigns, hosts or sources were mixed."""


class Sample(NamedTuple):
    """One metric of one boot. A tuple, since a large campaign has tens of millions.

    Attributes:
        source: ``measured``, ``replayed`` or ``simulated``.
        trial: the trial's id.
        value: in the metric's unit; inf when ``censored``, of a rate 0.
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


class Boot(NamedTuple):
    """What the samples of one trial have in common.

    Attributes:
        sitting: its number, from 0.
        ok: the trial gave a result.
        doubts: how many disturbances are on the record.
    """

    trial: str
    block: int
    sitting: int
    warmup: bool
    ok: bool
    doubts: int

    def sample(self, cell: Cell, source: str, metric: Metric, value: float) -> Sample:
        """One metric of this boot; a value of inf is censored, and a rate of 0 in a boot that failed."""
        censored = value == math.inf or (not self.ok and value == metric.worst)
        # By position: names take twice as long.
        return Sample(cell, source, self.block, self.warmup, self.trial, metric, value, censored, self.doubts)


class Boots(tuple[Boot, ...]):
    """Boots in the order of the records, warm-ups included; the other attributes are about boots without warm-ups."""

    @cached_property
    def measured(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Their places."""
        return np.flatnonzero([not boot.warmup for boot in self])

    @cached_property
    def blocks(self) -> list[int]:
        """The block of each."""
        return [boot.block for boot in self if not boot.warmup]

    @cached_property
    def sittings(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The sitting of each."""
        return np.array([boot.sitting for boot in self if not boot.warmup], dtype=np.int64)

    @cached_property
    def good(self) -> int:
        """How many gave a result."""
        return sum(boot.ok for boot in self if not boot.warmup)

    @cached_property
    def doubtful(self) -> int:
        """How many have a disturbance."""
        return sum(boot.doubts > 0 for boot in self if not boot.warmup)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """One metric of one cell: a value for each boot that has one, warm-ups included, in the order of the records.

    A campaign has a hundred metrics per boot. Two parallel columns hold them in a tenth of the memory of samples.

    Attributes:
        values: in the metric's unit; inf where the boot is censored, of a rate 0.
    """

    cell: Cell
    metric: Metric
    source: str
    boots: Boots
    values: array[float]

    def samples(self) -> Iterator[Sample]:
        """One sample per boot."""
        for boot, value in zip(self.boots, self.values, strict=True):
            yield boot.sample(self.cell, self.source, self.metric, value)

    def measured_values(self) -> Floats:
        """Values without warm-ups."""
        values = np.frombuffer(self.values, dtype=np.float64)
        return values if len(self.boots.measured) == len(values) else values[self.boots.measured]

    def measured(self) -> list[tuple[Boot, float]]:
        """Boots and values without warm-ups."""
        return [pair for pair in zip(self.boots, self.values, strict=True) if not pair[0].warmup]

    def by_block(self) -> dict[int, float]:
        """Values by block, without warm-ups."""
        return dict(zip(self.boots.blocks, self.measured_values().tolist(), strict=True))


SeriesTable = Mapping[str, Mapping[str, MetricSeries]]
"""Series by the key of their cell and by metric."""


@dataclass(frozen=True, kw_only=True)
class CellSummary:
    """One metric of one cell over its boots, without warm-ups.

    Attributes:
        n: boots that have a value, censored ones included.
        failures: trials of this cell that failed or timed out, whether or not they affect this metric.
        timeouts: how many of the failures timed out.
        missing: boots that ended well and have no value.
        p95: None when ``n`` is too small for its interval; ``p95_reason`` then says so.
        doubts: boots with at least one disturbance.
    """

    cell: Cell
    metric: Metric
    source: str
    n: int
    failures: int
    timeouts: int
    missing: int
    median: Estimate
    p95: Quantile | None
    p95_reason: str
    doubts: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One metric of a cell against the same metric of its baseline cell.

    Attributes:
        ratio: median of ``other`` over median of ``baseline``; None when there is none, and ``notes`` say why.
        p_value: two-sided, of an exact test by itself; None without a ratio.
        verdict: faster or slower where the interval excludes 1 and the test, adjusted for all comparisons of the
            campaign, has at most 5 %.
    """

    metric: Metric
    baseline: Cell
    other: Cell
    ratio: RatioEstimate | None
    p_value: float | None
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
        series: every value, by cell key and metric.
        chains: the endpoints of a start in order, by cell key.
        inside: what the boxes reported about themselves, by cell key and fact, with every distinct value.
        flushes: by cell key, how many boots say so of whether a sync reaches the disk: see ``Flush.honoured``.
        sampled: by cell key, samples of measured boots in their order, evenly chosen where there are many.
    """

    manifest: Manifest
    records: tuple[Record, ...]
    series: SeriesTable
    summaries: tuple[CellSummary, ...]
    comparisons: tuple[Comparison, ...]
    drifts: tuple[Drift, ...]
    chains: Mapping[str, Chain]
    inside: Mapping[str, Mapping[str, tuple[str, ...]]]
    flushes: Mapping[str, Mapping[str, int]]
    sampled: Mapping[str, tuple[Samples, ...]]

    def scenario(self, name: str) -> Scenario:
        """The scenario of that name, as the campaign ran it. Raises KeyError."""
        return self.manifest.scenarios[name].scenario

    def cells(self, scenario: str) -> tuple[Cell, ...]:
        """The scenario's cells in the order in which it lists its targets."""
        return self._cells[scenario]

    def summary(self, cell: Cell, metric: str) -> CellSummary | None:
        """The summary of one metric; None when the cell has no value of it."""
        return self._summaries.get((cell.key, metric))

    def comparison(self, cell: Cell, metric: str) -> Comparison | None:
        """The comparison of a cell with its baseline; None for the baseline itself and for a metric only one has."""
        return self._comparisons.get((cell.key, metric))

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every value, cell by cell and metric by metric."""
        return tuple(chain.from_iterable(one.samples() for of in self.series.values() for one in of.values()))

    def of(self, cell: Cell, metric: str, *, warmups: bool = False) -> tuple[Sample, ...]:
        """The samples of one metric of one cell, in block order."""
        found = self.series.get(cell.key, {}).get(metric)
        samples = found.samples() if found is not None else ()
        return tuple(sorted((s for s in samples if warmups or not s.warmup), key=lambda s: s.block))

    def values_of(self, cell: Cell, metric: str) -> list[float]:
        """The values of ``of``, without what else a sample has: large campaigns have a million."""
        return [value for _, value in sorted(self.boots_of(cell, metric), key=lambda pair: pair[0].block)]

    def boots_of(self, cell: Cell, metric: str) -> list[tuple[Boot, float]]:
        """Boots, without warm-ups, and their values of one metric of one cell, in the order of the records."""
        found = self.series.get(cell.key, {}).get(metric)
        return found.measured() if found is not None else []

    def records_of(self, cell: Cell) -> tuple[Record, ...]:
        """The records of one cell, warm-ups and failures included, in the order written."""
        return self._records.get(cell.key, ())

    def summaries_of(self, cell: Cell) -> tuple[CellSummary, ...]:
        """The summaries of one cell, in the order in which metrics are shown."""
        return self._by_cell.get(cell.key, ())

    def once(self, name: str, make: Callable[[], _Made]) -> _Made:
        """What ``make`` makes of this analysis, made once: several parts of a report ask for it.

        Args:
            name: of what is made; always of the same type.
        """
        if name not in self._made:
            self._made[name] = make()
        made: _Made = self._made[name]
        return made

    @cached_property
    def _made(self) -> dict[str, Any]:
        return {}

    # A report asks thousands of times. Searching all summaries or records each time takes minutes at 10,000 records.

    @cached_property
    def _cells(self) -> dict[str, tuple[Cell, ...]]:
        return {scenario: cells_of(self.manifest, scenario) for scenario in self.manifest.scenarios}

    @cached_property
    def _summaries(self) -> dict[tuple[str, str], CellSummary]:
        return {(summary.cell.key, summary.metric): summary for summary in self.summaries}

    @cached_property
    def _comparisons(self) -> dict[tuple[str, str], Comparison]:
        return {(found.other.key, found.metric): found for found in self.comparisons}

    @cached_property
    def _records(self) -> dict[str, tuple[Record, ...]]:
        return {key: tuple(group) for key, group in by_cell(self.records).items()}

    @cached_property
    def _by_cell(self) -> dict[str, tuple[CellSummary, ...]]:
        groups: dict[str, list[CellSummary]] = {}
        for summary in self.summaries:
            groups.setdefault(summary.cell.key, []).append(summary)
        return {key: tuple(group) for key, group in groups.items()}


def by_cell(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records by the key of their cell, in order of first appearance."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.trial.cell.key, []).append(record)
    return groups


def cells_of(manifest: Manifest, scenario: str) -> tuple[Cell, ...]:
    """A scenario's cells, ordered by its targets, then by accelerator and factors."""
    planned = {trial.cell.key: trial.cell for trial in manifest.plan if trial.cell.scenario == scenario}
    labels = [spec.label for spec in manifest.scenarios[scenario].scenario.targets]

    def position(cell: Cell) -> tuple[int, str]:
        # The plan may hold the native control although the scenario does not list it: it comes first.
        return labels.index(cell.target) if cell.target in labels else -1, cell.key

    return tuple(sorted(planned.values(), key=position))
