"""Exact permutation tests for any number of boots, with ties and with failed boots (``inf``). Pure.

Both are rank tests. Their whole null distribution is computed, neither sampled nor approximated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from bench.analysis.stats import MIN_BOOTS, Floats, Interval, RatioEstimate, median_ratio


def signed_rank(base: Mapping[int, float], other: Mapping[int, float]) -> tuple[float, float]:
    """One-sided p values that ``other`` is larger, and that it is smaller, paired by block.

    Without a difference, the two values of a block can be exchanged, since their order within the block was drawn.
    Then every pattern of signs of the blocks' log ratios is equally likely. The sum of ranks of the positive ones is
    compared with all 2^n patterns. Blocks with equal values, or with both sides cut off, are left out.

    Returns:
        ``(1.0, 1.0)`` when every block is left out; never below 2^-n.
    References: Wilcoxon 1945; Fisher 1935, The Design of Experiments, section 21.
    """
    shared = sorted(base.keys() & other.keys())
    logs = np.array([_log_ratio(base[block], other[block]) for block in shared], dtype=np.float64)
    logs = logs[logs != 0]
    if not len(logs):
        return 1.0, 1.0
    ranks = _double_ranks(np.abs(logs))
    above = _tail_of_signs(tuple(sorted(ranks.tolist())))
    positive = int(ranks[logs > 0].sum())
    return float(above[positive]), float(above[int(ranks.sum()) - positive])


def block_ratio(base: Mapping[int, float], other: Mapping[int, float], *, level: float = 0.95) -> RatioEstimate:
    """The ratio ``other / base`` within a block, with an exact interval (``signed_rank`` inverted).

    The estimate is the Hodges-Lehmann pseudo-median of the blocks' log ratios. What the host does to a whole block
    cancels, which ``stats.median_ratio`` achieves only in part. For two builds of one program both estimate the same
    ratio; for distributions of different shape (a container, an emulated VM) they do not, so reports use
    ``stats.median_ratio``. A block with a boot that was cut off has no ratio; then ``stats.median_ratio`` is returned.

    Args:
        base, other: values above 0 by block, at least 5 blocks that hold both.
        level: of the interval; with 5 blocks no interval covers more than 93.75 %, and the result has that level.

    Raises:
        TooFewBootsError: fewer than 5 blocks hold both.
        ValueError: a value <= 0, or NaN.
    References: Hodges & Lehmann 1963, Estimates of location based on rank tests.
    """
    shared = sorted(base.keys() & other.keys())
    whole = [block for block in shared if math.isfinite(base[block]) and math.isfinite(other[block])]
    if len(whole) < max(len(shared), MIN_BOOTS) or min((min(base[b], other[b]) for b in whole), default=1) <= 0:
        return median_ratio(base, other, level=level)
    logs = np.array([_log_ratio(base[block], other[block]) for block in whole])
    value, low, high, reached = pseudo_median(logs, level)
    ratios = tuple(np.exp(logs).tolist())
    limits = Interval(math.exp(low), math.exp(high), reached)
    return RatioEstimate(math.exp(value), limits, len(whole), len(base.keys() ^ other.keys()), ratios)


def pseudo_median(values: Floats, level: float) -> tuple[float, float, float, float]:
    """The median of the means of all pairs (Walsh averages), its exact limits, and their level; n >= 5."""
    n = len(values)
    rows, columns = np.triu_indices(n)
    means = np.sort((values[rows] + values[columns]) / 2)
    # Doubled ranks without ties: 2, 4, ..., 2n; a sum of k ranks is at index 2k.
    above = _tail_of_signs(tuple(range(2, 2 * n + 1, 2)))[::2]
    outside = above[::-1]  # the chance of a sum of at most k
    depth = max(1, int(np.searchsorted(outside, (1 - level) / 2, side="right")))
    return float(np.median(means)), float(means[depth - 1]), float(means[-depth]), float(1 - 2 * outside[depth - 1])


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
    shares = np.ones(1)
    for rank in ranks:
        # Each rank is in the sum or not; halved each time, so that 2^n never overflows.
        longer = np.zeros(len(shares) + rank)
        longer[: len(shares)] += shares / 2
        longer[rank:] += shares / 2
        shares = longer
    return _tail(shares)


@lru_cache(maxsize=256)
def _tail_of_draws(ranks: tuple[int, ...], count: int) -> Floats:
    """The share of draws of ``count`` boots that reach each sum of ranks."""
    size = sum(ranks[-count:]) + 1
    table = np.zeros((count + 1, size))
    table[0, 0] = 1.0
    for turn, rank in enumerate(ranks):
        for drawn in range(min(turn + 1, count), 0, -1):
            # As probabilities of drawing one after the other: counts of draws would overflow.
            table[drawn, rank:] += table[drawn - 1, : size - rank]
        table /= max(1.0, float(table.max()))
    return _tail(table[count] / table[count].sum())


def _tail(shares: Floats) -> Floats:
    tail: Floats = np.minimum(1.0, np.cumsum(shares[::-1])[::-1])
    return tail
