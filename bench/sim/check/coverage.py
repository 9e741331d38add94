"""Whether the bands of a model hold what they promise, over all scored levels and statistics of a target.

Bands are too narrow if the interval of the share that one of them holds lies below what it should hold, and too wide if
it lies above. The 95 % band is not asked whether it is too wide: so many storms that its misses could be counted are
never measured. Far off is a band that certainly misses more than twice, or less than half of what it should, or that
certainly holds less than half of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

WIDEST: Final = 0.9
"""Bands of more than this are not asked whether they are too wide."""


class Frozen(BaseModel):
    """Part of a result that becomes JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Limits(Frozen):
    """A 95 % interval."""

    low: float
    high: float


class Coverage(Frozen):
    """How many measured values a band of the model holds."""

    level: float
    """The share that it should hold."""
    hits: int
    n: int
    interval: Limits | None
    """Of the share. Of one statistic at one level, and of a table: as if the values were independent. Pooled: from
    resampled blocks; None: too few storms."""


class Bands(Frozen):
    """What the pooled shares say about the bands."""

    word: Literal["hold", "too wide", "too narrow"]
    far: bool
    """Whether they are so far from what they should hold that nothing is explained by them."""
    why: str
    """The bands that are wrong, and what they hold; empty: none is."""


def judge_bands(found: Sequence[Coverage]) -> Bands | None:
    """The word on the pooled shares that bands hold; None: there is none, or there are too few storms."""
    known = [(one, one.interval) for one in found if one.interval is not None]
    if not known:
        return None
    narrow = [(one, held) for one, held in known if held.high < one.level]
    if narrow:
        far = any(_far_below(one.level, held) for one, held in narrow)
        return Bands(word="too narrow", far=far, why=_why([one for one, _ in narrow]))
    wide = [(one, held) for one, held in known if one.level <= WIDEST and held.low > one.level]
    if wide:
        far = any(_far_above(one.level, held) for one, held in wide)
        return Bands(word="too wide", far=far, why=_why([one for one, _ in wide]))
    return Bands(word="hold", far=False, why="")


def _far_below(level: float, held: Limits) -> bool:
    return 1 - held.high > 2 * (1 - level) or held.high < level / 2


def _far_above(level: float, held: Limits) -> bool:
    return 1 - held.low < (1 - level) / 2


def _why(bands: Sequence[Coverage]) -> str:
    return ", ".join(f"the {one.level:.0%} band holds {one.hits / one.n:.0%}" for one in bands)
