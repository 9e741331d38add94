"""The exercise of a scenario (the load test that runs in a ready box): its metrics, and which way each is better."""

from __future__ import annotations

from typing import Final

from bench.analysis.metrics import EXERCISE_OWN, Metric
from bench.analysis.results import Analysis
from bench.scenario.model import Scenario

HIGHER: Final = "higher is better"
LOWER: Final = "lower is better"

# A tool reports many values. These kinds matter most and come first, in this order.
_FIRST: Final = ("_per_s", "cpu_per_operation_ns", "p50_ns", "p99_ns", "mean_ns")


def direction(metric: Metric) -> str:
    """HIGHER for rates, LOWER for times and for resources that are used up."""
    return HIGHER if metric.higher_is_better else LOWER


def exercise_headline(scenario: Scenario) -> Metric | None:
    """The metric that answers the question of the exercise; None without an exercise or without such a metric."""
    exercise = scenario.exercise
    return None if exercise is None or exercise.headline is None else Metric.of("exercise", exercise.headline)


def exercise_metrics(analysis: Analysis, scenario: str) -> tuple[Metric, ...]:
    """The exercise metrics that at least one box has; empty for a scenario without an exercise.

    Order: the headline, rates, CPU time per operation, latencies, other values of the tool, and at the end what
    Boxbench itself measures of every exercise.
    """
    if analysis.scenario(scenario).exercise is None:
        return ()
    main = exercise_headline(analysis.scenario(scenario))
    found = {
        summary.metric
        for cell in analysis.cells(scenario)
        for summary in analysis.summaries_of(cell)
        if summary.metric.kind == "exercise"
    }

    def position(metric: Metric) -> tuple[bool, bool, int, tuple[int, str, int, str]]:
        kind = next((number for number, end in enumerate(_FIRST) if metric.endswith(end)), len(_FIRST))
        return metric != main, metric in EXERCISE_OWN, kind, metric.sort_key

    return tuple(sorted(found, key=position))
