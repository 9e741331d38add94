"""Bands: how far an answer may be off, from weighted samples of it.

A sample is the answer for one draw of the model's parameters and one draw of the noise. The truth is the sample times
factors that no draw contains, with independent standard normal ``z``:

- ``exp(both * z)``: what the model misses within its data, either way;
- ``exp(either * z)``: errors of predictions up to a few times beyond the data, which were of both signs;
- ``exp(up * |z|)`` or ``exp(-down * |z|)``: what they are more beyond that, on the worse side alone, where predictions
  were too optimistic (METHOD).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band
from bench.sim.model.draws import weighted_quantile

Floats = NDArray[np.float64]

_STEPS: Final = 32
"""Equally likely values that stand for a half-normal distribution."""
_SUMS: Final = 64
"""Equally likely values that stand for a normal distribution, or for the sum of a normal and a half-normal one."""
_HALF_NORMAL: Final = np.array([NormalDist().inv_cdf(0.5 + (step + 0.5) / (2 * _STEPS)) for step in range(_STEPS)])
_NORMAL: Final = np.array([NormalDist().inv_cdf((step + 0.5) / _SUMS) for step in range(_SUMS)])


@dataclass(frozen=True, slots=True)
class Widening:
    """Standard deviations of the logarithm of truth over prediction; 0: not widened."""

    up: float = 0.0
    """One side, of quantities that are worse when they are larger: times, CPU time, cost."""
    down: float = 0.0
    """One side, of quantities that are worse when they are smaller: boxes that fit, boxes per second."""
    both: float = 0.0
    """Both sides: what the model misses within its own data, beyond noise."""
    either: float = 0.0
    """Both sides: errors beyond the data, as far as they were seen to have both signs."""

    @property
    def two_sided(self) -> float:
        """What widens both sides, together."""
        return math.hypot(self.both, self.either)


NOT_WIDENED: Final = Widening()


def quantiles(values: Floats, weights: Floats | None, shares: Sequence[float]) -> tuple[float, ...]:
    """Weighted quantiles, as ``bench.sim.model.draws`` defines them.

    Args:
        values: (samples,) finite, at least one.
        weights: (samples,) not negative, not all 0; equal when None.
        shares: in (0, 1).

    Raises:
        ValueError: no values, or one that is not finite.
    """
    data = np.asarray(values, dtype=np.float64)
    if not data.size or not np.isfinite(data).all():
        raise ValueError("quantiles need values, all of them finite")
    mass = np.full(data.shape, 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    return tuple(weighted_quantile(data, mass, share) for share in shares)


def band_of(values: Floats, weights: Floats | None = None, widening: Widening = NOT_WIDENED) -> Band:
    """The band of samples, in their unit. The middle is their weighted median and is never moved.

    Args:
        values: (samples,) finite; greater than or equal to 0 where the band is widened.
        weights: (samples,) equal when None.
    """
    low95, low80 = _lower(values, weights, widening, (0.025, 0.1))
    high80, high95 = _upper(values, weights, widening, (0.9, 0.975))
    middle = quantiles(values, weights, (0.5,))[0]
    return Band(middle=middle, low80=low80, high80=high80, low95=low95, high95=high95)


def band_limits(values: Floats, weights: Floats | None, widening: Widening, level: float) -> tuple[float, float]:
    """The ends of the central band that holds ``level`` of the samples, in (0, 1); see ``band_of``."""
    (low,) = _lower(values, weights, widening, ((1 - level) / 2,))
    (high,) = _upper(values, weights, widening, ((1 + level) / 2,))
    return low, high


def ratio_band(
    others: Floats,
    bases: Floats,
    weights: Floats | None,
    other: Widening,
    base: Widening,
) -> Band:
    """The band of others / bases, paired by sample: both sides have the same draw and the same luck.

    What the base's model lacks makes the ratio smaller, what the other's lacks makes it larger. The two are not
    assumed to cancel.
    """
    both = math.hypot(other.two_sided, base.two_sided)
    smaller, larger = _factors(other.down + base.up, both), _factors(other.up + base.down, both)
    tops, top_weights = _spread(others, weights, larger)
    bottoms, bottom_weights = _spread(bases, weights, smaller)
    low95, low80 = quantiles(np.repeat(others, len(smaller)) / bottoms, bottom_weights, (0.025, 0.1))
    high80, high95 = quantiles(tops / np.repeat(bases, len(larger)), top_weights, (0.9, 0.975))
    middle = quantiles(others / bases, weights, (0.5,))[0]
    return Band(middle=middle, low80=low80, high80=high80, low95=low95, high95=high95)


def _lower(
    values: Floats,
    weights: Floats | None,
    widening: Widening,
    shares: tuple[float, ...],
) -> tuple[float, ...]:
    return quantiles(*_spread(values, weights, _factors(-widening.down, widening.two_sided)), shares)


def _upper(
    values: Floats,
    weights: Floats | None,
    widening: Widening,
    shares: tuple[float, ...],
) -> tuple[float, ...]:
    return quantiles(*_spread(values, weights, _factors(widening.up, widening.two_sided)), shares)


@lru_cache(maxsize=256)
def _factors(side: float, both: float) -> tuple[float, ...]:
    """Equally likely values of ``exp(side * |z1| + both * z2)``, ascending in ``z2``; only 1 when both are 0."""
    if not both:
        return tuple(np.exp(side * _HALF_NORMAL).tolist()) if side else (1.0,)
    if not side:
        return tuple(np.exp(both * _NORMAL).tolist())
    sums = np.sort(np.add.outer(side * _HALF_NORMAL, both * _NORMAL), axis=None)
    return tuple(np.exp(sums.reshape(_SUMS, -1).mean(axis=1)).tolist())


def _spread(values: Floats, weights: Floats | None, factors: tuple[float, ...]) -> tuple[Floats, Floats | None]:
    """Every sample times every factor."""
    data = np.asarray(values, dtype=np.float64)
    if len(factors) == 1:
        return data, weights
    return np.outer(data, factors).ravel(), _repeated(weights, factors, len(data))


def _repeated(weights: Floats | None, factors: tuple[float, ...], samples: int) -> Floats:
    """(samples x factors,) The weight of each sample times each factor."""
    mass = np.full(samples, 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.repeat(mass, len(factors))
