"""Exact rank tests for any number of boots, with ties and with failed boots (``inf``), and the interval of one. Pure.

The whole null distribution is computed, neither sampled nor approximated. Only signed ranks of more than ``EXACT_MOST``
blocks are compared with the normal distribution, which by then gives p values of 1e-6 to a tenth of themselves.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Floats, Interval, RatioEstimate
from bench.analysis.ratios import shared_values
from bench.util.errors import TooFewBootsError

EXACT_MOST: Final = 600
"""Blocks of which all sums of ranks are counted, which takes a tenth of a second. Those of 5,000 take minutes."""


def signed_rank(base: Mapping[int, float], other: Mapping[int, float]) -> tuple[float, float]:
    """One-sided p values that ``other`` is larger, and that it is smaller, paired by block.

    Without a difference, the two values of a block can be exchanged, since their order within the block was drawn.
    Then every pattern of signs of the blocks' log ratios is equally likely. The statistic is the number of pairs of
    blocks (a block with itself included) whose mean log ratio is above 0, which is the sum of the positive ranks.
    A mean of exactly 0, and that of a block with only A cut off and one with only B cut off, counts against the claim.
    So the p value is never too small, whatever is tied. Blocks with both sides cut off are left out.

    Returns:
        ``(1.0, 1.0)`` when every block is left out; never below 2^-n.
    References: Wilcoxon 1945; Tukey 1949, The simplest signed-rank tests.
    """
    return paired_signed_rank(*shared_values(base, other))


def paired_signed_rank(base: Floats, other: Floats) -> tuple[float, float]:
    """``signed_rank`` of the values of shared blocks, in the order of the blocks: shape (n,) each."""
    logs = _log_ratios(base, other)
    if not len(logs):
        return 1.0, 1.0
    n, above, below = len(logs), _means_above_zero(logs), _means_above_zero(-logs)
    if n > EXACT_MOST:
        return _normal_tail(n, above), _normal_tail(n, below)
    reach = _tail_without_ties(n)
    return float(reach[above]), float(reach[below])


def block_ratio(base: Mapping[int, float], other: Mapping[int, float], *, level: float = 0.95) -> RatioEstimate:
    """The ratio ``other / base`` within a block, with the interval of all ratios that ``signed_rank`` does not reject.

    The estimate is the Hodges-Lehmann pseudo-median of the blocks' log ratios. What the host does to a whole block
    cancels, which ``stats.median_ratio`` achieves only in part. For two builds of one program both estimate the same
    ratio; for distributions of different shape (a container, an emulated VM) they do not, so reports use
    ``stats.median_ratio``. A block in which only ``other`` was cut off has an infinite ratio, one in which only
    ``base`` was has the ratio 0, and a block in which both were is left out.

    Args:
        base, other: values above 0 by block, at least 5 blocks that hold both.
        level: of the interval; with 5 blocks no interval covers more than 93.75 %, and the result has that level.

    Raises:
        TooFewBootsError: fewer than 5 blocks hold both, or were not cut off on both sides.
        ValueError: a value <= 0, or NaN.
    References: Hodges & Lehmann 1963, Estimates of location based on rank tests.
    """
    shared = base.keys() & other.keys()
    if any(not value > 0 for block in shared for value in (base[block], other[block])):
        raise ValueError("a ratio needs values above 0, and no NaN")
    logs = _log_ratios(*shared_values(base, other))
    if len(logs) < MIN_BOOTS:
        raise TooFewBootsError(
            f"{len(logs)} blocks hold a value of both sides that was not cut off on both; at least {MIN_BOOTS} are "
            "needed",
            hint=f"run at least {MIN_BOOTS} blocks; warm-ups and missing values do not count",
        )
    value, low, high, reached = pseudo_median(logs, level)
    limits = Interval(math.exp(low), math.exp(high), reached)
    dropped = len(base.keys() ^ other.keys())
    middle = None if math.isnan(value) else math.exp(value)
    return RatioEstimate(middle, limits, len(logs), dropped, tuple(map(math.exp, logs.tolist())))


def pseudo_median(values: Floats, level: float) -> tuple[float, float, float, float]:
    """The median of the means of all pairs (Walsh averages), its exact limits, and their level; n >= 5.

    The median is NaN when it falls between a mean of -inf and one of inf.
    """
    lows, highs = _walsh_averages(values)
    # A mean of inf and -inf is as well below as above, so it says nothing about the middle.
    middle = _middle(np.sort(lows[lows == highs]))
    outside = _tail_without_ties(len(values))[::-1]  # the chance of a sum of at most k
    depth = max(1, int(np.searchsorted(outside, (1 - level) / 2, side="right")))
    low, high = np.sort(lows)[depth - 1], np.sort(highs)[-depth]
    return middle, float(low), float(high), float(1 - 2 * outside[depth - 1])


def rank_sum(base: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """As ``signed_rank``, for campaigns without common blocks: over all ways to draw ``other``'s boots from all boots.

    References: Wilcoxon 1945; Mann & Whitney 1947.
    """
    if not base or not other:
        return 1.0, 1.0
    ranks = _double_ranks(np.array([*base, *other], dtype=np.float64))
    key = tuple(sorted(ranks.tolist()))
    above = _tail_of_draws(key, len(other))
    observed = int(ranks[len(base) :].sum())
    # With mirrored ranks, the lower tail is the upper tail of the mirrored sum.
    below = _tail_of_draws(tuple(sorted(2 * (len(key) + 1) - rank for rank in key)), len(other))
    return float(above[observed]), float(below[2 * (len(key) + 1) * len(other) - observed])


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P values with Holm's step-down adjustment, which keeps a level for the whole family.

    References: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    adjusted: dict[str, float] = {}
    running = 0.0
    ordered = sorted(p_values.items(), key=lambda item: item[1])
    for position, (name, p_value) in enumerate(ordered):
        running = max(running, min(1.0, (len(ordered) - position) * p_value))
        adjusted[name] = running
    return adjusted


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """P values with the step-up adjustment of Benjamini and Hochberg, in the same order.

    Of the comparisons whose adjusted value is at most 5 %, at most 5 % are false on average. Where nothing differs at
    all, the chance of even one is at most 5 %. Both hold for comparisons that are independent or that err together,
    as those with one baseline do.

    References: Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
    """
    count = len(p_values)
    adjusted = [1.0] * count
    running = 1.0
    for rank, place in enumerate(sorted(range(count), key=p_values.__getitem__, reverse=True)):
        running = min(running, p_values[place] * count / (count - rank))
        adjusted[place] = running
    return adjusted


def _log_ratios(base: Floats, other: Floats) -> Floats:
    """The log ratios of blocks, without those in which both sides were cut off."""
    kept = (base != np.inf) | (other != np.inf)
    sides = base[kept], other[kept]
    if all((side > 0).all() and np.isfinite(side).all() for side in sides):
        few = len(sides[0]) <= EXACT_MOST
        # Without a call per value. numpy's logarithm may differ in the last digit, which only many blocks can stand.
        logs = [np.array(list(map(math.log, side.tolist()))) if few else np.log(side) for side in sides]
        return np.asarray(logs[1] - logs[0])
    return np.array([_log_ratio(*pair) for pair in zip(*(side.tolist() for side in sides), strict=True)], dtype=float)


def _walsh_averages(values: Floats) -> tuple[Floats, Floats]:
    """The means of all pairs, each with itself too. A mean of inf and -inf is unknown: -inf in the first, else inf."""
    rows, columns = np.triu_indices(len(values))
    with np.errstate(invalid="ignore"):  # inf - inf
        means = (values[rows] + values[columns]) / 2
    unknown = np.isnan(means)
    return np.where(unknown, -np.inf, means), np.where(unknown, np.inf, means)


def _means_above_zero(values: Floats) -> int:
    """How many means of pairs, of a value with itself too, are above 0. A mean of inf and -inf is not.

    Without a table of all pairs, which would have ten million means of 5,000 blocks.
    """
    ordered = np.sort(values)
    # A partner must be larger than the value is small: a + b > 0 just when b > -a, also of rounded numbers.
    partners = len(ordered) - np.searchsorted(ordered, -ordered, side="right")
    return (int(partners.sum()) + int((ordered > 0).sum())) // 2


def _normal_tail(n: int, least: int) -> float:
    """About the chance that the positive ones of the ranks 1 to n sum up to at least ``least``; above 0."""
    middle, spread = n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    tail = math.erfc((least - 0.5 - middle) / spread / math.sqrt(2)) / 2
    return max(tail, sys.float_info.min)


def _middle(ordered: Floats) -> float:
    """The median of sorted values, which may be infinite; NaN between -inf and inf, and of no values."""
    if not len(ordered):
        return math.nan
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return low if low == high else (low + high) / 2


def _tail_without_ties(n: int) -> Floats:
    """The chance that the positive ones of the ranks 1 to n sum up to at least 0, 1, 2, ..., n (n + 1) / 2."""
    return _tail_of_signs(tuple(range(1, n + 1)))


def _log_ratio(base: float, other: float) -> float:
    if base == other:
        return 0.0
    if base <= 0:
        # There is no ratio, but ``other`` is larger, and ranks need only the order.
        return math.inf
    if other <= 0 or base == math.inf:
        return -math.inf
    # A difference of logs changes only its sign when the sides are exchanged. log(other / base) also changes its last
    # digit, which would break ties between rises and falls of the same size, always in favour of the same ones.
    return math.log(other) - math.log(base)


def _double_ranks(values: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Twice the ranks from 1, where ties share their mean; doubled so that they are whole numbers."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts
    return np.asarray((2 * before + counts + 1)[inverse], dtype=np.int64)


@lru_cache(maxsize=256)
def _tail_of_signs(ranks: tuple[int, ...]) -> Floats:
    """The share of sign patterns that reach each sum of positive ranks."""
    shares, most = np.zeros(sum(ranks) + 1), 1
    shares[0] = 1.0
    for rank in ranks:
        # Each rank is in the sum or not; halved each time, so that 2^n never overflows.
        half = shares[:most] / 2
        shares[:most] = half
        shares[rank : rank + most] += half
        most += rank
    return _tail(shares)


@lru_cache(maxsize=256)
def _tail_of_draws(ranks: tuple[int, ...], count: int) -> Floats:
    """The share of draws of ``count`` boots that reach each sum of ranks."""
    size = sum(ranks[-count:]) + 1
    table = np.zeros((count + 1, size))
    table[0, 0] = 1.0
    for turn, rank in enumerate(ranks):
        most = min(turn + 1, count)
        # As probabilities of drawing one after the other: counts of draws would overflow. All rows at once, since numpy
        # reads what overlaps before it writes.
        table[1 : most + 1, rank:] += table[:most, : size - rank]
        table /= max(1.0, float(table.max()))
    return _tail(table[count] / table[count].sum())


def _tail(shares: Floats) -> Floats:
    tail: Floats = np.minimum(1.0, np.cumsum(shares[::-1])[::-1])
    return tail
