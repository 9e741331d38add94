"""The results of exercises in a report; each row says which way is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.analysis.exercises import direction, exercise_headline, exercise_metrics
from bench.analysis.metrics import EXERCISE_OWN, Metric
from bench.analysis.results import Analysis, CellSummary
from bench.plan.trials import Cell
from bench.render.sections.headline import Answer, between, cost_of, uncertainty
from bench.render.sections.table import ReportTable
from bench.render.text import cell_label, clean, median_text, quantity, ratio_text, sure_text, upward_text

EXERCISE_NOTE: Final = (
    "Exercises: the load test runs in the ready box. Each row says which way is better: rates (per second) are better "
    "when they are higher, times and costs when they are lower."
)


def exercise_tables(analysis: Analysis, scenario: str, cells: Sequence[tuple[Cell, str]]) -> tuple[ReportTable, ...]:
    """Medians of every value by box, and their ratios to the baseline with a verdict; empty without an exercise.

    Args:
        cells: the scenario's cells with their labels, in the order of the columns.
    """
    metrics, exercise = exercise_metrics(analysis, scenario), analysis.scenario(scenario).exercise
    if exercise is None or not metrics:
        return ()
    title = f"Exercise: {exercise.parser}, profile {exercise.profile}, load generated in the box"
    head = ("exercise", "direction", *(name for _, name in cells))
    rows = tuple(
        (
            _describe(metric),
            "" if metric in EXERCISE_OWN else direction(metric),
            *(median_text(analysis.summary(cell, metric)) for cell, _ in cells),
        )
        for metric in metrics
    )
    ratios = tuple(
        (_describe(metric), direction(metric), cell_label(cell), upward_text(found), sure_text(found))
        for metric in metrics
        if metric not in EXERCISE_OWN
        for cell, _ in cells
        if (found := analysis.comparison(cell, metric)) is not None and found.ratio is not None
    )
    base = clean(analysis.scenario(scenario).baseline)
    compared = ReportTable(
        f"Exercise against {base}", ("exercise", "direction", "box", f"× {base}", "verdict"), ratios, (0, 2)
    )
    return (ReportTable(title, head, rows), *((compared,) if ratios else ()))


def with_exercise(answer: Answer, analysis: Analysis, scenario: str) -> Answer:
    """The answer with the exercise's sentence and ratio first; unchanged when the exercise has no headline."""
    metric = exercise_headline(analysis.scenario(scenario))
    if metric is None:
        return answer
    shown = [cell for cell in analysis.cells(scenario) if analysis.summary(cell, metric)]
    if not shown:
        return replace(answer, text=f"{scenario}: no exercise has ended well. {answer.text}")
    values = ", ".join(f"{_value(analysis.summary(cell, metric))} in {cell_label(cell)}" for cell in shown)
    text = f"{scenario}: {_describe(metric)}, {direction(metric)}: {values}."
    found = between(analysis, *answer.pair, metric) if answer.pair else None
    shape = _with_shape(answer, analysis, metric)
    if found is None or found.ratio is None:
        return replace(answer, text=f"{text} {answer.text}", shape=shape)
    judged = f" {answer.label} against {answer.baseline}: {upward_text(found)}{uncertainty(found)}."
    cost = cost_of(found, f"{_describe(metric)}, {direction(metric)}")
    return replace(answer, text=f"{text}{judged} {answer.text}", costs=(cost, *answer.costs), shape=shape)


def _with_shape(answer: Answer, analysis: Analysis, metric: Metric) -> str:
    """The sentence about the emulated box, with its ratio in the exercise."""
    found = analysis.comparison(answer.emulated, metric) if answer.emulated else None
    if found is None or found.ratio is None:
        return answer.shape
    return f"{answer.shape} {_describe(metric)}: {ratio_text(found)} of {cell_label(found.baseline)}."


def _describe(metric: Metric) -> str:
    return clean(metric.detail)


def _value(summary: CellSummary | None) -> str:
    return quantity(summary.median.value if summary else None, summary.metric.unit if summary else "")
