"""Order statistics of sorted samples, with ``inf`` for censored boots: what ``bench.analysis.stats`` is built from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SMALL_SURPLUS: Final = 0.02
"""Below this the plain interval stays: 96.9 % with 6 boots, where interpolation falls to 90 % between two modes."""

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats


def ascending(values: Values) -> Floats:
    """The values sorted, shape (n,). Raises ValueError on NaN."""
    data = np.sort(np.asarray(values, dtype=np.float64))
    if np.isnan(data).any():
        raise ValueError("NaN is not a value: leave out what was not measured, use inf for a time-out")
    return data


def between(data: Floats, index: int, share: float) -> float:
    """The point ``share`` (0 to 1) of the way from ``data[index]`` to its neighbour on the right."""
    # 0 * inf is NaN: a share of nothing must not look at its neighbour.
    low = float(data[index])
    return low if share == 0 else (1 - share) * low + share * float(data[index + 1])


def middle(data: Floats) -> float:
    """The median of sorted data, n >= 1; for even n inf when either middle value is."""
    half = (len(data) - 1) / 2
    return between(data, math.floor(half), half - math.floor(half))


def median_limits(data: Floats, level: float) -> tuple[float, float, float]:
    """Low and high limit of the median of sorted data, n >= 2, and the level they reach.

    References: Hettmansperger & Sheather 1986, Confidence intervals based on interpolated order statistics.
    """
    index, share, reached = _plan(len(data), level)
    high = float(data[-1 - index])
    if share:
        high = (1 - share) * high + share * float(data[-2 - index])
    return between(data, index, share), high, reached


@cache
def _plan(n: int, level: float) -> tuple[int, float, float]:
    """Which order statistic (from 0), how far towards the next inner one, and the level that is reached."""

    def covers(depth: int) -> float:
        return float(1 - 2 * sum(math.comb(n, k) for k in range(depth)) / 2**n)

    depth = max((d for d in range(1, n // 2 + 1) if covers(d) >= level), default=0)
    if depth == 0:
        return 0, 0.0, covers(1)
    if 2 * (depth + 1) > n or covers(depth) - level < _SMALL_SURPLUS:
        return depth - 1, 0.0, covers(depth)
    surplus = (covers(depth) - level) / (covers(depth) - covers(depth + 1))
    share = (n - depth) * surplus / (depth + (n - 2 * depth) * surplus)
    return depth - 1, share, level
