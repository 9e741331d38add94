"""From a campaign's manifest and records to its results: samples, summaries, comparisons."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final

from bench.analysis.compare import TOLERANCE, compare, drift, only_discoveries, pairs_of
from bench.analysis.expected import costs, goals, good_boots
from bench.analysis.in_order import Course
from bench.analysis.metrics import Metric, endpoint_metric, headline, in_order
from bench.analysis.pool import Pool, check, check_source
from bench.analysis.reading import one_by_one, shared_pool
from bench.analysis.results import Analysis, Boot, CellSummary, Comparison, MetricSeries, Sample, SeriesTable, by_cell
from bench.analysis.storms import is_storm
from bench.analysis.values import Chain, disturbances, start_chain, stop_chain, values_of
from bench.records.manifest import Manifest, read_manifest
from bench.records.record import Record
from bench.records.reduced import reduced
from bench.util.errors import TooFewBootsError
from bench.util.memory import collection_paused
from bench.util.parallel import shared_out

_MANY: Final = 2_000
"""Records from which on a copy of this process makes some of the results. Of fewer, it takes longer to make a copy."""


def analyse(manifest: Manifest, records: Iterable[Record], *, tolerance: float = TOLERANCE) -> Analysis:
    """All results of one campaign.

    Args:
        tolerance: two medians count as the same when the whole interval of their ratio is within this share of 1.

    Raises:
        NotComparableError: the records are not all of this campaign, or one cell mixes sources.
    """
    pool = Pool(manifest)
    for record in records:
        pool.add(record)
    return _analysis(manifest, pool, tolerance)


def analyse_directory(path: Path, *, tolerance: float = TOLERANCE) -> Analysis:
    """All results of the campaign in a directory, with records that hold only what reports show of single ones.

    The results are those of ``analyse``. Each record is forgotten once its numbers are taken, which needs a tenth of
    the memory.

    Raises:
        CampaignError, RecordError: as ``bench.records.campaign.read_campaign``.
        NotComparableError: as ``analyse``.
    """
    manifest = read_manifest(path)
    planned = {trial.number: trial for trial in manifest.plan}

    def keep(record: Record) -> Record:
        trial = planned.get(record.trial.number, record.trial)
        return reduced(record, trial=trial if trial == record.trial else record.trial, storm=is_storm(record))

    damaged = list[str]()
    with collection_paused():
        pool = shared_pool(manifest, path, keep)
        if pool is None:
            pool = one_by_one(manifest, path, keep, damaged)
        return _analysis(manifest.model_copy(update={"notes": (*manifest.notes, *damaged)}), pool, tolerance)


def _analysis(manifest: Manifest, pool: Pool, tolerance: float) -> Analysis:
    records = pool.records()
    series, inside = pool.series(records), {key: columns.inside for key, columns in pool.cells.items()}
    summaries, comparisons = _results(manifest, series, records, inside, tolerance)
    return Analysis(
        manifest=manifest,
        records=records,
        series=series,
        summaries=summaries,
        comparisons=comparisons,
        drifts=tuple(drift(manifest, name, series) for name in manifest.scenarios),
        chains={key: start_chain(good_boots([records[row] for row in cell.rows])) for key, cell in pool.cells.items()},
        inside=inside,
        flushes={key: columns.flushes for key, columns in pool.cells.items()},
        sampled={key: columns.sampled for key, columns in pool.cells.items()},
    )


def check_pool(manifest: Manifest, records: Iterable[Record]) -> None:
    """Check that records can be analysed together.

    Raises:
        NotComparableError: a record is of another campaign or of a scenario that the manifest lacks, or a cell mixes
            measured, replayed and simulated records.
    """
    sources: dict[str, str] = {}
    for record in records:
        check(manifest, record)
        key = record.trial.cell.key
        check_source(key, sources.setdefault(key, record.source), record)


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


def _boots(manifest: Manifest, records: Sequence[Record]) -> Iterator[tuple[Record, Boot, dict[str, float]]]:
    """Each record with its values by metric, cell by cell."""
    for group in by_cell(records).values():
        good = good_boots(group)
        chains = (start_chain(good), stop_chain(good))
        scenario = manifest.scenarios[group[0].trial.cell.scenario].scenario
        names = set.intersection(*(set(values_of(record, ())) for record in good)) if good else set()
        expected = {endpoint_metric(end) for _, end in chains[0]} | goals(scenario, good) | costs(names)
        main = headline(scenario)
        for record in group:
            trial = record.trial
            doubts = len(disturbances(record))
            boot = Boot(trial.id, trial.block, record.sitting, trial.warmup, record.outcome == "ok", doubts)
            yield record, boot, _values(record, chains, expected, main)


def _results(
    manifest: Manifest,
    series: SeriesTable,
    records: Sequence[Record],
    inside: Mapping[str, Mapping[str, tuple[str, ...]]],
    tolerance: float,
) -> tuple[tuple[CellSummary, ...], tuple[Comparison, ...]]:
    """Summaries by cell and by the metrics' usual order, without warm-ups, and comparisons by scenario.

    A copy of this process makes those of some cells where there are many records.
    """
    boots, lost = _counts(records)
    keys, pairs = sorted(series), pairs_of(manifest)

    def cell(number: int) -> tuple[list[CellSummary], list[Comparison]]:
        key = keys[number]
        found = [
            one for pair in pairs if pair[1].key == key for one in compare(pair, series, inside, tolerance=tolerance)
        ]
        return [
            _summary(series[key][metric], boots[key], lost[key])
            for metric in in_order(series[key])
            if len(series[key][metric].boots.measured)
        ], found

    made = shared_out(len(keys), cell) if len(records) >= _MANY else [cell(number) for number in range(len(keys))]
    compared = {key: found for key, (_, found) in zip(keys, made, strict=True)}
    return (
        tuple(summary for summaries, _ in made for summary in summaries),
        only_discoveries([one for _, other in pairs for one in compared.get(other.key, ())]),
    )


def _counts(records: Iterable[Record]) -> tuple[Counter[str], Mapping[str, Counter[str]]]:
    """By cell, the boots without warm-ups, and those that gave no result, by outcome."""
    boots: Counter[str] = Counter()
    lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        if not record.trial.warmup:
            key = record.trial.cell.key
            boots[key] += 1
            if record.outcome != "ok":
                lost[key][record.outcome] += 1
    return boots, lost


def _values(record: Record, chains: Sequence[Chain], expected: Set[Metric], main: str) -> dict[str, float]:
    if is_storm(record):
        # All boxes of a storm may be lost, which is a result. A storm that was refused is none.
        return {main: math.inf} | values_of(record, chains) if record.outcome == "ok" else {}
    return values_of(record, chains) if record.outcome == "ok" else _censored(record, expected)


def _censored(record: Record, expected: Set[Metric]) -> dict[str, float]:
    reached = values_of(record, ())
    return {metric: reached.get(metric, Metric(metric).worst) for metric in sorted(expected)}


def _summary(series: MetricSeries, boots: int, lost: Counter[str]) -> CellSummary:
    found, values = series.boots, series.measured_values()
    course = Course.of(values, found.sittings)
    try:
        p95, reason = course.quantile(0.95), ""
    except TooFewBootsError as error:
        p95, reason = None, error.message
    # A storm with outcome "ok" may have lost its boxes. Its value is then censored, not missing.
    failures = lost.total()
    missing = boots - failures - found.good
    return CellSummary(
        cell=series.cell,
        metric=series.metric,
        source=series.source,
        n=len(values),
        failures=failures,
        timeouts=lost["timeout"],
        missing=max(0, missing),
        median=course.estimate(),
        p95=p95,
        p95_reason=reason,
        doubts=found.doubtful,
    )
