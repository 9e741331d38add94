"""Do the sittings of a campaign disagree about a ratio? Its interval takes the blocks of all sittings as one sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Floats
from bench.analysis.paired import Pairing
from bench.analysis.results import MetricSeries

LEVEL: Final = 0.01
"""The chance of a note where the sittings do not differ."""


def sittings_note(base: MetricSeries, other: MetricSeries, at: Pairing) -> str:
    """A note where the ratios within blocks differ between sittings; empty where they do not, or cannot be told.

    A sitting needs 5 blocks with values above 0 on both sides.
    """
    # Most campaigns have one, and a hundred metrics of thousands of boots.
    if other.boots[0].sitting == other.boots[-1].sitting:
        return ""
    groups = _log_ratios(base, other, at)
    if len(groups) < 2 or kruskal_wallis(groups) > LEVEL:
        return ""
    seen = ", ".join(f"{math.exp(float(np.median(logs))):.3g}" for logs in groups)
    return f"the ratio differs between sittings ({seen}): its interval is about these, and another may lie outside"


def kruskal_wallis(groups: Sequence[Sequence[float] | Floats]) -> float:
    """The p value of "all groups are of one law", by ranks; 1 where all values are equal. Two or more groups.

    References: Kruskal & Wallis 1952, Use of ranks in one-criterion variance analysis.
    """
    from scipy.special import chdtrc  # noqa: PLC0415 - takes a tenth of a second, for several sittings only

    _, inverse, counts = np.unique(np.concatenate(groups), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, spread = len(ranks), float(((ranks - ranks.mean()) ** 2).sum())
    if not spread:
        return 1.0
    parts = np.split(ranks, np.cumsum([len(group) for group in groups])[:-1])
    between = sum(len(part) * (float(part.mean()) - (n + 1) / 2) ** 2 for part in parts)
    return float(chdtrc(len(parts) - 1, (n - 1) * between / spread))


def _log_ratios(base: MetricSeries, other: MetricSeries, at: Pairing) -> list[Floats]:
    """By sitting; without blocks whose two boots are of different sittings."""
    sittings = other.boots.sittings[at.other]
    mine, theirs = base.measured_values()[at.base], other.measured_values()[at.other]
    usable = (
        (base.boots.sittings[at.base] == sittings) & (mine > 0) & (theirs > 0) & np.isfinite(mine) & np.isfinite(theirs)
    )
    logs = np.log(theirs[usable]) - np.log(mine[usable])
    groups = [logs[sittings[usable] == sitting] for sitting in dict.fromkeys(sittings[usable].tolist())]
    return [group for group in groups if len(group) >= MIN_BOOTS]
