"""The smallest change that a number of boots finds in 95 of 100 runs, simulated with the gate's own rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import chdtri

from bench.analysis.estimates import MIN_BOOTS, Floats
from bench.analysis.exact import block_ratio, pseudo_median, signed_rank
from bench.gate.judge import SeriesPair
from bench.gate.model import APART_LEVEL, LEVEL, POWER

RUNS: Final = 200
ASSURANCE: Final = 0.8
"""Few boots may show too small a spread by chance. The upper limit of its 80 % one-sided interval is used (Browne
1995)."""
MAX_BLOCKS: Final = 500
_STEP: Final = 1.05


@dataclass(frozen=True)
class Spread:
    """The noise of one row in screening: logs of values minus their side's median.

    Attributes:
        a, b: shape (n,) each, in one order, which keeps what the host did to both.
    """

    a: Floats
    b: Floats


def spread_of(series: SeriesPair) -> Spread | None:
    """The spread of a row in screening; None without common blocks, and with fewer than 5 values above 0 per side."""
    if not series.paired:
        return None
    values = [(series.a[block], series.b[block]) for block in sorted(series.a.keys() & series.b.keys())]
    kept = [pair for pair in values if all(math.isfinite(value) and value > 0 for value in pair)]
    if len(kept) < MIN_BOOTS:
        return None
    left, right = (np.log([pair[side] for pair in kept]) for side in (0, 1))
    # Shifted so that the sides are equal by the gate's own estimate, which is not the difference of medians.
    shift = pseudo_median(right - left, 0.95)[0]
    middle = float(np.median(left))
    return Spread(left - middle, right - shift - middle)


def smallest_detectable(
    spread: Spread, n: int, *, threshold: float, family: int, seed: int, level: float = LEVEL
) -> float:
    """The smallest relative worsening that ``n`` blocks find in 95 of 100 runs; inf when they can find none.

    Found means: the whole interval is beyond ``threshold`` and the test is significant in Holm's worst case.

    Args:
        family: number of rows that are tested together.
        level: of the test of all of them.
    """
    each = level / max(1, family)
    if n < MIN_BOOTS or 2.0**-n > each:
        return math.inf
    runs = list(_draws(spread, n, np.random.default_rng((seed, n)), RUNS))
    needed = np.sort(np.array([math.log1p(threshold) - low for _, _, low in runs]))
    shift = max(float(needed[math.ceil(POWER * len(runs)) - 1]), math.log1p(threshold)) + 1e-9
    for _ in range(60):
        # Where A and B seem to drift apart, a change of this size may be "cannot tell".
        if _share_found(runs, shift, threshold, each) * (1 - APART_LEVEL) >= POWER:
            return math.expm1(shift)
        shift *= _STEP
    return math.inf


def blocks_needed(
    spread: Spread, *, detect: float, threshold: float, family: int, seed: int, most: int, level: float = LEVEL
) -> int | None:
    """The fewest blocks that detect a change of ``detect``; None when ``most`` blocks do not."""

    def enough(n: int) -> bool:
        return smallest_detectable(spread, n, threshold=threshold, family=family, seed=seed, level=level) <= detect

    low, high = MIN_BOOTS - 1, MIN_BOOTS
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(most, math.ceil(high * 1.5))
    return _bisect(enough, low, high)


def _bisect(enough: Callable[[int], bool], low: int, high: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _share_found(runs: list[tuple[Floats, Floats, float]], shift: float, threshold: float, level: float) -> float:
    found = 0
    for a, b, low in runs:
        if low + shift > math.log1p(threshold):
            found += signed_rank(_series(a), _series(b + shift))[0] <= level
    return found / len(runs)


def _series(logs: Floats) -> dict[int, float]:
    return dict(enumerate(np.exp(logs).tolist()))


def _draws(spread: Spread, n: int, rng: np.random.Generator, count: int) -> Iterator[tuple[Floats, Floats, float]]:
    """Simulated runs of two equal sides: logs of A and of B, and the log of the interval's lower end."""
    for _ in range(count):
        rows = rng.integers(0, len(spread.a), n)
        a, b = _smooth(spread.a, rows, rng), _smooth(spread.b, rows, rng)
        yield a, b, math.log(block_ratio(_series(a), _series(b)).interval.low)


def _smooth(residuals: Floats, rows: np.ndarray[tuple[int], np.dtype[np.int64]], rng: np.random.Generator) -> Floats:
    """Residuals drawn with replacement and smoothed (Silverman's width), since other values than these few occur."""
    size = float(residuals.std(ddof=1))
    width = 1.06 * len(residuals) ** -0.2
    noise = rng.normal(0.0, width * size, len(rows))
    drawn: Floats = (residuals[rows] + noise) / math.sqrt(1 + width**2) * _caution(len(residuals))
    return drawn


def _caution(n: int) -> float:
    return math.sqrt((n - 1) / float(chdtri(n - 1, ASSURANCE)))
