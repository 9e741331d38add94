"""Weighted draws: quantiles, and the precision with which a model file states numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-9
"""Sums of weights differ by less than this through rounding alone."""


def weighted_quantile(values: Sequence[float] | Floats, weights: Sequence[float] | Floats, share: float) -> float:
    """The least value with at least ``share`` of the weight at or below it.

    Args:
        values: at least one, finite or not.
        weights: as many, each at least 0, with a sum above 0.
        share: in [0, 1].
    """
    data, mass = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    order = np.argsort(data, kind="stable")
    passed = np.cumsum(mass[order]) / mass.sum()
    return float(data[order[min(int(np.searchsorted(passed, share - _ROUNDING)), len(data) - 1)]])


def weighted_median(values: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> float:
    """The least value with at least half of the weight at or below it."""
    return weighted_quantile(values, weights, 0.5)


def weighted_sd(values: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> float:
    """The standard deviation of weighted values around their weighted mean."""
    data, mass = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    middle = np.average(data, weights=mass)
    return float(np.sqrt(np.average((data - middle) ** 2, weights=mass)))


def written(value: float) -> float:
    """The value as a model file states it: six significant digits."""
    return float(f"{value:.6g}")
