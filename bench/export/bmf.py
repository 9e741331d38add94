"""Bencher Metric Format: a median per cell and metric, with the limits of its interval."""

from __future__ import annotations

import math
from typing import Any, Final

from bench.analysis.metrics import Metric
from bench.export.base import Column, Export, Table, to_json

_LONGEST: Final = 64
"""Bencher's limit on the name of a measure."""


def export(table: Table) -> Export:
    """``bencher.json``: a benchmark per cell, a measure per metric, in nanoseconds and bytes."""
    benchmarks: dict[str, dict[str, dict[str, float]]] = {}
    for column in table.columns:
        benchmarks.setdefault(column.cell.key, {})[measure(column.metric)] = _metric(column)
    return Export({"bencher.json": to_json(benchmarks)}, table.notes)


def measure(metric: str) -> str:
    """The metric as a slug, by which Bencher finds the measure again: ``endpoint-ready-ns``."""
    name = metric.replace(".", "-").replace("_", "-")
    return name if len(name) <= _LONGEST else f"{Metric(name).stem[: _LONGEST - 3]}{metric[-3:]}".replace("_", "-")


def _metric(column: Column) -> dict[str, Any]:
    found: dict[str, float] = {"value": column.whole.value}
    interval = column.whole.interval
    # JSON has no infinite numbers. Without its upper limit the metric has a lower limit only.
    if interval is not None and math.isfinite(interval.low):
        found["lower_value"] = interval.low
    if interval is not None and math.isfinite(interval.high):
        found["upper_value"] = interval.high
    return found
