"""From a campaign's manifest and records to its results: samples, summaries, comparisons."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set

from bench.analysis.certified import with_doubts
from bench.analysis.compare import TOLERANCE, compare, drift, inside_facts
from bench.analysis.exercises import exercise_headline
from bench.analysis.in_order import estimate, quantile
from bench.analysis.metrics import CPU, DISK, MEMORY, Metric, endpoint_metric, headline, in_order
from bench.analysis.results import (
    Analysis,
    Boot,
    CellSummary,
    MetricSeries,
    NotComparableError,
    Sample,
    SeriesTable,
    by_cell,
)
from bench.analysis.storms import is_storm
from bench.analysis.values import Chain, disturbances, start_chain, stop_chain, values_of
from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Record
from bench.scenario.model import Scenario
from bench.util.errors import TooFewBootsError


def analyse(manifest: Manifest, records: Sequence[Record], *, tolerance: float = TOLERANCE) -> Analysis:
    """All results of one campaign.

    Args:
        tolerance: two medians count as the same when the whole interval of their ratio is within this share of 1.

    Raises:
        NotComparableError: the records are not all of this campaign, or one cell mixes sources.
    """
    check_pool(manifest, records)
    records = with_doubts(manifest, records)
    series = to_series(manifest, records)
    return Analysis(
        manifest=manifest,
        records=tuple(records),
        series=series,
        summaries=summarise(series, records),
        comparisons=compare(manifest, series, records, tolerance=tolerance),
        drifts=tuple(drift(manifest, name, series) for name in manifest.scenarios),
        chains={key: start_chain(_good(group)) for key, group in by_cell(records).items()},
        inside={key: inside_facts(group) for key, group in by_cell(records).items()},
    )


def check_pool(manifest: Manifest, records: Iterable[Record]) -> None:
    """Check that records can be analysed together.

    Raises:
        NotComparableError: a record is of another campaign or of a scenario that the manifest lacks, or a cell mixes
            measured, replayed and simulated records.
    """
    sources: dict[str, str] = {}
    for record in records:
        if record.campaign != manifest.id:
            raise NotComparableError(
                f"record {record.trial.id} is of campaign {record.campaign}, not {manifest.id}",
                hint="analyse each campaign directory separately and compare the reports",
            )
        if record.trial.cell.scenario not in manifest.scenarios:
            raise NotComparableError(
                f"record {record.trial.id} is of scenario {record.trial.cell.scenario!r}, which the manifest lacks",
                hint="the manifest or the records were edited; restore the campaign directory",
            )
        first = sources.setdefault(record.trial.cell.key, record.source)
        if record.source != first:
            raise NotComparableError(
                f"{record.trial.cell.key} mixes {first} and {record.source} records",
                hint="measured, replayed and simulated boots are never pooled; use a campaign for each",
            )


def to_samples(manifest: Manifest, records: Sequence[Record]) -> tuple[Sample, ...]:
    """One sample per boot and metric, cell by cell; the samples of a boot follow each other.

    A boot that failed or timed out is censored in what it was to show (``_expected``): it counts as worse than every
    boot that ended well. Its other metrics are missing: how the harness ended a failed box is no property of the box.
    """
    return tuple(
        boot.sample(record.trial.cell, record.source, Metric(metric), float(value))
        for record, boot, values in _boots(manifest, records)
        for metric, value in values.items()
    )


def to_series(manifest: Manifest, records: Sequence[Record]) -> SeriesTable:
    """The same values as those of ``to_samples``, by cell and metric."""
    table: dict[str, dict[str, MetricSeries]] = {}
    for record, boot, values in _boots(manifest, records):
        cell = record.trial.cell
        of_cell = table.setdefault(cell.key, {})
        for metric, value in values.items():
            series = of_cell.get(metric)
            if series is None:
                name = Metric(metric)
                series = MetricSeries(cell=cell, metric=name, source=record.source, boots=[], values=array("d"))
                of_cell[name] = series
            series.boots.append(boot)
            series.values.append(value)
    return table


def _boots(manifest: Manifest, records: Sequence[Record]) -> Iterator[tuple[Record, Boot, dict[str, float]]]:
    """Each record with its values by metric, cell by cell."""
    for group in by_cell(records).values():
        good = _good(group)
        chains = (start_chain(good), stop_chain(good))
        scenario = manifest.scenarios[group[0].trial.cell.scenario].scenario
        expected = {endpoint_metric(end) for _, end in chains[0]} | _expected(scenario, good) | _costs(good)
        main = headline(scenario)
        for record in group:
            trial = record.trial
            doubts = len(disturbances(record))
            boot = Boot(trial.id, trial.block, record.sitting, trial.warmup, record.outcome == "ok", doubts)
            yield record, boot, _values(record, chains, expected, main)


def summarise(series: SeriesTable, records: Iterable[Record]) -> tuple[CellSummary, ...]:
    """One summary per cell and metric without warm-ups, ordered by cell and by the metrics' usual order."""
    kept = [record for record in records if not record.trial.warmup]
    boots = Counter(record.trial.cell.key for record in kept)
    lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in kept:
        if record.outcome != "ok":
            lost[record.trial.cell.key][record.outcome] += 1
    return tuple(
        _summary(series[key][metric], found, boots[key], lost[key])
        for key in sorted(series)
        for metric in in_order(series[key])
        if (found := series[key][metric].measured())
    )


def _good(records: Sequence[Record]) -> list[Record]:
    """Boots that ended well; warm-ups only when there are no others."""
    good = [record for record in records if record.outcome == "ok"]
    return [record for record in good if not record.trial.warmup] or good


def _expected(scenario: Scenario, good: Sequence[Record]) -> set[Metric]:
    """Metrics that every boot of a cell should have: the headline, the end of the start, the exercise's headline."""
    goal = Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY
    asked = {headline(scenario)}
    # A box without an agent gets ready and is not asked for a reply, so no good boot has one.
    if not good or any(goal in record.endpoints_ns for record in good):
        asked.add(endpoint_metric(goal))
    answer = exercise_headline(scenario)
    return asked if answer is None else asked | {answer}


def _costs(good: Sequence[Record]) -> set[Metric]:
    """The metrics that a failed boot counts as worst in: costs of the whole box and values of its exercise.

    Only those that all boots that ended well have.

    A plain number, as of operations, has no worst value: infinite operations would look like more work done.
    """
    names = set.intersection(*(set(values_of(record, ())) for record in good)) if good else set()
    shared = map(Metric, names)
    return {one for one in shared if (one.kind == "exercise" and one.unit) or one in (MEMORY, CPU, DISK)}


def _values(record: Record, chains: Sequence[Chain], expected: Set[Metric], main: str) -> dict[str, float]:
    if is_storm(record):
        # All boxes of a storm may be lost, which is a result. A storm that was refused is none.
        return {main: math.inf} | values_of(record, chains) if record.outcome == "ok" else {}
    return values_of(record, chains) if record.outcome == "ok" else _censored(record, expected)


def _censored(record: Record, expected: Set[Metric]) -> dict[str, float]:
    reached = values_of(record, ())
    return {metric: reached.get(metric, Metric(metric).worst) for metric in sorted(expected)}


def _summary(series: MetricSeries, found: Sequence[tuple[Boot, float]], boots: int, lost: Counter[str]) -> CellSummary:
    values, sittings = [value for _, value in found], [boot.sitting for boot, _ in found]
    try:
        p95, reason = quantile(values, 0.95, sittings), ""
    except TooFewBootsError as error:
        p95, reason = None, error.message
    # A storm with outcome "ok" may have lost its boxes. Its value is then censored, not missing.
    failures = lost.total()
    missing = boots - failures - sum(boot.ok for boot, _ in found)
    return CellSummary(
        cell=series.cell,
        metric=series.metric,
        source=series.source,
        n=len(found),
        failures=failures,
        timeouts=lost["timeout"],
        missing=max(0, missing),
        median=estimate(values, sittings),
        p95=p95,
        p95_reason=reason,
        doubts=sum(boot.doubts > 0 for boot, _ in found),
    )
