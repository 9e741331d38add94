"""Do A and B drift apart on their own? A test for positive autocorrelation of the blocks' log ratios. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Floats


class Apart(NamedTuple):
    """The serial correlation of the blocks' log ratios.

    Attributes:
        autocorrelation: of the ranks of neighbouring blocks' ratios, -1 to 1; None with too few or only equal ratios.
        p: one-sided p value of "the order of the ratios is random".
    """

    autocorrelation: float | None = None
    p: float | None = None


_MOST_CORRELATED: Final = 0.97


def apart_of(ratios: Sequence[float]) -> Apart:
    """Bartels' rank version of von Neumann's ratio. What the host does to a whole block has dropped out of the ratios.

    Blocks in which A timed out are left out. A block in which B did has the ratio that makes the order look most
    random: what it was is not known, and a time-out of B must not hide a regression. With more than one nothing can be
    told.

    Args:
        ratios: B to A in each block, in the order of the blocks; ``inf`` where B timed out, 0 where A did.

    References: Bartels 1982, The rank version of von Neumann's ratio test for randomness.
    """
    found = np.array(ratios, dtype=np.float64)
    logs = np.log(found[found > 0])
    lost = np.flatnonzero(np.isinf(logs))
    if not len(lost):
        return _bartels(logs)
    known = np.unique(logs[np.isfinite(logs)])
    if len(lost) > 1 or not len(known):
        return Apart()
    places = np.unique([*known, *((known[1:] + known[:-1]) / 2), known[0] - 1, known[-1] + 1])
    tried = [_bartels(np.where(np.isinf(logs), place, logs)) for place in places]
    return max(tried, key=lambda one: -1.0 if one.p is None else one.p)


def level_under_drift(found: Apart, n: int, *, level: float = 0.95) -> float:
    """The level to ask of an interval of independent ratios, so that it is wide enough for correlated ones.

    Args:
        found: with an autocorrelation.
        n: number of blocks.
    """
    reach = NormalDist().inv_cdf((1 + level) / 2) * widening_under_drift(found, n)
    return math.erf(reach / math.sqrt(2))


def widening_under_drift(found: Apart, n: int) -> float:
    """How many times as wide an interval of ``n`` correlated ratios must be as that of independent ones; at least 1.

    With the autocorrelation r, n ratios say as much as n (1 - r) / (1 + r) independent ones. The upper limit of r is
    used (one-sided, 95 %), after the bias of an estimate from few blocks has been added.
    """
    seen = max(0.0, found.autocorrelation or 0.0)
    upper = seen + (1 + 3 * seen) / n + 1.645 * math.sqrt(max(0.0, 1 - seen**2) / n)
    r = min(upper, _MOST_CORRELATED)
    return math.sqrt((1 + r) / (1 - r))


def _bartels(logs: Floats) -> Apart:
    _, inverse, counts = np.unique(logs, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = len(ranks)
    spread = float(((ranks - ranks.mean()) ** 2).sum()) if n else 0.0
    if n < MIN_BOOTS or not spread:
        return Apart()
    ratio = float((np.diff(ranks) ** 2).sum()) / spread
    variance = 4 * (n - 2) * (5 * n**2 - 2 * n - 9) / (5 * n * (n + 1) * (n - 1) ** 2)
    return Apart(1 - ratio / 2, math.erfc((2 - ratio) / math.sqrt(2 * variance)) / 2)
