"""What statistics give: intervals, medians with their intervals, ratios and trends.

Conventions of every module with statistics (``order_statistics``, ``ratios``, ``trends``):
    One value per boot (the boot is the statistical unit).
    ``math.inf`` is a censored value: the boot timed out or failed, so its value is larger than every value seen.
    A missing value (not measured) is left out by the caller. NaN raises ValueError.

Why not the bootstrap: with 5 to 10 boots its percentile interval of a ratio covers 92-97 % and BCa 84-94 % where 95 %
was promised, and intervals made from the ratio in each block (paired t, signed rank, signs) miss the ratio of medians
when one side has two modes: 25-79 % at 40 boots. What is here covers 95-99.8 %, at the price of being up to twice as
wide as the bootstrap's when the host drifts much. ``python -m tests.studies.coverage`` measures all of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.util.errors import TooFewBootsError

MIN_BOOTS: Final = 5
"""Below this, minimum to maximum covers the median with less than 93 %: no interval, no verdict."""

Floats = NDArray[np.float64]
Values = Sequence[float] | Floats


@dataclass(frozen=True)
class Interval:
    """``low`` <= ``high``; ``high`` may be inf (beyond the time limit). ``level``: coverage aimed at, in (0, 1)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True)
class Spread:
    """From the smallest to the largest of what was seen: a range, and no interval of a median.

    Attributes:
        high: may be inf.
        of: the boots of one sitting, or the medians of sittings.
    """

    low: float
    high: float
    of: Literal["boots", "sittings"]


@dataclass(frozen=True)
class Estimate:
    """A median with its interval, as ``bench.analysis.in_order.estimate`` makes it.

    Attributes:
        value: in the unit of the data; inf when the median itself is a censored boot ("beyond the time limit").
        interval: None when ``n`` is below MIN_BOOTS.
        n: boots, censored ones included.
        censored: how many of them are censored.
        spread: shown in place of the interval where that is rough, good for decisions and not as a number; else None.
    """

    value: float
    interval: Interval | None
    n: int
    censored: int = 0
    spread: Spread | None = None

    @property
    def shown(self) -> Interval | Spread | None:
        """What stands beside the median: the spread if there is one, else the interval."""
        return self.spread or self.interval


@dataclass(frozen=True)
class RatioEstimate:
    """The ratio of two medians, other over base.

    Attributes:
        value: >= 0; inf when other's median is censored, 0 when base's is, None when both are.
        n: blocks that held both, or the stored campaigns that B was compared with.
        dropped: blocks that held one side only.
        block_ratios: the raw ratio per block, in block order; empty against stored campaigns. inf or 0 when one side is
            censored; blocks where both are have none.
    """

    value: float | None
    interval: Interval
    n: int
    dropped: int = 0
    block_ratios: Sequence[float] = ()


@dataclass(frozen=True)
class Trend:
    """The relative change from the first block to the last; 0.12 is 12 % more."""

    change: float
    interval: Interval
    n: int


def require_boots(n: int) -> None:
    """Raise TooFewBootsError: ``n`` boots are too few for an interval."""
    if n < MIN_BOOTS:
        raise TooFewBootsError(
            f"an interval of a median needs at least {MIN_BOOTS} boots, there {'is' if n == 1 else 'are'} {n}",
            hint=f"run at least {MIN_BOOTS} blocks; warm-ups and missing values do not count",
        )


def log_values(data: Floats) -> Floats:
    """The natural logarithms, shape as ``data``. Raises ValueError: a value <= 0, or NaN."""
    if np.isnan(data).any() or (data <= 0).any():
        raise ValueError("a ratio needs values above 0, and no NaN")
    logs: Floats = np.log(data)
    return logs
