"""Rows of a gate: the first look's candidates, what fresh blocks can see, and the verdicts from fresh blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.gate.cells import Pair
from bench.gate.exact import holm
from bench.gate.judge import NO_BLOCKS, Judgement, Sides, in_question, judge, look_at
from bench.gate.model import Look, Row, Verdict
from bench.gate.sensitivity import MAX_BLOCKS, Spread, blocks_needed, spread_of, visible
from bench.gate.thresholds import Thresholds, better

GONE: Final = Sides(NO_BLOCKS, NO_BLOCKS)
"""A metric that neither side has."""


@dataclass(frozen=True)
class Question:
    """One metric of one pair of cells before fresh blocks: what the first look saw.

    Attributes:
        candidate: a change that matters, for worse or better, was not ruled out.
        spread: the pilot's noise; None when it had too few boots.
        hopeless: why no boots of this pair are worth running or judging; empty when they are.
        visible: the smallest worsening that the fresh blocks will see; None until planned or when unknown.
    """

    pair: Pair
    metric: str
    threshold: float
    first: Look
    trouble: str
    candidate: bool
    spread: Spread | None
    visible: float | None = None
    hopeless: str = ""

    @property
    def key(self) -> str:
        """Unique in a gate."""
        return f"{self.pair.base.key} {self.metric}"


def ask(pair: Pair, rows: Mapping[str, Sides], thresholds: Thresholds, *, hopeless: str = "") -> tuple[Question, ...]:
    """What the first look leaves open, metric by metric.

    Args:
        hopeless: see ``Question``: then nothing is in question, since more boots would answer nothing.
    """
    found = []
    for metric, sides in rows.items():
        look, trouble = look_at(sides, better(metric))
        limit = thresholds.of(metric)
        candidate = not hopeless and in_question(look, limit, better(metric))
        question = Question(pair, metric, limit, look, trouble, candidate, spread_of(sides), hopeless=hopeless)
        found.append(question)
    return tuple(found)


def family_of(questions: Sequence[Question]) -> int:
    """How many rows are tested together."""
    return sum(question.candidate for question in questions)


def blocks_for(questions: Sequence[Question], *, see: float | None, seed: int, most: int) -> int:
    """Fresh blocks that let every candidate see a change of ``see`` (or twice its threshold), ``most`` at most.

    A candidate whose pilot says nothing about its spread asks for ``most``.
    """
    needed = [
        _needed(question, see or 2 * question.threshold, family_of(questions), seed, most)
        for question in questions
        if question.candidate
    ]
    return max(needed, default=0)


def _needed(question: Question, see: float, family: int, seed: int, most: int) -> int:
    if question.spread is None:
        return most
    found = blocks_needed(
        question.spread, see=see, threshold=question.threshold, family=family, seed=seed, most=min(most, MAX_BLOCKS)
    )
    return most if found is None else found


def planned(questions: Sequence[Question], blocks: int, *, seed: int) -> tuple[Question, ...]:
    """The questions with the smallest change that ``blocks`` fresh ones can see."""
    family = family_of(questions)
    return tuple(
        replace(question, visible=_visible(question, blocks, family, seed)) if question.candidate else question
        for question in questions
    )


def _visible(question: Question, blocks: int, family: int, seed: int) -> float | None:
    if question.spread is None:
        return None
    return visible(question.spread, blocks, threshold=question.threshold, family=family, seed=seed)


def verdicts(questions: Sequence[Question], fresh: Mapping[str, Sides]) -> tuple[Row, ...]:
    """The rows: judged by their fresh boots where there are any, Holm over all candidates.

    Args:
        fresh: by ``Question.key``; pairs that the first look settled are not in it.
    """
    # What was in question and is gone from the fresh blocks of both sides has not been answered by the first look.
    given = {q.key: fresh.get(q.key, GONE) for q in questions if q.candidate or q.key in fresh}
    looks = {q.key: look_at(given[q.key], better(q.metric)) for q in questions if q.key in given}
    tested = [q for q in questions if q.candidate]
    worse = holm({q.key: p_of(looks[q.key][0], q.metric, worse=True) for q in tested})
    good = holm({q.key: p_of(looks[q.key][0], q.metric, worse=False) for q in tested})
    return tuple(_row(q, looks.get(q.key), worse.get(q.key), good.get(q.key)) for q in questions)


def p_of(look: Look, metric: str, *, worse: bool = True) -> float:
    """The p value that B is worse (or better) in ``metric``; 1 for a row without a ratio, which can show nothing."""
    larger = worse == (better(metric) == "lower")
    value = look.p_worse if larger else look.p_better
    return 1.0 if value is None or math.isnan(value) else value


def _row(question: Question, fresh: tuple[Look, str] | None, worse: float | None, good: float | None) -> Row:
    look, trouble = fresh or (question.first, question.trouble)
    found = _hopeless(question, look) or judge(
        look,
        threshold=question.threshold,
        better=better(question.metric),
        p_adjusted=worse,
        p_better_adjusted=good,
        trouble=trouble,
    )
    settled = "" if fresh else " at the first look"
    return Row(
        scenario=question.pair.scenario,
        box=question.pair.box,
        base_cell=question.pair.base.key,
        other_cell=question.pair.other.key,
        accel=question.pair.base.accel,
        metric=question.metric,
        better=better(question.metric),
        threshold=question.threshold,
        candidate=question.candidate,
        first=question.first,
        fresh=fresh[0] if fresh else None,
        p_adjusted=worse,
        p_better_adjusted=good,
        visible=question.visible,
        verdict=found.verdict,
        improved=found.improved,
        reason=found.reason + settled,
    )


def _hopeless(question: Question, look: Look) -> Judgement | None:
    """What boots that failed had come to by then is no verdict; where there is nothing, that is the reason."""
    if not question.hopeless or look.interval is None:
        return None
    return Judgement(Verdict.CANNOT_TELL, False, question.hopeless)
