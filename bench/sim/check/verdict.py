"""The verdict on the predictions for one target.

Let ``limit`` be max(15 %, 1.5 x noise ceiling), at most 30 %, and skills those of CRPS, pooled over the scored levels
and times. The error is within the limit if the pooled one is, and that at each of the largest levels: those that no
other scored level exceeds in boxes and residents. It is certainly above the limit if the interval of one of them is. A
baseline is certainly better if the skill over it is below -LEAST_SKILL and its interval lies below 0. The first rule
that holds decides:

1. Fewer than MIN_STORMS storms at every scored level, or no CPU time to compare with: cannot tell. Levels with fewer
   are shown and do not count where others have enough.
2. CPU only is certainly better: worse than CPU only, however small the error is.
3. An error is above 30 % and within 1.5 x noise ceiling: cannot tell. These storms do not repeat themselves.
4. Another baseline is certainly better: wrong, and no better than a baseline, if the error is certainly above the
   limit. Within the limit that baseline explains the storms: CPU if it is among those that know CPU time, else a line,
   else a constant. Else cannot tell.
5. The intervals of the skills over all baselines lie above LEAST_SKILL (that over ``constant`` is asked for only where
   boxes of a scored level were not requested all at once, since they may not meet at all): better than CPU only, and
   too far off if the error is not within the limit or the bands are far too narrow (``bench.sim.check.coverage``);
   explained to the noise if the error is at most 1.5 x noise ceiling, pooled and at the largest levels, and the bands
   are not far too wide; else better than CPU only.
6. The error is within the limit: CPU explains it if the skill over one of the baselines that know CPU time alone is not
   above LEAST_SKILL, else a line explains it, else a constant. A simulation is not needed for these storms.
7. The error is certainly above the limit: wrong, and no better than a baseline.
8. Else cannot tell, with the number of storms that would.

Where the fit doubts a target (its ``warnings``), no verdict is better than cannot tell: what its data show and the
model cannot say makes the CPU time of a single start, and so the baselines, a poor measure.

Published rows have neither storms nor a noise ceiling. Their number is the number of rows, the limit is 15 %, the
error's interval is that of a median over the scored values, errors of one level count as they are, a baseline is
certainly better if the skill is below -LEAST_SKILL, and "explained to the noise" is out of reach.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bench.analysis.estimates import Interval
from bench.sim.check.baselines import CONSTANT, CPU_ONLY, CPU_TIME, LINE
from bench.sim.check.coverage import Bands

MIN_STORMS: Final = 5
MIN_ROWS: Final = 3
"""Of a published table."""
LEAST_LIMIT: Final = 0.15
"""Twenty storms a level repeat their own median to some 10 %, five to 20 %: less could not be told from noise."""
CEILINGS: Final = 1.5
"""How many noise ceilings an error may be."""
LEAST_SKILL: Final = 0.05
"""Two finite samples of one predictive distribution may differ by some hundredths, either way, whatever the number of
storms."""
MOST_LIMIT: Final = 0.3
"""Whatever the noise: nobody would call a larger error small. Storms that need more have several states in them."""
MOST_STORMS: Final = 1000
"""Above this no number is given: more storms would not help."""


class Verdict(StrEnum):
    """What the scores say about a target."""

    EXPLAINED = "explained to the noise"
    BETTER = "better than CPU only"
    CPU = "CPU explains it"
    LINE = "a line explains it"
    CONSTANT = "a constant explains it"
    TOO_FAR = "better than CPU only, and too far off"
    NO_BETTER = "wrong, and no better than a baseline"
    WORSE = "worse than CPU only"
    CANNOT_TELL = "cannot tell"


def limit_of(ceiling: float | None) -> float:
    """The largest error that is accepted beside a noise ceiling."""
    return min(max(LEAST_LIMIT, CEILINGS * (ceiling or 0.0)), MOST_LIMIT)


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
    def is_better(self) -> bool:
        """Whether the baseline is certainly better than the model."""
        return self.value < -LEAST_SKILL and (self.interval is None or self.interval.high < 0)


@dataclass(frozen=True, kw_only=True)
class Miss:
    """The error of the predictions, over some storms."""

    of: str
    """The level in words; empty: pooled over all."""
    error: float
    """The median over levels and statistics of their median relative errors."""
    interval: Interval | None
    """None: too few storms, or rows of a table."""
    ceiling: float | None

    @property
    def limit(self) -> float:
        """The largest error that is accepted."""
        return limit_of(self.ceiling)

    @property
    def is_over(self) -> bool:
        """Whether the error is above the limit."""
        return self.error > self.limit

    @property
    def is_wrong(self) -> bool:
        """Whether the error is above the limit beyond the chance of the draw."""
        return (self.error if self.interval is None else self.interval.low) > self.limit

    @property
    def is_noise(self) -> bool:
        """Whether the error is that of the storms themselves."""
        return self.ceiling is not None and self.error <= CEILINGS * self.ceiling

    @property
    def is_hidden(self) -> bool:
        """Whether it is above the limit, and would be noise without MOST_LIMIT."""
        return self.is_over and self.is_noise

    def __str__(self) -> str:
        where = "the error is" if not self.of else f"at {self.of} it is"
        return f"{where} {self.error:.1%}, and at most {self.limit:.1%} is accepted"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the verdict is made from."""

    storms: int
    """Of the scored level with the fewest; of a table the number of its scored rows."""
    summary: bool
    """Whether the scored values are rows of a table."""
    pooled: Miss
    """Over all scored levels and times."""
    largest: tuple[Miss, ...] = ()
    """Of each largest level."""
    skills: tuple[Over, ...]
    """Over each baseline that there is. Without CPU only, the CPU time of a start was not measured."""
    far: Bands | None = None
    """The bands, if they are far from holding what they promise."""
    staggered: bool = False
    """Whether boxes of a scored level were not requested all at once."""

    @property
    def misses(self) -> tuple[Miss, ...]:
        """All errors that must be within their limits."""
        return (self.pooled, *self.largest)

    @property
    def is_over(self) -> bool:
        """Whether an error is above its limit."""
        return any(one.is_over for one in self.misses)

    @property
    def is_wrong(self) -> bool:
        """Whether an error is certainly above its limit."""
        return any(one.is_wrong for one in self.misses)

    @property
    def required(self) -> tuple[Over, ...]:
        """The baselines that a model must be better than, which explains more than CPU time does."""
        return tuple(one for one in self.skills if self.staggered or one.baseline != CONSTANT)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict with its reason."""

    verdict: Verdict
    why: str
    """One sentence."""
    needed: int | None = None
    """Storms at each scored level that would decide; None: decided, or no number would."""
    beaten_by: tuple[str, ...] = ()
    """Baselines that are certainly better than the model."""
    as_good: tuple[str, ...] = ()
    """Baselines that may be as good as the model."""


def judge(evidence: Evidence) -> Judgement:
    """The verdict by the rules above."""
    unknown = _too_little(evidence)
    if unknown is not None:
        return unknown
    beaten_by = tuple(one.baseline for one in evidence.skills if one.is_better)
    hidden = [one for one in evidence.misses if one.is_hidden]
    if hidden and CPU_ONLY not in beaten_by:
        return _hidden(hidden, beaten_by)
    if beaten_by:
        return _beaten(evidence, beaten_by)
    equal = [one.baseline for one in evidence.required if one.low <= LEAST_SKILL]
    if not equal:
        return _better(evidence)
    if not evidence.is_over:
        why = f"{_beside(evidence)}, but as good as the model: {_names(equal)}"
        return Judgement(verdict=_explained_by(equal), why=why, as_good=tuple(equal))
    return replace(_undecided(evidence, f"as good as the model: {_names(equal)}"), as_good=tuple(equal))


def doubted(found: Judgement) -> Judgement:
    """What is left of a verdict on a target that the fit doubts."""
    if found.verdict in (Verdict.WORSE, Verdict.NO_BETTER, Verdict.CANNOT_TELL):
        return found
    why = f"{found.why}; but the fit doubts this target, so its errors here say nothing of other storms"
    return replace(found, verdict=Verdict.CANNOT_TELL, why=why)


def _hidden(hidden: Sequence[Miss], beaten_by: tuple[str, ...]) -> Judgement:
    """Storms that repeat themselves so badly that no error of theirs can be called small or large."""
    told = "; ".join(
        f"{one}, though one half of these storms predicts the other only to {one.ceiling:.0%}" for one in hidden
    )
    why = f"{told}: look for several states of the host among them"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=why, beaten_by=beaten_by)


def _beside(evidence: Evidence) -> str:
    """The pooled error, and those at the largest levels that are above their limit."""
    return "; ".join(str(one) for one in evidence.misses if one is evidence.pooled or one.is_over)


def _names(baselines: Iterable[str]) -> str:
    return ", ".join(baselines)


def _explained_by(baselines: Sequence[str]) -> Verdict:
    """What explains the storms if these baselines are as good as the model, or better."""
    if set(baselines) & set(CPU_TIME):
        return Verdict.CPU
    return Verdict.LINE if LINE in baselines else Verdict.CONSTANT


def _beaten(evidence: Evidence, beaten_by: tuple[str, ...]) -> Judgement:
    """A baseline is certainly better."""
    better = f"better than the model: {_names(beaten_by)}"
    if CPU_ONLY in beaten_by:
        found = Judgement(verdict=Verdict.WORSE, why=f"{_beside(evidence)}; {better}")
    elif evidence.is_over:
        found = _undecided(evidence, better)
    else:
        found = Judgement(verdict=_explained_by(beaten_by), why=f"{_beside(evidence)}, but {better}")
    return replace(found, beaten_by=beaten_by)


def _better(evidence: Evidence) -> Judgement:
    far = evidence.far
    beside = _beside(evidence) if far is None else f"{_beside(evidence)}; bands are far {far.word}: {far.why}"
    if evidence.is_over or (far is not None and far.word == "too narrow"):
        return Judgement(verdict=Verdict.TOO_FAR, why=beside)
    if far is not None or not all(one.is_noise for one in evidence.misses):
        return Judgement(verdict=Verdict.BETTER, why=beside)
    error, ceiling = evidence.pooled.error, evidence.pooled.ceiling or 0.0
    why = f"the error is {error:.0%}, and one half of the storms predicts the other to {ceiling:.0%}"
    return Judgement(verdict=Verdict.EXPLAINED, why=why)


def _undecided(evidence: Evidence, beside: str) -> Judgement:
    """The error is too large, and the model is no better than something simpler."""
    if evidence.is_wrong:
        return Judgement(verdict=Verdict.NO_BETTER, why=f"{_beside(evidence)}; {beside}")
    if evidence.summary:
        why = f"{_beside(evidence)}; {beside}; a table with more rows may decide"
        return Judgement(verdict=Verdict.CANNOT_TELL, why=why)
    needed = _needed(evidence)
    more = "more storms would not decide it" if needed is None else f"about {needed} storms at each level would decide"
    return Judgement(verdict=Verdict.CANNOT_TELL, why=f"{_beside(evidence)}; {beside}; {more}", needed=needed)


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
    # However narrow the interval of a skill in between is, neither is better.
    between = 0 <= least.value <= LEAST_SKILL
    ways = [] if between else [_way(least.value, least.interval, LEAST_SKILL if least.value > 0 else 0.0)]
    for one in evidence.misses:
        if one.interval is not None and one.is_over:
            ways.append(_way(one.error, one.interval, one.limit))
    counts = []
    for distance, interval in ways:
        if interval is not None and distance:
            reach = distance - interval.low if distance > 0 else interval.high - distance
            counts.append(evidence.storms * (reach / distance) ** 2)
    finite = [count for count in counts if math.isfinite(count)]
    found = max(evidence.storms + 1, math.ceil(round(min(finite), 6))) if finite else MOST_STORMS + 1
    return found if found <= MOST_STORMS else None


def _way(value: float, interval: Interval | None, limit: float) -> tuple[float, Interval | None]:
    """How far a value is from what decides, and its interval from there."""
    if interval is None:
        return value - limit, None
    return value - limit, Interval(interval.low - limit, interval.high - limit, interval.level)
