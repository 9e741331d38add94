"""The results of a campaign as one JSON value, for ``boxbench report --json``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bench.analysis.analyse import analyse
from bench.analysis.estimates import Interval, Spread
from bench.analysis.results import CellSummary, Comparison
from bench.analysis.sources import MEASURED, source_word
from bench.records.campaign import read_campaign


def campaign_summary(path: Path) -> dict[str, Any]:
    """Summaries and comparisons of a campaign directory; values in ns and bytes, as the metric's name says.

    A median beyond the time limit is null, and so is an interval for which there are too few boots.
    """
    analysis = analyse(*read_campaign(path))
    manifest = analysis.manifest
    return {
        "campaign": manifest.id,
        "fingerprint": manifest.host.get("fingerprint"),
        "source": source_word(analysis.records) or MEASURED,
        "origin": None if manifest.origin is None else manifest.origin.model_dump(mode="json"),
        "seed": manifest.seed,
        "notes": list(manifest.notes),
        "certificates": {name: found.model_dump(mode="json") for name, found in manifest.certificates.items()},
        "summaries": [_summary(summary) for summary in analysis.summaries],
        "comparisons": [_comparison(comparison) for comparison in analysis.comparisons],
    }


def _summary(summary: CellSummary) -> dict[str, Any]:
    return {
        "cell": summary.cell.key,
        "metric": summary.metric,
        "source": summary.source,
        "n": summary.n,
        "failures": summary.failures,
        "missing": summary.missing,
        "median": _finite(summary.median.value),
        "interval": _interval(summary.median.interval),
        "spread": None if (spread := summary.median.spread) is None else _spread(spread),
        "p95": None if summary.p95 is None else _finite(summary.p95.value),
        "p95_interval": None if summary.p95 is None else _interval(summary.p95.interval),
        "doubts": summary.doubts,
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    ratio = comparison.ratio
    return {
        "baseline": comparison.baseline.key,
        "other": comparison.other.key,
        "metric": comparison.metric,
        "ratio": None if ratio is None else _finite(ratio.value),
        "interval": None if ratio is None else _interval(ratio.interval),
        "p_value": comparison.p_value,
        "verdict": comparison.verdict.value,
        "notes": list(comparison.notes),
    }


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    if interval is None:
        return None
    return {"low": _finite(interval.low), "high": _finite(interval.high), "level": interval.level}


def _spread(spread: Spread) -> dict[str, float | str | None]:
    return {"low": _finite(spread.low), "high": _finite(spread.high), "of": spread.of}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
