"""The exercise in each box against the baseline: a forest plot whose groups say which way is better."""

from __future__ import annotations

from typing import Final

from bench.analysis.exercises import direction, exercise_metrics
from bench.analysis.metrics import EXERCISE_OWN
from bench.analysis.results import Analysis
from bench.render.figures.base import Drawing
from bench.render.figures.forest import compared, plot

_MOST: Final = 8
_HOW: Final = (
    "The mark is the ratio of medians, the bar its 95 % interval, the faint dots the ratio in each block. Right of the "
    "line is more than the baseline: better for rates, worse for times and costs, as each group says. Ratios in the "
    "grey band count as the same."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure of at most eight metrics; None without an exercise or without a comparison."""
    metrics = [metric for metric in exercise_metrics(analysis, scenario) if metric not in EXERCISE_OWN]
    groups = ((f"{metric.detail}: {direction(metric)}", metric) for metric in metrics)
    found = compared(analysis, scenario, groups)[:_MOST]
    return plot(scenario, found, f"{scenario}-exercise", "exercise, times", _HOW) if found else None
