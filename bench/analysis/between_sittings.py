"""Do the sittings of a campaign disagree about a ratio? Its interval takes the blocks of all sittings as one sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

import numpy as np

from bench.analysis.results import MetricSeries
from bench.analysis.stats import MIN_BOOTS

LEVEL: Final = 0.01
"""The chance of a note where the sittings do not differ."""


def sittings_note(base: MetricSeries, other: MetricSeries) -> str:
    """A note where the ratios within blocks differ between sittings; empty where they do not, or cannot be told.

    A sitting needs 5 blocks with values above 0 on both sides.
    """
    # Most campaigns have one, and a hundred metrics of thousands of boots.
    if other.boots[0].sitting == other.boots[-1].sitting:
        return ""
    groups = _log_ratios(base, other)
    if len(groups) < 2 or kruskal_wallis(groups) > LEVEL:
        return ""
    seen = ", ".join(f"{math.exp(median(logs)):.3g}" for logs in groups)
    return f"the ratio differs between sittings ({seen}): its interval is about these, and another may lie outside"


def kruskal_wallis(groups: Sequence[Sequence[float]]) -> float:
    """The p value of "all groups are of one law", by ranks; 1 where all values are equal. Two or more groups.

    References: Kruskal & Wallis 1952, Use of ranks in one-criterion variance analysis.
    """
    from scipy.special import chdtrc  # noqa: PLC0415 - takes a tenth of a second, for several sittings only

    _, inverse, counts = np.unique(np.concatenate(groups), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, spread = len(ranks), float(((ranks - ranks.mean()) ** 2).sum())
    if not spread:
        return 1.0
    parts = np.split(ranks, np.cumsum([len(group) for group in groups])[:-1])
    between = sum(len(part) * (float(part.mean()) - (n + 1) / 2) ** 2 for part in parts)
    return float(chdtrc(len(parts) - 1, (n - 1) * between / spread))


def _log_ratios(base: MetricSeries, other: MetricSeries) -> list[list[float]]:
    """By sitting; without blocks whose two boots are of different sittings."""
    left = {block: (sitting, value) for block, sitting, value in _values(base)}
    found: dict[int, list[float]] = {}
    for block, sitting, value in _values(other):
        theirs, mine = left.get(block, (None, 0.0))
        if sitting == theirs and 0 < mine < math.inf and 0 < value < math.inf:
            found.setdefault(sitting, []).append(math.log(value) - math.log(mine))
    return [logs for logs in found.values() if len(logs) >= MIN_BOOTS]


def _values(series: MetricSeries) -> Iterator[tuple[int, int, float]]:
    """Block, sitting and value of each boot without warm-ups."""
    boots = series.boots
    return zip(boots.blocks, boots.sittings.tolist(), series.measured_values().tolist(), strict=True)
