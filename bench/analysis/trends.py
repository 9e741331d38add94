"""The trend of a control over the blocks of a campaign: the drift of its host.

The conventions are those of ``bench.analysis.estimates``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Final

import numpy as np

from bench.analysis.estimates import Floats, Interval, Trend, log_values, require_boots

MOST_FOR_SLOPES: Final = 1000
"""Blocks of which all pairs are taken for a trend."""


def trend(by_block: Mapping[int, float], *, level: float = 0.95) -> Trend:
    """Theil-Sen trend of log values over blocks, as the relative change from the first block to the last.

    Censored blocks are left out, since a native control that timed out is a failure and no drift. Of more than
    MOST_FOR_SLOPES blocks, neighbours are joined to groups of equal size, of which the medians are taken: all pairs of
    5,000 blocks would take a gigabyte.

    Raises:
        TooFewBootsError: fewer than 5 finite values.
        ValueError: a value <= 0, or NaN.
    References: Sen 1968, Estimates of the regression coefficient based on Kendall's tau.
    """
    blocks = np.array(sorted(block for block, value in by_block.items() if value != math.inf), dtype=np.float64)
    n = len(blocks)
    require_boots(n)
    logs = log_values(np.array([by_block[int(block)] for block in blocks], dtype=np.float64))
    span = float(blocks[-1] - blocks[0])
    change, least, most = (math.expm1(value * span) for value in _slopes(*_thinned(blocks, logs), level))
    return Trend(change, Interval(least, most, level), n)


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The points, or the medians of groups of neighbours where there are too many."""
    if len(x) <= MOST_FOR_SLOPES:
        return x, y
    groups = [np.array_split(side, MOST_FOR_SLOPES) for side in (x, y)]
    return np.array([np.median(part) for part in groups[0]]), np.array([np.median(part) for part in groups[1]])


def _slopes(x: Floats, y: Floats, level: float) -> tuple[float, float, float]:
    """The Theil-Sen slope with its interval (Sen's equation 2.6); ``x`` ascending, without ties.

    scipy.stats has it too, and takes a second to import: most of the time of a small campaign's report.
    """
    n = len(x)
    earlier, later = np.triu_indices(n, k=1)
    slopes = np.sort((y[later] - y[earlier]) / (x[later] - x[earlier]))
    ties = sum(k * (k - 1) * (2 * k + 5) for k in np.unique(y, return_counts=True)[1].tolist())
    sigma = math.sqrt((n * (n - 1) * (2 * n + 5) - ties) / 18)
    reach = NormalDist().inv_cdf((1 + level) / 2) * sigma
    high = min(round((len(slopes) + reach) / 2), len(slopes) - 1)
    low = max(round((len(slopes) - reach) / 2) - 1, 0)
    return float(np.median(slopes)), float(slopes[low]), float(slopes[high])
