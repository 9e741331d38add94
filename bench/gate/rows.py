"""Rows of a gate: candidates after screening, the change that confirmation can detect, and the verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bench.analysis.exact import holm
from bench.gate.cells import CellPair
from bench.gate.judge import NO_BLOCKS, Judgement, SeriesPair, in_question, judge, stage_result
from bench.gate.model import LEVEL, GateRow, StageResult, Verdict
from bench.gate.sensitivity import MAX_BLOCKS, Spread, blocks_needed, smallest_detectable, spread_of
from bench.gate.thresholds import Thresholds, better

GONE: Final = SeriesPair(NO_BLOCKS, NO_BLOCKS)
"""A metric that neither side has."""


@dataclass(frozen=True)
class Question:
    """One metric of one pair of cells after screening.

    Attributes:
        problem: why screening gave no ratio; empty when it did.
        candidate: screening did not rule out a change beyond the threshold, for worse or better.
        spread: the noise in screening; None with too few boots.
        detectable: the smallest worsening that confirmation will find; None until planned, or when unknown.
        hopeless: why more boots of this pair would show nothing; empty when they would.
    """

    pair: CellPair
    metric: str
    threshold: float
    screening: StageResult
    problem: str
    candidate: bool
    spread: Spread | None
    detectable: float | None = None
    hopeless: str = ""

    @property
    def key(self) -> str:
        """Unique in a gate."""
        return f"{self.pair.a.key} {self.metric}"


def ask(
    pair: CellPair, rows: Mapping[str, SeriesPair], thresholds: Thresholds, *, hopeless: str = ""
) -> tuple[Question, ...]:
    """The result of screening, metric by metric.

    Args:
        hopeless: see ``Question``. When it is not empty no row becomes a candidate.
    """
    found = []
    for metric, series in rows.items():
        stage, problem = stage_result(series, better(metric))
        limit = thresholds.of(metric)
        candidate = not hopeless and in_question(stage, limit, better(metric))
        spread = spread_of(series)
        found.append(Question(pair, metric, limit, stage, problem, candidate, spread, hopeless=hopeless))
    return tuple(found)


def family_of(questions: Sequence[Question]) -> int:
    """How many rows are tested together."""
    return sum(question.candidate for question in questions)


def blocks_for(
    questions: Sequence[Question], *, detect: float | None, seed: int, most: int, level: float = LEVEL
) -> int:
    """Blocks of confirmation after which every candidate shows a change of ``detect``, at most ``most``.

    A candidate whose spread is unknown needs ``most``.

    Args:
        detect: relative change, 0.05 is 5 %; None means twice each row's threshold.
    """
    family, limit = family_of(questions), min(most, MAX_BLOCKS)

    def needed(question: Question) -> int:
        if question.spread is None:
            return most
        found = blocks_needed(
            question.spread,
            detect=detect or 2 * question.threshold,
            threshold=question.threshold,
            family=family,
            seed=seed,
            most=limit,
            level=level,
        )
        return most if found is None else found

    return max((needed(question) for question in questions if question.candidate), default=0)


def planned(questions: Sequence[Question], blocks: int, *, seed: int, level: float = LEVEL) -> tuple[Question, ...]:
    """The questions with the smallest change that ``blocks`` blocks of confirmation can detect."""
    family = family_of(questions)
    return tuple(
        replace(question, detectable=_detectable(question, blocks, family, seed, level))
        if question.candidate
        else question
        for question in questions
    )


def _detectable(question: Question, blocks: int, family: int, seed: int, level: float) -> float | None:
    if question.spread is None:
        return None
    return smallest_detectable(
        question.spread, blocks, threshold=question.threshold, family=family, seed=seed, level=level
    )


def verdicts(
    questions: Sequence[Question], confirmation: Mapping[str, SeriesPair], *, level: float = LEVEL
) -> tuple[GateRow, ...]:
    """The rows, judged by their boots of confirmation where there are any, with Holm's adjustment over all candidates.

    Args:
        confirmation: boots by ``Question.key``. Pairs that screening settled are not in it.
    """
    # Screening does not answer a candidate whose metric has vanished from the confirmation of both sides.
    series = {q.key: confirmation.get(q.key, GONE) for q in questions if q.candidate or q.key in confirmation}
    stages = {q.key: stage_result(series[q.key], better(q.metric)) for q in questions if q.key in series}
    tested = [q for q in questions if q.candidate]
    worse = holm({q.key: p_of(stages[q.key][0], q.metric, worse=True) for q in tested})
    good = holm({q.key: p_of(stages[q.key][0], q.metric, worse=False) for q in tested})
    return tuple(_row(q, stages.get(q.key), (worse.get(q.key), good.get(q.key)), level) for q in questions)


def p_of(stage: StageResult, metric: str, *, worse: bool = True) -> float:
    """The p value that B is worse (or better) in ``metric``; 1 for a row without a ratio, which can show nothing."""
    larger = worse == (better(metric) == "lower")
    value = stage.p_worse if larger else stage.p_better
    return 1.0 if value is None or math.isnan(value) else value


def _row(
    question: Question,
    confirmation: tuple[StageResult, str] | None,
    p_values: tuple[float | None, float | None],
    level: float,
) -> GateRow:
    worse, good = p_values
    stage, problem = confirmation or (question.screening, question.problem)
    found = _hopeless(question, stage) or judge(
        stage,
        threshold=question.threshold,
        better=better(question.metric),
        p_adjusted=worse,
        p_better_adjusted=good,
        problem=problem,
        level=level,
    )
    settled = "" if confirmation else " (settled by screening)"
    return GateRow(
        scenario=question.pair.scenario,
        box=question.pair.box,
        cell_a=question.pair.a.key,
        cell_b=question.pair.b.key,
        accel=question.pair.a.accel,
        metric=question.metric,
        better=better(question.metric),
        threshold=question.threshold,
        candidate=question.candidate,
        screening=question.screening,
        confirmation=confirmation[0] if confirmation else None,
        p_adjusted=worse,
        p_better_adjusted=good,
        detectable=question.detectable,
        verdict=found.verdict,
        improved=found.improved,
        reason=found.reason + settled,
    )


def _hopeless(question: Question, stage: StageResult) -> Judgement | None:
    """Values that boots had before they failed give no verdict. Without values, their absence is the reason."""
    if not question.hopeless or stage.interval is None:
        return None
    return Judgement(Verdict.CANNOT_TELL, False, question.hopeless)
