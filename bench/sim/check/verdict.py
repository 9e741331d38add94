"""The verdict on the predictions for one target.

Let ``limit`` be max(15 %, 1.5 x noise ceiling), and skills those of CRPS, pooled over the scored levels and statistics.
The first rule that holds decides:

1. Fewer than MIN_STORMS storms at every scored level, or no CPU time to compare with: cannot tell. Levels with fewer
   are shown and do not count where others have enough.
2. The error's interval lies above the limit, and the interval of the skill over some baseline lies below 0: worse than
   CPU only if that is among them, else wrong, and no better than a baseline.
3. The intervals of the skills over all baselines lie above LEAST_SKILL (that over ``constant`` is not asked for):
   better than CPU only, and too far off if the error is above the limit or the bands are far too narrow
   (``bench.sim.check.coverage``); explained to the noise if the error is at most 1.5 x noise ceiling and the bands are
   not far too wide; else better than CPU only.
4. The error is within the limit: CPU explains it if the skill over one of the baselines that know CPU time alone is not
   above LEAST_SKILL, else a line explains it. A simulation is not needed for these storms.
5. The interval of the skill over CPU only lies below 0: worse than CPU only.
6. The error's interval lies above the limit: wrong, and no better than a baseline.
7. Else cannot tell, with the number of storms that would.

Published rows have neither storms nor a noise ceiling. Their number is the number of rows, the limit is 15 %, the
error's interval is that of a median over the scored values, skills count as they are, and "explained to the noise" is
out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.analysis.stats import Interval
from bench.sim.check.baselines import CONSTANT, CPU_ONLY, CPU_TIME
from bench.sim.check.coverage import Bands

MIN_STORMS: Final = 5
MIN_ROWS: Final = 3
"""Of a published table."""
LEAST_LIMIT: Final = 0.15
"""Twenty storms a level repeat their own median to some 10 %, five to 20 %: less could not be told from noise."""
CEILINGS: Final = 1.5
"""How many noise ceilings an error may be."""
LEAST_SKILL: Final = 0.05
"""Two finite samples of one predictive distribution may differ by some hundredths, whatever the number of storms."""
MOST_STORMS: Final = 1000
"""Above this no number is given: more storms would not help."""


class Verdict(StrEnum):
    """What the scores say about a target."""

    EXPLAINED = "explained to the noise"
    BETTER = "better than CPU only"
    CPU = "CPU explains it"
    LINE = "a line explains it"
    TOO_FAR = "better than CPU only, and too far off"
    NO_BETTER = "wrong, and no better than a baseline"
    WORSE = "worse than CPU only"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Over:
    """The pooled skill over one baseline."""

    baseline: str
    value: float
    interval: Interval | None
    """None: rows of a table."""

    @property
    def low(self) -> float:
        """The lower end of what it may be."""
        return self.value if self.interval is None else self.interval.low

    @property
    def high(self) -> float:
        """The upper end of what it may be."""
        return self.value if self.interval is None else self.interval.high


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the verdict is made from."""

    storms: int
    """Of the scored level with the fewest; of a table the number of its scored rows."""
    summary: bool
    """Whether the scored values are rows of a table."""
    error: float
    """The median over scored levels and statistics of their median relative errors."""
    error_interval: Interval | None
    ceiling: float | None
    skills: tuple[Over, ...]
    """Over each baseline that there is. Without CPU only, the CPU time of a start was not measured."""
    far: Bands | None = None
    """The bands, if they are far from holding what they promise."""

    @property
    def limit(self) -> float:
        """The largest error that is accepted."""
        return max(LEAST_LIMIT, CEILINGS * (self.ceiling or 0.0))

    @property
    def is_wrong(self) -> bool:
        """Whether the error is above the limit beyond the chance of the draw."""
        low = self.error if self.error_interval is None else self.error_interval.low
        return low > self.limit

    @property
    def required(self) -> tuple[Over, ...]:
        """The baselines that a model must be better than, which explains more than CPU time does."""
        return tuple(one for one in self.skills if one.baseline != CONSTANT)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its reason."""

    verdict: Verdict
    why: str
    """One sentence."""
    needed: int | None = None
    """Storms at each scored level that would decide; None: decided, or no number would."""


def judge(evidence: Evidence) -> Judgement:
    """The verdict by the rules above."""
    unknown = _too_little(evidence)
    if unknown is not None:
        return unknown
    beaten_by = [one.baseline for one in evidence.skills if one.high < 0]
    equal = [one.baseline for one in evidence.required if one.low <= LEAST_SKILL]
    if beaten_by and evidence.is_wrong:
        return _beaten(evidence, beaten_by)
    if not equal:
        return _better(evidence)
    if evidence.error <= evidence.limit:
        return _needless(evidence, equal)
    if CPU_ONLY in beaten_by:
        return Judgement(verdict=Verdict.WORSE, why=f"{_beside(evidence)}; CPU time alone predicts better")
    return _undecided(evidence, equal)


def _beside(evidence: Evidence) -> str:
    return f"the error is {evidence.error:.1%}, and at most {evidence.limit:.1%} is accepted"


def _names(baselines: Iterable[str]) -> str:
    return ", ".join(baselines)


def _beaten(evidence: Evidence, beaten_by: list[str]) -> Judgement:
    verdict = Verdict.WORSE if CPU_ONLY in beaten_by else Verdict.NO_BETTER
    return Judgement(verdict=verdict, why=f"{_beside(evidence)}; better than the model: {_names(beaten_by)}")


def _better(evidence: Evidence) -> Judgement:
    ceiling, far = evidence.ceiling, evidence.far
    beside = _beside(evidence) if far is None else f"{_beside(evidence)}; bands are far {far.word}: {far.why}"
    if evidence.error > evidence.limit or (far is not None and far.word == "too narrow"):
        return Judgement(verdict=Verdict.TOO_FAR, why=beside)
    if ceiling is None or evidence.error > CEILINGS * ceiling or far is not None:
        return Judgement(verdict=Verdict.BETTER, why=beside)
    why = f"the error is {evidence.error:.0%}, and one half of the storms predicts the other to {ceiling:.0%}"
    return Judgement(verdict=Verdict.EXPLAINED, why=why)


def _needless(evidence: Evidence, equal: list[str]) -> Judgement:
    """The error is small enough, and so is that of something simpler."""
    verdict = Verdict.CPU if set(equal) & set(CPU_TIME) else Verdict.LINE
    return Judgement(verdict=verdict, why=f"{_beside(evidence)}, but as good as the model: {_names(equal)}")


def _undecided(evidence: Evidence, equal: list[str]) -> Judgement:
    """Neither better nor worse than CPU only, and the error is too large."""
    if evidence.is_wrong:
        why = f"{_beside(evidence)}; as good as the model: {_names(equal)}"
        return Judgement(verdict=Verdict.NO_BETTER, why=why)
    if evidence.summary:
        why = f"{_beside(evidence)}; a table with more rows may decide"
        return Judgement(verdict=Verdict.CANNOT_TELL, why=why)
    needed = _needed(evidence)
    more = "more storms would not decide it" if needed is None else f"about {needed} storms at each level would decide"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=f"{_beside(evidence)}; {more}", needed=needed)


def _too_little(evidence: Evidence) -> Judgement | None:
    least, name = (MIN_ROWS, "rows to score") if evidence.summary else (MIN_STORMS, "storms at a scored level")
    if evidence.storms < least:
        why = f"{evidence.storms} {name}, and at least {least} are needed"
        return Judgement(verdict=Verdict.CANNOT_TELL, why=why, needed=least)
    if all(one.baseline != CPU_ONLY for one in evidence.skills):
        why = "the CPU time of a start was not measured, so the baseline CPU only is missing"
        return Judgement(verdict=Verdict.CANNOT_TELL, why=why)
    return None


def _needed(evidence: Evidence) -> int | None:
    """How many storms make one of the intervals so narrow that it decides: widths shrink with the square root."""
    least = min(evidence.required, key=lambda one: one.low)
    ways = [(least.value, least.interval)]
    if evidence.error_interval is not None:
        moved = evidence.error_interval
        shifted = Interval(moved.low - evidence.limit, moved.high - evidence.limit, moved.level)
        ways.append((evidence.error - evidence.limit, shifted))
    counts = []
    for distance, interval in ways:
        if interval is not None and distance:
            reach = distance - interval.low if distance > 0 else interval.high - distance
            counts.append(evidence.storms * (reach / distance) ** 2)
    finite = [count for count in counts if math.isfinite(count)]
    found = max(evidence.storms + 1, math.ceil(min(finite))) if finite else MOST_STORMS + 1
    return found if found <= MOST_STORMS else None
