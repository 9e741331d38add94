"""Manifest and records to samples, summaries, comparisons: typed results first, a pandas frame on request."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from itertools import groupby
from typing import TYPE_CHECKING, Final

from bench.analysis.certified import with_doubts
from bench.analysis.compare import TOLERANCE, by_cell, caveats, compare, drift, inside_facts
from bench.analysis.metrics import (
    EXERCISE,
    Chain,
    disturbances,
    headline,
    higher_is_better,
    sort_key,
    start_chain,
    stop_chain,
    values_of,
)
from bench.analysis.results import Analysis, CellSummary, Comparison, Drift, NotComparableError, Sample, cells_of
from bench.analysis.stats import estimate, quantile
from bench.analysis.storms import is_storm
from bench.records.campaign import Manifest
from bench.records.record import Endpoint, Record
from bench.scenario.model import Scenario
from bench.util.errors import TooFewBootsError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TOLERANCE",
    "Analysis",
    "CellSummary",
    "Comparison",
    "Drift",
    "NotComparableError",
    "Sample",
    "analyse",
    "caveats",
    "cells_of",
    "check_pool",
    "compare",
    "exercise_headline",
    "metric_frame",
    "summarise",
    "to_samples",
]

FRAME_COLUMNS: Final = (
    "cell",
    "scenario",
    "box",
    "accel",
    "factors",
    "block",
    "warmup",
    "trial",
    "metric",
    "unit",
    "value",
    "censored",
    "doubts",
    "source",
)


def analyse(manifest: Manifest, records: Sequence[Record], *, tolerance: float = TOLERANCE) -> Analysis:
    """All results of one campaign.

    Raises:
        NotComparableError: the records are not all of this campaign, or one cell mixes sources.
    """
    check_pool(manifest, records)
    records = with_doubts(manifest, records)
    samples = to_samples(manifest, records)
    return Analysis(
        manifest=manifest,
        records=tuple(records),
        samples=samples,
        summaries=summarise(samples, records),
        comparisons=compare(manifest, samples, records, tolerance=tolerance),
        drifts=tuple(drift(manifest, name, samples) for name in manifest.scenarios),
        chains={key: start_chain(_good(group)) for key, group in by_cell(records).items()},
        inside={key: inside_facts(group) for key, group in by_cell(records).items()},
    )


def check_pool(manifest: Manifest, records: Iterable[Record]) -> None:
    """Refuse records of another campaign, and cells that mix measured with replayed or simulated ones."""
    sources: dict[str, str] = {}
    for record in records:
        if record.campaign != manifest.id:
            raise NotComparableError(
                f"record {record.trial.id} is of campaign {record.campaign}, not {manifest.id}",
                hint="analyse each campaign directory on its own; compare their reports",
            )
        first = sources.setdefault(record.trial.cell.key, record.source)
        if record.source != first:
            raise NotComparableError(
                f"{record.trial.cell.key} mixes {first} and {record.source} records",
                hint="measured, replayed and simulated boots are never pooled; use one campaign for each",
            )


def to_samples(manifest: Manifest, records: Sequence[Record]) -> tuple[Sample, ...]:
    """One sample per boot and metric.

    A boot that timed out or failed counts as censored for what its scenario asks of every boot (``_asked``) and for
    every start-up endpoint that other boots of its cell reached and it did not. Its other metrics are missing: what
    the harness did to end a failed box says nothing about the box.
    """
    samples: list[Sample] = []
    for group in by_cell(records).values():
        good = _good(group)
        chains = (start_chain(good), stop_chain(good))
        scenario = manifest.scenarios[group[0].trial.cell.scenario].scenario
        expected = {f"endpoint.{end}_ns" for _, end in chains[0]} | _asked(scenario, good)
        main = headline(scenario)
        for record in group:
            values = _values(record, chains, expected, main)
            samples.extend(_sample(record, metric, value) for metric, value in values.items())
    return tuple(samples)


def summarise(samples: Iterable[Sample], records: Iterable[Record]) -> tuple[CellSummary, ...]:
    """One summary per cell and metric, ordered by cell and by ``metrics.sort_key``; warm-ups are left out."""
    kept = [record for record in records if not record.trial.warmup]
    boots = Counter(record.trial.cell.key for record in kept)
    failures = Counter(record.trial.cell.key for record in kept if record.outcome != "ok")
    failed = {record.trial.id for record in kept if record.outcome != "ok"}
    ordered = sorted((s for s in samples if not s.warmup), key=lambda s: (s.cell.key, sort_key(s.metric)))
    return tuple(
        _summary(list(group), boots[key], failures[key], failed)
        for (key, _), group in groupby(ordered, key=lambda s: (s.cell.key, s.metric))
    )


def metric_frame(samples: Iterable[Sample]) -> pd.DataFrame:
    """The samples as a long frame, one row per boot and metric.

    Columns: FRAME_COLUMNS; ``value`` is inf when ``censored``, ``doubts`` is a count.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that no other reader of samples needs to spend

    rows = [
        {
            "cell": s.cell.key,
            "scenario": s.cell.scenario,
            "box": s.cell.box,
            "accel": s.cell.accel,
            "factors": ",".join(f"{name}={s.cell.factors[name]}" for name in sorted(s.cell.factors)),
            "block": s.block,
            "warmup": s.warmup,
            "trial": s.trial,
            "metric": s.metric,
            "unit": s.unit,
            "value": s.value,
            "censored": s.censored,
            "doubts": s.doubts,
            "source": s.source,
        }
        for s in samples
    ]
    return pd.DataFrame(rows, columns=list(FRAME_COLUMNS))


def exercise_headline(scenario: Scenario) -> str | None:
    """The metric that answers the exercise's question; None where there is none."""
    exercise = scenario.exercise
    return None if exercise is None or exercise.headline is None else f"{EXERCISE}{exercise.headline}"


def _good(records: Sequence[Record]) -> list[Record]:
    """Boots that ended well, without warm-ups where there are others."""
    good = [record for record in records if record.outcome == "ok"]
    return [record for record in good if not record.trial.warmup] or good


def _asked(scenario: Scenario, good: Sequence[Record]) -> set[str]:
    """What every boot of a cell is started for: the headline, the end of the start, the answer of the exercise.

    A rate is not among them: a boot that never came has none, and ``inf`` would make it the best of all.
    """
    goal = Endpoint.REPLIED if scenario.ready.when == "http" else Endpoint.READY
    asked = {headline(scenario)}
    # Boxes without an agent are ready and never asked for a reply: then no good boot has one.
    if not good or any(goal in record.endpoints_ns for record in good):
        asked.add(f"endpoint.{goal}_ns")
    answer = exercise_headline(scenario)
    return asked if answer is None or higher_is_better(answer) else asked | {answer}


def _values(record: Record, chains: Sequence[Chain], expected: set[str], main: str) -> dict[str, float]:
    if is_storm(record):
        # Every box may be lost; but a storm that was refused says nothing about the boxes.
        return {main: math.inf} | values_of(record, chains) if record.outcome == "ok" else {}
    return values_of(record, chains) if record.outcome == "ok" else _censored(record, expected)


def _censored(record: Record, expected: set[str]) -> dict[str, float]:
    reached = values_of(record, ())
    return {metric: reached.get(metric, math.inf) for metric in expected}


def _sample(record: Record, metric: str, value: float) -> Sample:
    trial = record.trial
    censored = value == math.inf
    doubts = len(disturbances(record))
    return Sample(
        trial.cell, record.source, trial.block, trial.warmup, trial.id, metric, float(value), censored, doubts
    )


def _summary(group: list[Sample], boots: int, failures: int, failed: Set[str]) -> CellSummary:
    values = [sample.value for sample in group]
    try:
        p95, reason = quantile(values, 0.95), ""
    except TooFewBootsError as error:
        p95, reason = None, error.message
    first = group[0]
    # A storm that went well may have lost its boxes: its value is beyond the limit, and not missing.
    missing = boots - failures - sum(not sample.censored or sample.trial not in failed for sample in group)
    doubts = sum(sample.doubts > 0 for sample in group)
    return CellSummary(
        first.cell,
        first.metric,
        first.source,
        len(group),
        failures,
        max(0, missing),
        estimate(values),
        p95,
        reason,
        doubts,
    )
