"""B against stored campaigns: how far may a campaign of another day be off without a change? Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.analysis.estimates import MIN_BOOTS, Interval, RatioEstimate
from bench.analysis.order_statistics import median, median_interval
from bench.util.errors import TooFewBootsError

LEAST_CAMPAIGNS: Final = 3
"""With two, the interval of a third is 18 standard deviations wide to each side."""
_NORMAL_95: Final = 1.96


class FewCampaignsError(Exception):
    """Too few stored campaigns to tell a change of B from a change of the host.

    Attributes:
        ratio: of B's median to that of the baseline, without an interval; None where there is none.
    """

    def __init__(self, campaigns: int, ratio: float | None) -> None:
        self.ratio = ratio
        self.message = (
            f"{campaigns} stored {'campaign does' if campaigns == 1 else 'campaigns do'} not show how much this host "
            f"differs from day to day: give --baseline at least {LEAST_CAMPAIGNS} times, with campaigns of different "
            "times, or compare A and B in one run"
        )
        super().__init__(self.message)


def campaigns_ratio(
    stored: Sequence[Sequence[float]], now: Sequence[float], *, level: float = 0.95
) -> tuple[RatioEstimate, float, float]:
    """The ratio of the median of ``now`` to the geometric mean of the stored medians, and p values as ``signed_rank``.

    Every campaign is one observation, its log median. The interval is that of Student's prediction of one more
    observation: it holds when ``now`` is as far from the stored campaigns as these are from each other. Their standard
    deviation counts as at least the standard error of ``now``'s own median.

    Args:
        stored: boots by campaign, at least ``MIN_BOOTS`` each.

    Raises:
        FewCampaignsError: fewer than ``LEAST_CAMPAIGNS`` campaigns.
        TooFewBootsError: a campaign has fewer boots.
        ValueError: a median is 0 or beyond the time limit.
    """
    medians = np.array([median(values) for values in stored if values])
    here = median(now)
    possible = bool(len(medians)) and bool(np.isfinite(medians).all() and (medians > 0).all()) and 0 < here < math.inf
    value = here / float(np.exp(np.log(medians).mean())) if possible else None
    if len(medians) < LEAST_CAMPAIGNS:
        raise FewCampaignsError(len(medians), value)
    least = min(map(len, (*(values for values in stored if values), now)))
    if least < MIN_BOOTS:
        raise TooFewBootsError(f"a campaign has {least} boots; at least {MIN_BOOTS} are needed", hint="run more blocks")
    if value is None:
        raise ValueError("a median is 0 or beyond the time limit")
    own = median_interval(now)
    error = math.log(min(own.high, 1e300) / max(own.low, 1e-300)) / (2 * _NORMAL_95)
    degrees = len(medians) - 1
    scale = max(float(np.log(medians).std(ddof=1)), error) * math.sqrt(1 + 1 / len(medians))
    reach = float(stdtrit(degrees, (1 + level) / 2)) * scale
    limits = Interval(value * math.exp(-reach), value * math.exp(reach), level)
    tail = 0.5 if not scale else float(stdtr(degrees, -abs(math.log(value)) / scale))
    larger, smaller = (tail, 1 - tail) if value >= 1 else (1 - tail, tail)
    return RatioEstimate(value, limits, len(medians)), larger, smaller
