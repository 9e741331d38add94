"""Bands: how far an answer may be off, from weighted samples of it, and wider on the pessimistic side beyond the data.

A sample is the answer for one draw of the model's parameters and one draw of the noise. Beyond the data the truth is
the sample times ``exp(sd * |z|)`` with a standard normal ``z``: predictions beyond the data were too optimistic in
nearly all published cases (METHOD).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band
from bench.sim.model.draws import weighted_quantile

Floats = NDArray[np.float64]

_STEPS: Final = 32
"""Equally likely values that stand for the half-normal distribution."""
_HALF_NORMAL: Final = np.array([NormalDist().inv_cdf(0.5 + (step + 0.5) / (2 * _STEPS)) for step in range(_STEPS)])


@dataclass(frozen=True, slots=True)
class Widening:
    """Standard deviations of the logarithm of truth over prediction, each for one side; 0: not widened."""

    up: float = 0.0
    """Of quantities that are worse when they are larger: times, CPU time, cost."""
    down: float = 0.0
    """Of quantities that are worse when they are smaller: boxes that fit, boxes per second."""


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
    low80, high80 = band_limits(values, weights, widening, 0.8)
    low95, high95 = band_limits(values, weights, widening, 0.95)
    middle = quantiles(values, weights, (0.5,))[0]
    return Band(middle=middle, low80=low80, high80=high80, low95=low95, high95=high95)


def band_limits(values: Floats, weights: Floats | None, widening: Widening, level: float) -> tuple[float, float]:
    """The ends of the central band that holds ``level`` of the samples, in (0, 1); see ``band_of``."""
    shares = (1 - level) / 2, (1 + level) / 2
    low, high = quantiles(values, weights, shares)
    if widening.up > 0:
        high = quantiles(*_spread(values, weights, widening.up), shares[1:])[0]
    if widening.down > 0:
        low = quantiles(*_spread(values, weights, -widening.down), shares[:1])[0]
    return low, high


def _spread(values: Floats, weights: Floats | None, log_sd: float) -> tuple[Floats, Floats]:
    """Every sample times every value of the half-normal factor; with a negative ``log_sd`` divided by it."""
    factors = np.exp(log_sd * _HALF_NORMAL)
    mass = np.full(len(values), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    return np.outer(values, factors).ravel(), np.repeat(mass, _STEPS)


def ratio_band(others: Floats, bases: Floats, weights: Floats | None, other: Widening, base: Widening) -> Band:
    """The band of others / bases, paired by sample: both sides have the same draw and the same luck.

    What the base's model lacks makes the ratio smaller, what the other's lacks makes it larger. The two are not
    assumed to cancel.
    """
    return band_of(others / bases, weights, Widening(up=other.up + base.down, down=other.down + base.up))
