"""The exercise in each box against the baseline: a forest plot whose groups say which way is better."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bench.analysis.exercises import direction, exercise_metrics
from bench.analysis.metrics import EXERCISE_OWN
from bench.analysis.results import Analysis
from bench.render.figures.base import Drawing
from bench.render.figures.forest import compared, plot
from bench.render.figures.sentences import compared as compared_as_sentence
from bench.render.figures.sentences import costs, main_comparison, notes_of, rates

_MOST: Final = 8
"""Metrics that a figure shows."""
_HOW: Final = (
    "The mark is the ratio of medians, the bar its 95 % interval, the faint dots the ratio in each block. Right of the "
    "line is more than the baseline: better for rates, worse for times and costs, as each group says. Ratios in the "
    "grey band count as the same."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure of at most eight metrics; None without an exercise or without a comparison."""
    metrics = [metric for metric in exercise_metrics(analysis, scenario) if metric not in EXERCISE_OWN]
    groups = ((f"{metric.detail}: {direction(metric)}", metric) for metric in metrics)
    found = compared(analysis, scenario, groups)
    if not found:
        return None
    cells, metric = [row.other for row in found[0][1]], found[0][1][0].metric
    words = (rates if metric.higher_is_better else costs)(metric.detail)
    told = main_comparison(analysis, scenario, metric, cells)
    title = compared_as_sentence(told or found[0][1][-1], words)
    drawing = plot(scenario, found, f"{scenario}-exercise", "exercise, times", _HOW, title=title, most=_MOST)
    return replace(drawing, notes=" ".join(filter(None, (notes_of(analysis, cells, metric), drawing.notes))))
