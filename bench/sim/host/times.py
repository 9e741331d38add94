"""Times of boxes since the first request, and bands of them where requests come on a schedule.

The model's errors make starts longer or shorter. At once all times of a storm are multiplied by the same factor, and so
are the samples of ``bench.sim.answer.bands``. With a schedule the request stays where it is, and longer starts pile up
behind each other. So every sample is simulated again with the luck of its boxes multiplied by the factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.analysis.storms import reached_by
from bench.sim.answer.answer import Band
from bench.sim.answer.bands import Floats, Widening, band_of, quantiles, ratio_band
from bench.sim.answer.rest import Rest
from bench.sim.engine.rng import uniforms

UPPER: Final = ".upper"
"""After the name of a number: with errors of the model that make it longer, too."""
LOWER: Final = ".lower"
"""After the name of a number: with errors of the model that make it shorter, too."""
PURPOSE: Final = 0x4103
"""Of the model's errors in one sample; see ``bench.sim.engine.rng``."""


@dataclass(frozen=True, kw_only=True)
class Errors:
    """What the model's errors multiply all times of a sample by."""

    wide: Widening
    seed: int
    label: str
    """Of the host: errors of two hosts are independent."""

    def of(self, trial: int) -> tuple[float, float]:
        """The factor of the band's lower and of its upper side. Both have the same error of either sign."""
        first, second = ndtri(uniforms(self.seed, PURPOSE, crc32(self.label.encode()), np.arange(2) + 2 * trial))
        both = self.wide.two_sided * float(first)
        one_sided = abs(float(second))
        return float(np.exp(both - self.wide.down * one_sided)), float(np.exp(both + self.wide.up * one_sided))


def with_errors(
    numbers: Callable[[float], Mapping[str, float]], errors: Errors, trial: int, *, at_once: bool
) -> dict[str, float]:
    """The numbers of one sample; with a schedule also of both sides of their bands, under ``LOWER`` and ``UPPER``.

    Args:
        numbers: of the sample whose times are all multiplied by this.
    """
    plain = dict(numbers(1.0))
    if at_once:
        return plain
    lower, upper = errors.of(trial)
    low = numbers(lower)
    high = low if upper == lower else numbers(upper)
    return (
        plain
        | {name + LOWER: value for name, value in low.items()}
        | {name + UPPER: value for name, value in high.items()}
    )


def ranked(up_ns: NDArray[np.float64], shares: Mapping[str, float]) -> dict[str, float]:
    """By name of ``shares``: when so many boxes were up, ns since the first request of all.

    Args:
        up_ns: (boxes,) when each is up, since the first request.
        shares: of the boxes, in [0, 1]; 0 is the first one.
    """
    order = np.sort(up_ns, kind="stable")
    return {name: float(order[int(reached_by(range(len(order)), share))]) for name, share in shares.items()}


def time_band(samples: Mapping[str, Floats], name: str, weights: Floats, widening: Widening) -> Band:
    """The band of one number: of samples that were simulated with the model's errors where there are some, else as
    ``band_of`` widens it. The middle is that of the samples without errors.

    Args:
        samples: by name, (samples,).
    """
    if name + UPPER not in samples:
        return band_of(samples[name], weights, widening)
    return _band(samples[name], samples[name + LOWER], samples[name + UPPER], weights)


def time_ratio(
    others: Mapping[str, Floats],
    bases: Mapping[str, Floats],
    name: str,
    weights: Floats,
    other: Widening,
    base: Widening,
) -> Band:
    """The band of a ratio of one number of two answers with the same luck and independent errors; see ``time_band``.

    Args:
        others: with errors where ``bases`` have them: both have one schedule.
    """
    if name + UPPER not in others:
        return ratio_band(others[name], bases[name], weights, other, base)
    return _band(
        others[name] / bases[name],
        others[name + LOWER] / bases[name + UPPER],
        others[name + UPPER] / bases[name + LOWER],
        weights,
    )


def _band(plain: Floats, lower: Floats, upper: Floats, weights: Floats) -> Band:
    """The middle of ``plain`` with the ends of the others: errors never move an end across the middle."""
    (middle,) = quantiles(plain, weights, (0.5,))
    low95, low80 = (min(middle, one) for one in quantiles(lower, weights, (0.025, 0.1)))
    high80, high95 = (max(middle, one) for one in quantiles(upper, weights, (0.9, 0.975)))
    return Band(middle=middle, low80=low80, high80=high80, low95=low95, high95=high95)


def time_rest(samples: Mapping[str, Floats], name: str, replications: int, widening: Widening) -> Rest:
    """What is open in one number of ``ranked`` besides the parameters."""
    return Rest(
        samples=samples[name], replications=replications, widening=widening, with_errors=samples.get(name + UPPER)
    )
