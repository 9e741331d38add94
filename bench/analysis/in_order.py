"""Medians and quantiles of boots in the order in which they ran, with limits that hold where neighbours are alike.

The boots of a sitting share the state of their host, so neighbours resemble each other and n boots tell less than n
independent ones. Between two sittings the host may be another one altogether: on a small cloud machine the median
start of docker was 155, 187, 194 and 169 ms in the four sittings of the published ladder. So:
    One sitting: the order-statistic interval, widened by the correlation of neighbours at the upper limit of its own
    95 % interval. It is about this sitting. With fewer than ENOUGH boots the correlation cannot be estimated: the
    interval is then three times as wide at least, good for decisions, and ``spread`` (smallest to largest boot) is
    what is shown.
    Two or three sittings: the interval covers the interval of each, and ``spread`` (the sittings' medians) is shown.
    From ENOUGH_SITTINGS on: Student's interval of the mean log median of a sitting. Where so many boots failed that
    the median may be one of these, the interval covers that of each sitting.
``python -m tests.studies.correlated`` measures how often these hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import NormalDist
from typing import Final

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Estimate, Floats, Interval, Spread, Values
from bench.analysis.order_statistics import ascending, between, sorted_median, sorted_median_interval
from bench.util.errors import TooFewBootsError

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

ENOUGH: Final = 20
"""Boots of a sitting from which on their own correlation decides how wide an interval is."""
ENOUGH_SITTINGS: Final = 4
"""With fewer, Student's interval is 2.5 to 6 times as wide as the distance of the sittings, which says nothing."""

_ROUGH: Final = 3.0
"""How much wider at least an interval of fewer than ENOUGH boots is; the study shows what that holds."""
_MOST_CORRELATION: Final = 0.9
"""Near 1 no number of boots would give an interval."""


@dataclass(frozen=True)
class Quantile:
    """A quantile with its interval; each may be inf: beyond the time limit."""

    value: float
    interval: Interval


class _Sitting:
    """The values of one sitting, in order, with what its median and its quantiles both need."""

    def __init__(self, data: Floats) -> None:
        self.data = data

    @cached_property
    def ordered(self) -> Floats:
        """Ascending. Raises ValueError: NaN."""
        return ascending(self.data)

    @cached_property
    def correlation(self) -> float:
        """See ``_upper_correlation``."""
        return _upper_correlation(self.data)


@dataclass(frozen=True)
class Course:
    """Values in the order in which they ran: all of them ascending, and the sittings."""

    ordered: Floats
    sittings: tuple[_Sitting, ...]

    @classmethod
    def of(cls, values: Values, sittings: Sequence[int] | Numbers = ()) -> Course:
        """As ``estimate`` takes them. Raises ValueError: NaN."""
        parts = tuple(map(_Sitting, _by_sitting(np.asarray(values, dtype=np.float64), np.asarray(sittings))))
        whole = parts[0].ordered if len(parts) == 1 else ascending(np.asarray(values, dtype=np.float64))
        return cls(whole, parts)

    def estimate(self, *, level: float = 0.95) -> Estimate:
        """See the function."""
        data, parts = self.ordered, self.sittings
        value, n, censored = sorted_median(data), len(data), int(np.isinf(data).sum())
        if n < MIN_BOOTS:
            return Estimate(value, None, n, censored)
        if len(parts) == 1:
            spread = Spread(float(data[0]), float(data[-1]), "boots") if n < ENOUGH else None
            return Estimate(value, _of_one_sitting(parts[0], level), n, censored, spread)
        medians = [sorted_median(part.ordered) for part in parts]
        within = [_of_one_sitting(part, level) for part in parts]
        hull = Interval(min(one.low for one in within), max(one.high for one in within), level)
        if len(parts) < ENOUGH_SITTINGS or not all(0 < one < math.inf for one in medians):
            return Estimate(value, hull, n, censored, Spread(min(medians), max(medians), "sittings"))
        if math.isinf(sorted_median_interval(data, level=level).high):
            return Estimate(value, hull, n, censored)
        return Estimate(value, _of_sittings(value, np.log(medians), level), n, censored)

    def quantile(self, q: float, *, level: float = 0.95) -> Quantile:
        """See the function."""
        within = [_quantile_of_one_sitting(part, q, level) for part in self.sittings]
        at = q * (len(self.ordered) - 1)
        value = between(self.ordered, math.floor(at), at - math.floor(at))
        return Quantile(value, Interval(min(one.low for one in within), max(one.high for one in within), level))


def estimate(values: Values, sittings: Sequence[int] = (), *, level: float = 0.95) -> Estimate:
    """Median and interval of n >= 1 boots in the order in which they ran; below 5 boots the interval is None.

    Args:
        values: inf for a boot that failed or timed out.
        sittings: the number of each boot's sitting; empty: all are of one.

    Raises:
        TooFewBootsError: no values.
        ValueError: NaN.
    """
    return Course.of(values, sittings).estimate(level=level)


def quantile(values: Values, q: float, sittings: Sequence[int] = (), *, level: float = 0.95) -> Quantile:
    """The ``q`` quantile, q in (0, 1), of boots in the order in which they ran, with an interval of order statistics.

    The boots count as so many independent ones as their correlation leaves. That of lying beyond a quantile is about
    the square of the values' own. With several sittings the interval covers the interval of each.

    Args:
        sittings: as for ``estimate``.

    Raises:
        TooFewBootsError: those of some sitting are worth too few for an interval with two ends.
        ValueError: NaN.
    """
    return Course.of(values, sittings).quantile(q, level=level)


@cache
def boots_for_interval(q: float, level: float = 0.95) -> int:
    """The independent boots from which on the ``q`` quantile has an interval with two ends: 72 for p95."""
    return math.ceil(math.log((1 - level) / 2) / math.log(max(q, 1 - q)))


def _by_sitting(data: Floats, sittings: Numbers) -> list[Floats]:
    """The values of each sitting. One with fewer than MIN_BOOTS boots counts with the sitting before it, or after."""
    if not len(sittings):
        return [data]
    parts: list[Floats] = []
    for part in np.split(data, np.flatnonzero(sittings[1:] != sittings[:-1]) + 1):
        if parts and min(len(part), len(parts[-1])) < MIN_BOOTS:
            parts[-1] = np.concatenate([parts[-1], part])
        else:
            parts.append(part)
    return parts


def _of_one_sitting(sitting: _Sitting, level: float) -> Interval:
    data = sitting.ordered
    n, plain, mid = len(data), sorted_median_interval(data, level=level), sorted_median(data)
    factor = max(_widening(n, sitting.correlation), 1.0 if n >= ENOUGH else _ROUGH)
    if math.isinf(mid):
        # There is no distance to infinity that could be widened. Nothing below the fastest boot was seen.
        return Interval(float(data[0]), math.inf, plain.level)
    logs = float(data[0]) > 0
    low, high = (_moved(mid, limit, factor, logs=logs) for limit in (plain.low, plain.high))
    return Interval(low, high, plain.level)


def _quantile_of_one_sitting(sitting: _Sitting, q: float, level: float) -> Interval:
    data = sitting.data
    needed = boots_for_interval(q, level)
    worth = len(data)
    if worth >= needed:
        worth = math.floor(len(data) / _widening(len(data), sitting.correlation**2) ** 2)
    if worth < needed:
        raise TooFewBootsError(
            f"the {q:.0%} quantile of {len(data)} boots of a sitting, which resemble their neighbours and are worth "
            f"{worth} independent ones: n too small, {needed} are needed",
            hint="run more blocks in one sitting, or read the median",
        )
    ordered = sitting.ordered
    # One place further out than rounding asks for costs little width.
    low, high = (share * len(data) for share in _quantile_shares(worth, q, level))
    ends = ordered[max(math.floor(low) - 1, 0)], ordered[min(math.ceil(high), len(data)) - 1]
    return Interval(float(ends[0]), float(ends[1]), level)


def _moved(mid: float, limit: float, factor: float, *, logs: bool) -> float:
    """The limit at ``factor`` times its distance from the median: of logarithms, or of values that are not all > 0."""
    if limit == mid or math.isinf(limit):
        return limit
    return float(mid * (limit / mid) ** factor) if logs else mid + factor * (limit - mid)


def _of_sittings(value: float, logs: Floats, level: float) -> Interval:
    from scipy.special import stdtrit  # noqa: PLC0415 - takes a tenth of a second, for campaigns of many sittings only

    half = float(stdtrit(len(logs) - 1, (1 + level) / 2)) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    low, high = (math.exp(float(logs.mean()) + side * half) for side in (-1, 1))
    return Interval(min(low, value), max(high, value), level)


def _upper_correlation(data: Floats) -> float:
    """The lag-1 correlation of the values' normal scores: the upper limit of its 95 % interval, from 0 to 0.9."""
    n = len(data)
    scores = _normal_scores(n)[_mid_ranks(data)]
    size = float((scores * scores).sum())
    seen = float((scores[1:] * scores[:-1]).sum()) / size if size else 0.0
    # The estimate is too low by about (1 + 3 rho) / n (Marriott & Pope 1954).
    likely = seen + (1 + 3 * max(seen, 0.0)) / n
    return min(max(likely + 2 * math.sqrt(max(1 - likely * likely, 0.1) / n), 0.0), _MOST_CORRELATION)


def _mid_ranks(data: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Twice the ranks from 0; doubled so that the middle of the places that ties share is a whole number."""
    order = np.argsort(data)
    ordered = data[order]
    if (ordered[1:] != ordered[:-1]).all():
        plain = np.empty(len(data), dtype=np.int64)
        plain[order] = np.arange(0, 2 * len(data), 2)
        return plain
    _, inverse, counts = np.unique(data, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    return np.asarray((2 * before + counts - 1)[inverse], dtype=np.int64)


@cache
def _normal_scores(n: int) -> Floats:
    """The normal score of each half rank from 0: index 2 is that of rank 1."""
    law = NormalDist()
    return np.array([law.inv_cdf((half / 2 + 0.5) / n) for half in range(2 * n - 1)])


def _widening(n: int, rho: float) -> float:
    return _widening_of(n, round(rho, 2))


@cache
def _widening_of(n: int, rho: float) -> float:
    """How many times as far a mean of n values with lag-k correlation rho^k strays as their own spread suggests."""
    lags = np.arange(1, n)
    of_mean = 1 + 2 * float(((1 - lags / n) * rho**lags).sum())
    # What all n share does not show in their spread.
    of_spread = 1 - (of_mean - 1) / (n - 1)
    return math.sqrt(max(1.0, of_mean / of_spread))


@cache
def _quantile_shares(n: int, q: float, level: float) -> tuple[float, float]:
    """Which shares of n independent ordered values hold the ``q`` quantile between them."""
    from scipy.special import bdtr  # noqa: PLC0415 - takes a tenth of a second, for campaigns of many boots only

    tail = (1 - level) / 2
    below = bdtr(np.arange(n), n, q)  # P(at most k of n values lie below the quantile)
    low = int(np.searchsorted(below, tail, side="right"))
    high = int(np.searchsorted(below, 1 - tail)) + 1
    return max(low, 1) / n, high / n
