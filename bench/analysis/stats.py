"""Pure statistics on sequences: medians, quantiles and ratios with intervals whose coverage holds at small n.

Conventions, everywhere in this module:
    One value per boot (the boot is the statistical unit).
    ``math.inf`` is a censored value: the boot timed out or failed, so its value is larger than every value seen.
    A missing value (not measured) is left out by the caller. NaN raises ValueError.

Why not the bootstrap: with 5 to 10 boots its percentile interval of a ratio covers 92-97 % and BCa 84-94 % where 95 %
was promised, and intervals made from the ratio in each block (paired t, signed rank, signs) miss the ratio of medians
when one side has two modes: 25-79 % at 40 boots. What is here covers 95-99.8 %, at the price of being up to twice as
wide as the bootstrap's when the host drifts much. ``python -m tests.studies.coverage`` measures all of this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.util.errors import TooFewBootsError

MIN_BOOTS: Final = 5
"""Below this, minimum to maximum covers the median with less than 93 %: no interval, no verdict."""

_SMALL_SURPLUS: Final = 0.02
"""Below this the plain interval stays: 96.9 % with 6 boots, where interpolation falls to 90 % between two modes."""

MOST_FOR_SLOPES: Final = 1000
"""Blocks of which all pairs are taken for a trend."""

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats


@dataclass(frozen=True)
class Interval:
    """``low`` <= ``high``; ``high`` may be inf (beyond the time limit). ``level``: coverage aimed at, in (0, 1)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Spread:
    """From the smallest to the largest of what was seen: a range, and no interval of a median.

    Attributes:
        high: may be inf.
        of: the boots of one sitting, or the medians of sittings.
    """

    low: float
    high: float
    of: Literal["boots", "sittings"]


@dataclass(frozen=True)
class Estimate:
    """A median with its interval, as ``bench.analysis.in_order.estimate`` makes it.

    Attributes:
        value: in the unit of the data; inf when the median itself is a censored boot ("beyond the time limit").
        interval: None when ``n`` is below MIN_BOOTS.
        n: boots, censored ones included.
        censored: how many of them are censored.
        spread: shown in place of the interval where that is rough, good for decisions and not as a number; else None.
    """

    value: float
    interval: Interval | None
    n: int
    censored: int = 0
    spread: Spread | None = None

    @property
    def shown(self) -> Interval | Spread | None:
        """What stands beside the median: the spread if there is one, else the interval."""
        return self.spread or self.interval


@dataclass(frozen=True)
class RatioEstimate:
    """The ratio of two medians, other over base.

    Attributes:
        value: >= 0; inf when other's median is censored, 0 when base's is, None when both are.
        n: blocks that held both, or the stored campaigns that B was compared with.
        dropped: blocks that held one side only.
        block_ratios: the raw ratio per block, in block order; empty against stored campaigns. inf or 0 when one side is
            censored; blocks where both are have none.
    """

    value: float | None
    interval: Interval
    n: int
    dropped: int = 0
    block_ratios: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trend:
    """The relative change from the first block to the last; 0.12 is 12 % more."""

    change: float
    interval: Interval
    n: int


class RatioVerdict(StrEnum):
    """The verdict on a ratio of durations, from its interval."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    CANNOT_TELL = "cannot tell"


def median(values: Values) -> float:
    """The median, n >= 1; inf when it falls on a censored boot (for even n, when either middle one is).

    Raises:
        TooFewBootsError: no values.
    """
    return sorted_median(ascending(values))


def sorted_median(data: Floats) -> float:
    """``median`` of values that are ascending."""
    if not len(data):
        raise TooFewBootsError("the median of no boots", hint="the report lists the failures of this cell")
    return _middle(data)


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
    _require(len(data))
    return _limits(data, level)


def within_blocks(values: Values, *, level: float = 0.95) -> Estimate:
    """Median and interval of values that are each made within one block: differences, slopes. n >= 1.

    The state of the host drops out of them, so they count as independent. Below 5 values the interval is None.

    Raises:
        TooFewBootsError: no values.
    """
    data = ascending(values)
    interval = _limits(data, level) if len(data) >= MIN_BOOTS else None
    return Estimate(median(data), interval, len(data), int(np.isinf(data).sum()))


def median_ratio(base: Mapping[int, float], other: Mapping[int, float], *, level: float = 0.95) -> RatioEstimate:
    """median(other) / median(base), both > 0, paired by block number, at least 5 blocks.

    Each median gets its order-statistic interval; the two are joined on the log scale by MOVER. What the two sides
    share within blocks (the host's own drift) narrows the result, but only as far as Blomqvist's correlation of the
    blocks exceeds its own standard error: a correlation that 5 blocks show by chance must not buy precision.

    Raises:
        TooFewBootsError: fewer than 5 blocks hold both.
        ValueError: a value <= 0, or NaN.
    References: Zou & Donner 2008, Construction of confidence limits about effect measures; Blomqvist 1950.
    """
    return paired_ratio(*shared_values(base, other), len(base.keys() ^ other.keys()), level=level)


def shared_values(base: Mapping[int, float], other: Mapping[int, float]) -> tuple[Floats, Floats]:
    """The values of the blocks that hold both, in the order of the blocks, shape (n,) each."""
    blocks = sorted(base.keys() & other.keys())
    left, right = (np.array([side[block] for block in blocks], dtype=np.float64) for side in (base, other))
    return left, right


def paired_ratio(left: Floats, right: Floats, dropped: int = 0, *, level: float = 0.95) -> RatioEstimate:
    """``median_ratio`` of the values of shared blocks, in the order of the blocks: shape (n,) each.

    Args:
        dropped: how many blocks hold one side only.

    Raises:
        TooFewBootsError, ValueError: as ``median_ratio``.
    """
    _require(len(left))
    value, interval = _join(left, right, _trusted_correlation(left, right), level)
    seen = np.isfinite(left) | np.isfinite(right)
    ratios = tuple((right[seen] / left[seen]).tolist())
    return RatioEstimate(value, interval, len(left), dropped, ratios)


def unpaired_ratio(base: Estimate, other: Estimate) -> RatioEstimate:
    """The ratio of two medians of campaigns without a block in common: other over base, joined as independent.

    ``n`` is the smaller number of boots. The interval is about these two sittings: what differs between sittings as
    such is not in it.

    Raises:
        TooFewBootsError: a side has no interval.
        ValueError: a value or a limit is not above 0, so that there is no ratio.
    """
    _require(min(base.n, other.n))
    sides = base.interval, other.interval
    if sides[0] is None or sides[1] is None or min(base.value, other.value, *(side.low for side in sides if side)) <= 0:
        raise ValueError("a ratio needs values above 0")
    logs = tuple(
        Interval(math.log(side.low), math.inf if math.isinf(side.high) else math.log(side.high), side.level)
        for side in sides
        if side is not None
    )
    level = min(side.level for side in sides if side is not None)
    value, interval = _joined((base.value, other.value), (logs[0], logs[1]), 0.0, level)
    return RatioEstimate(value, interval, min(base.n, other.n))


def band(tolerance: float) -> tuple[float, float]:
    """The ratios that count as the same within ``tolerance`` (0.05: 5 %), symmetric on the log scale."""
    return 1 / (1 + tolerance), 1 + tolerance


def same_within(interval: Interval, limits: tuple[float, float]) -> bool:
    """Whether the whole interval lies inside ``limits``. An interval that only overlaps them proves no equality."""
    return limits[0] <= interval.low and interval.high <= limits[1]


def verdict(interval: Interval, limits: tuple[float, float]) -> RatioVerdict:
    """The verdict on ``other`` from the interval of other / base, both durations."""
    if same_within(interval, limits):
        return RatioVerdict.SAME
    if interval.high < 1:
        return RatioVerdict.FASTER
    return RatioVerdict.SLOWER if interval.low > 1 else RatioVerdict.CANNOT_TELL


def ecdf(values: Values) -> tuple[Floats, Floats]:
    """Steps of the empirical distribution: finite values ascending, and the share of all boots reached there, (0, 1].

    Censored boots count in the share: with one of four censored the curve ends at 0.75.
    """
    data = ascending(values)
    finite = data[np.isfinite(data)]
    return finite, np.arange(1, len(finite) + 1) / max(len(data), 1)


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
    _require(n)
    logs = _logs(np.array([by_block[int(block)] for block in blocks], dtype=np.float64))
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


def _require(n: int) -> None:
    if n < MIN_BOOTS:
        raise TooFewBootsError(
            f"an interval of a median needs at least {MIN_BOOTS} boots, there {'is' if n == 1 else 'are'} {n}",
            hint=f"run at least {MIN_BOOTS} blocks; warm-ups and missing values do not count",
        )


def _limits(data: Floats, level: float) -> Interval:
    return Interval(*_median_limits(data, level))


def _logs(data: Floats) -> Floats:
    if np.isnan(data).any() or (data <= 0).any():
        raise ValueError("a ratio needs values above 0, and no NaN")
    logs: Floats = np.log(data)
    return logs


def _trusted_correlation(left: Floats, right: Floats) -> float:
    signs = [_signs(side) for side in (left, right)]
    size = math.sqrt(float((signs[0] ** 2).sum() * (signs[1] ** 2).sum()))
    blomqvist = float((signs[0] * signs[1]).sum()) / size if size else 0.0
    return max(0.0, blomqvist - 1 / math.sqrt(len(left)))


def _signs(data: Floats) -> Floats:
    mid = _middle(np.sort(data))
    return (data > mid).astype(np.float64) - (data < mid)


def _join(left: Floats, right: Floats, correlation: float, level: float) -> tuple[float | None, Interval]:
    mids = _middle(np.sort(left)), _middle(np.sort(right))
    limits = tuple(_limits(np.sort(_logs(side)), level) for side in (left, right))
    return _joined(mids, (limits[0], limits[1]), correlation, level)


def _joined(
    mids: tuple[float, float], limits: tuple[Interval, Interval], correlation: float, level: float
) -> tuple[float | None, Interval]:
    """MOVER on logs: joins the distances of each side's limits from its median like the sides of a triangle.

    Args:
        mids: the medians of base and other, as they are.
        limits: of their logarithms.
    """
    b, o = limits
    if math.inf in mids:
        low = 0.0 if math.isinf(b.high) else _exp(o.low - b.high)
        high = math.inf if math.isinf(o.high) else _exp(o.high - b.low)
        value = None if mids[0] == mids[1] else mids[1] / mids[0]
        return value, Interval(low, high, level)
    base_mid, other_mid = math.log(mids[0]), math.log(mids[1])
    down = _third_side(other_mid - o.low, b.high - base_mid, correlation)
    up = _third_side(o.high - other_mid, base_mid - b.low, correlation)
    value = mids[1] / mids[0]
    return value, Interval(value * math.exp(-down), value * _exp(up), level)


def _third_side(a: float, b: float, correlation: float) -> float:
    if math.isinf(a) or math.isinf(b):
        return math.inf
    return math.sqrt(max(0.0, a * a + b * b - 2 * correlation * a * b))


def _exp(value: float) -> float:
    return math.inf if value == math.inf else math.exp(value)


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


def _middle(data: Floats) -> float:
    """The median of sorted data, n >= 1; for even n inf when either middle value is."""
    half = (len(data) - 1) / 2
    return between(data, math.floor(half), half - math.floor(half))


def _median_limits(data: Floats, level: float) -> tuple[float, float, float]:
    """Low and high limit of the median of sorted data, n >= 2, and the level they reach.

    References: Hettmansperger & Sheather 1986, Confidence intervals based on interpolated order statistics.
    """
    index, share, reached = _plan(len(data), level)
    high = _part_way(float(data[-1 - index]), float(data[-2 - index]), share)
    return between(data, index, share), high, reached


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
