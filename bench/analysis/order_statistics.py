"""Medians of independent boots with intervals whose coverage holds at small n, and the empirical distribution.

The conventions are those of ``bench.analysis.estimates``.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Estimate, Floats, Interval, Values, require_boots
from bench.util.errors import TooFewBootsError

_SMALL_SURPLUS: Final = 0.02
"""Below this the plain interval stays: 96.9 % with 6 boots, where interpolation falls to 90 % between two modes."""


def median(values: Values) -> float:
    """The median, n >= 1; inf when it falls on a censored boot (for even n, when either middle one is).

    Raises:
        TooFewBootsError: no values.
    """
    return sorted_median(ascending(values))


def sorted_median(data: Floats) -> float:
    """``median`` of values that are ascending, shape (n,)."""
    if not len(data):
        raise TooFewBootsError("the median of no boots", hint="the report lists the failures of this cell")
    half = (len(data) - 1) / 2
    return between(data, math.floor(half), half - math.floor(half))


def median_interval(values: Values, *, level: float = 0.95) -> Interval:
    """A distribution-free interval of the median of independent values, n >= 5: interpolated order statistics.

    With 5 boots nothing wider than minimum to maximum exists, which covers 93.75 %: then ``Interval.level`` says so.

    Raises:
        TooFewBootsError: n below 5.
    References: Hettmansperger & Sheather 1986, Confidence intervals based on interpolated order statistics.
    """
    return sorted_median_interval(ascending(values), level=level)


def sorted_median_interval(data: Floats, *, level: float = 0.95) -> Interval:
    """``median_interval`` of values that are ascending."""
    require_boots(len(data))
    index, share, reached = _plan(len(data), level)
    high = _part_way(float(data[-1 - index]), float(data[-2 - index]), share)
    return Interval(between(data, index, share), high, reached)


def within_blocks(values: Values, *, level: float = 0.95) -> Estimate:
    """Median and interval of values that are each made within one block: differences, slopes. n >= 1.

    The state of the host drops out of them, so they count as independent. Below 5 values the interval is None.

    Raises:
        TooFewBootsError: no values.
    """
    data = ascending(values)
    interval = sorted_median_interval(data, level=level) if len(data) >= MIN_BOOTS else None
    return Estimate(sorted_median(data), interval, len(data), int(np.isinf(data).sum()))


def ecdf(values: Values) -> tuple[Floats, Floats]:
    """Steps of the empirical distribution: finite values ascending, and the share of all boots reached there, (0, 1].

    Censored boots count in the share: with one of four censored the curve ends at 0.75.
    """
    data = ascending(values)
    finite = data[np.isfinite(data)]
    return finite, np.arange(1, len(finite) + 1) / max(len(data), 1)


def ascending(values: Values) -> Floats:
    """The values sorted, shape (n,). Raises ValueError on NaN."""
    data = np.sort(np.asarray(values, dtype=np.float64))
    if np.isnan(data).any():
        raise ValueError("NaN is not a value: leave out missing values, and use inf for a time-out")
    return data


def between(data: Floats, index: int, share: float) -> float:
    """The point ``share`` (0 to 1) of the way from ``data[index]`` to its neighbour on the right."""
    return _part_way(float(data[index]), float(data[index + 1]) if share else math.inf, share)


def _part_way(start: float, end: float, share: float) -> float:
    """The point ``share`` (0 to 1) of the way from one value to another, never outside of the two."""
    # 0 * inf is NaN, so a share of 0 must not use the other value. Rounding may leave the range by the last digit.
    point = (1 - share) * start + share * end if share else start
    return min(max(point, min(start, end)), max(start, end))


@cache
def _plan(n: int, level: float) -> tuple[int, float, float]:
    """Which order statistic (from 0), how far towards the next inner one, and the level that is reached."""

    def covers(tail: int) -> float:
        return float(1 - 2 * tail / 2**n)

    # The samples of which fewer than ``depth`` values lie below the median, out of 2^n. From one depth to the next, so
    # that thousands of boots take milliseconds.
    depth, tail, choices = 0, 0, 1
    while 2 * (depth + 1) <= n and covers(tail + choices) >= level:
        tail, depth, choices = tail + choices, depth + 1, choices * (n - depth) // (depth + 1)
    if depth == 0:
        return 0, 0.0, covers(1)
    if 2 * (depth + 1) > n or covers(tail) - level < _SMALL_SURPLUS:
        return depth - 1, 0.0, covers(tail)
    surplus = (covers(tail) - level) / (covers(tail) - covers(tail + choices))
    share = (n - depth) * surplus / (depth + (n - 2 * depth) * surplus)
    return depth - 1, share, level
