"""Ratios of two medians with their intervals: of boots that share blocks, and of campaigns that share none.

The conventions are those of ``bench.analysis.estimates``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

import numpy as np

from bench.analysis.estimates import Estimate, Floats, Interval, RatioEstimate, log_values, require_boots
from bench.analysis.order_statistics import sorted_median, sorted_median_interval


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
    require_boots(len(left))
    value, interval = _join(left, right, _trusted_correlation(left, right), level)
    seen = np.isfinite(left) | np.isfinite(right)
    # A quarter of the memory of a tuple: a large campaign has millions.
    ratios = array("d", (right[seen] / left[seen]).tobytes())
    return RatioEstimate(value, interval, len(left), dropped, ratios)


def unpaired_ratio(base: Estimate, other: Estimate) -> RatioEstimate:
    """The ratio of two medians of campaigns without a block in common: other over base, joined as independent.

    ``n`` is the smaller number of boots. The interval is about these two sittings: what differs between sittings as
    such is not in it.

    Raises:
        TooFewBootsError: a side has no interval.
        ValueError: a value or a limit is not above 0, so that there is no ratio.
    """
    require_boots(min(base.n, other.n))
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


def _trusted_correlation(left: Floats, right: Floats) -> float:
    signs = [_signs(side) for side in (left, right)]
    size = math.sqrt(float((signs[0] ** 2).sum() * (signs[1] ** 2).sum()))
    blomqvist = float((signs[0] * signs[1]).sum()) / size if size else 0.0
    return max(0.0, blomqvist - 1 / math.sqrt(len(left)))


def _signs(data: Floats) -> Floats:
    mid = sorted_median(np.sort(data))
    return (data > mid).astype(np.float64) - (data < mid)


def _join(left: Floats, right: Floats, correlation: float, level: float) -> tuple[float | None, Interval]:
    mids = sorted_median(np.sort(left)), sorted_median(np.sort(right))
    limits = tuple(sorted_median_interval(np.sort(log_values(side)), level=level) for side in (left, right))
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
