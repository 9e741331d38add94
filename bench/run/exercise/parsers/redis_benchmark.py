"""redis-benchmark with ``--csv``: requests per second and latencies by command."""

from __future__ import annotations

import csv
from typing import Final

from bench.run.exercise.parsers.text import slug
from bench.run.exercise.result import Parsed

_COLUMNS: Final = {"avg_latency_ms": "mean", "p50_latency_ms": "p50", "p99_latency_ms": "p99", "max_latency_ms": "max"}


def parse(text: str) -> Parsed:
    """``get_per_s``, ``get.p99_ns`` and so on. The output does not say how many requests there were."""
    lines = [line for line in text.splitlines() if line.startswith('"')]
    values: dict[str, float] = {}
    for row in csv.DictReader(lines):
        name = slug(row["test"])
        values[f"{name}_per_s"] = float(row["rps"])
        values |= {f"{name}.{short}_ns": float(row[column]) * 1e6 for column, short in _COLUMNS.items()}
    return Parsed(values)
