"""What the exercises gave, in words and tables: every value says which way is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.analysis.exercises import direction, exercise_headline, exercise_metrics
from bench.analysis.metrics import EXERCISE_OWN, Metric
from bench.analysis.results import Analysis, CellSummary
from bench.plan.trials import Cell
from bench.render.sections.facts import Table
from bench.render.sections.headline import Cost, Lead
from bench.render.text import bracket, cell_label, clean, median_text, quantity, ratio_text, times, verdict_text

EXERCISE_NOTE: Final = (
    "An exercise runs in the ready box. Its ratios are other / base: above 1 is good for rates (per second) and bad "
    "for times and costs, and each row says which."
)


def exercise_tables(analysis: Analysis, scenario: str, cells: Sequence[tuple[Cell, str]]) -> tuple[Table, ...]:
    """Medians of every value by box, and their ratios to the base with a verdict; empty without an exercise."""
    metrics, exercise = exercise_metrics(analysis, scenario), analysis.scenario(scenario).exercise
    if exercise is None or not metrics:
        return ()
    title = f"Exercise: {exercise.parser}, profile {exercise.profile}, load generated in the box"
    head = ("exercise", "which way", *(name for _, name in cells))
    rows = tuple(
        (clean(metric.detail), _way(metric), *(median_text(analysis.summary(cell, metric)) for cell, _ in cells))
        for metric in metrics
    )
    tables = [Table(title, head, rows)]
    ratios = tuple(
        (clean(found.metric.detail), direction(found.metric), cell_label(cell), ratio_text(found), verdict_text(found))
        for metric in metrics
        if metric not in EXERCISE_OWN
        for cell, _ in cells
        if (found := analysis.comparison(cell, metric)) is not None and found.ratio is not None
    )
    if ratios:
        base = clean(analysis.scenario(scenario).baseline)
        tables.append(
            Table(f"Exercise against {base}", ("exercise", "which way", "box", f"× {base}", "verdict"), ratios)
        )
    return tuple(tables)


def with_exercise(lead: Lead, analysis: Analysis, scenario: str) -> Lead:
    """The lead of a scenario whose question is answered by its exercise: that sentence and number come first."""
    metric = exercise_headline(analysis.scenario(scenario))
    if metric is None:
        return lead
    shown = [cell for cell in analysis.cells(scenario) if analysis.summary(cell, metric)]
    if not shown:
        return replace(lead, text=f"{scenario}: no exercise has ended well. {lead.text}")
    values = ", ".join(f"{_value(analysis.summary(cell, metric))} in {cell_label(cell)}" for cell in shown)
    text = f"{scenario}: {clean(metric.detail)}, {direction(metric)}: {values}."
    subject = next((cell for cell in shown if cell_label(cell) == lead.label), None)
    found = analysis.comparison(subject, metric) if subject is not None else None
    if found is None or found.ratio is None:
        return replace(lead, text=f"{text} {lead.text}")
    share = f"{times(found.ratio.value)} {bracket(found.ratio.interval)}"
    judged = f" {lead.label} has {share} of {lead.base}: {verdict_text(found)}."
    cost = Cost(times(found.ratio.value), bracket(found.ratio.interval), f"{metric.detail}, {direction(metric)}")
    return replace(lead, text=f"{text}{judged} {lead.text}", costs=(cost, *lead.costs))


def _way(metric: Metric) -> str:
    return "" if metric in EXERCISE_OWN else direction(metric)


def _value(summary: CellSummary | None) -> str:
    return quantity(summary.median.value if summary else None, summary.metric.unit if summary else "")
