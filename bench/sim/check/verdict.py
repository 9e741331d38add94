"""The verdict on the predictions for one target.

Let ``limit`` be max(15 %, 1.5 x noise ceiling), and skill that of CRPS, pooled over the scored levels and statistics.
The first rule that holds decides:

1. Fewer than MIN_STORMS storms at every scored level, or no CPU time to compare with: cannot tell. Levels with fewer
   are shown and do not count where others have enough.
2. The error's interval lies above the limit, and the interval of the skill over some baseline lies below 0: worse than
   CPU only if that is the baseline, else wrong, and no better than a baseline.
3. The interval of the skill over CPU only lies above 0: explained to the noise if the error is at most 1.5 x noise
   ceiling, else better than CPU only. Whether the error is within the limit is said beside it.
4. The error is within the limit: CPU explains it. A simulation is not needed for these storms.
5. The interval of the skill over CPU only lies below 0: worse than CPU only.
6. The error's interval lies above the limit: wrong, and no better than a baseline.
7. Else cannot tell, with the number of storms that would.

Published rows have neither storms nor a noise ceiling. Their number is the number of rows, the limit is 15 %, the
error's interval is that of a median over the scored values, skills count as they are, and "explained to the noise" is
out of reach.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bench.analysis.stats import Interval
from bench.sim.check.baselines import CPU_ONLY

MIN_STORMS: Final = 5
MIN_ROWS: Final = 3
"""Of a published table."""
LEAST_LIMIT: Final = 0.15
"""Twenty storms a level repeat their own median to some 10 %, five to 20 %: less could not be told from noise."""
CEILINGS: Final = 1.5
"""How many noise ceilings an error may be."""
MOST_STORMS: Final = 1000
"""Above this no number is given: more storms would not help."""


class Verdict(StrEnum):
    """What the scores say about a target."""

    EXPLAINED = "explained to the noise"
    BETTER = "better than CPU only"
    CPU = "CPU explains it"
    NO_BETTER = "wrong, and no better than a baseline"
    WORSE = "worse than CPU only"
    CANNOT_TELL = "cannot tell"


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
    skill: float | None
    """Over CPU only; None: there is no CPU time."""
    skill_interval: Interval | None
    beaten_by: tuple[str, ...] = ()
    """Baselines over which the skill's interval, or of a table the skill, lies below 0."""

    @property
    def limit(self) -> float:
        """The largest error that is accepted."""
        return max(LEAST_LIMIT, CEILINGS * (self.ceiling or 0.0))


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
    if unknown is not None or evidence.skill is None:
        return unknown or _unknown_cpu()
    low, high = _ends(evidence.skill, evidence.skill_interval)
    if evidence.beaten_by and _is_wrong(evidence):
        return _beaten(evidence)
    if low > 0:
        return _better(evidence)
    if evidence.error <= evidence.limit:
        return Judgement(verdict=Verdict.CPU, why=f"{_beside(evidence)}, but CPU time alone predicts as well")
    if high < 0:
        return Judgement(verdict=Verdict.WORSE, why=f"{_beside(evidence)}; CPU time alone predicts better")
    return _undecided(evidence)


def _beside(evidence: Evidence) -> str:
    return f"the error is {evidence.error:.1%}, and at most {evidence.limit:.1%} is accepted"


def _is_wrong(evidence: Evidence) -> bool:
    """Whether the error is above the limit beyond the chance of the draw."""
    return _ends(evidence.error, evidence.error_interval)[0] > evidence.limit


def _beaten(evidence: Evidence) -> Judgement:
    verdict = Verdict.WORSE if CPU_ONLY in evidence.beaten_by else Verdict.NO_BETTER
    why = f"{_beside(evidence)}; better than the model: {', '.join(evidence.beaten_by)}"
    return Judgement(verdict=verdict, why=why)


def _better(evidence: Evidence) -> Judgement:
    ceiling = evidence.ceiling
    if ceiling is None or evidence.error > CEILINGS * ceiling:
        return Judgement(verdict=Verdict.BETTER, why=_beside(evidence))
    why = f"the error is {evidence.error:.0%}, and one half of the storms predicts the other to {ceiling:.0%}"
    return Judgement(verdict=Verdict.EXPLAINED, why=why)


def _undecided(evidence: Evidence) -> Judgement:
    """Neither better nor worse than CPU only, and the error is too large."""
    if _is_wrong(evidence):
        return Judgement(verdict=Verdict.NO_BETTER, why=_beside(evidence))
    needed = _needed(evidence)
    more = "more storms would not decide it" if needed is None else f"about {needed} storms at each level would decide"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=f"{_beside(evidence)}; {more}", needed=needed)


def _too_little(evidence: Evidence) -> Judgement | None:
    least, name = (MIN_ROWS, "rows to score") if evidence.summary else (MIN_STORMS, "storms at a scored level")
    if evidence.storms >= least:
        return None
    why = f"{evidence.storms} {name}, and at least {least} are needed"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=why, needed=least)


def _unknown_cpu() -> Judgement:
    why = "the CPU time of a start was not measured, so the baseline CPU only is missing"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=why)


def _ends(value: float, interval: Interval | None) -> tuple[float, float]:
    return (value, value) if interval is None else (interval.low, interval.high)


def _needed(evidence: Evidence) -> int | None:
    """How many storms make one of the two intervals so narrow that it decides: widths shrink with the square root."""
    ways = [(evidence.skill or 0.0, evidence.skill_interval), (evidence.error - evidence.limit, None)]
    if evidence.error_interval is not None:
        moved = evidence.error_interval
        shifted = Interval(moved.low - evidence.limit, moved.high - evidence.limit, moved.level)
        ways[1] = (evidence.error - evidence.limit, shifted)
    counts = []
    for distance, interval in ways:
        if interval is not None and distance:
            reach = distance - interval.low if distance > 0 else interval.high - distance
            counts.append(evidence.storms * (reach / distance) ** 2)
    finite = [count for count in counts if math.isfinite(count)]
    found = max(evidence.storms + 1, math.ceil(min(finite))) if finite else MOST_STORMS + 1
    return found if found <= MOST_STORMS else None
