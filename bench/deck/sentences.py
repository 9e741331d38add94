"""Comparisons as one sentence for the top of a slide: ratios are read upwards, and ties and doubts are said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.analysis.compare import inverted
from bench.analysis.metrics import Metric
from bench.analysis.residents import MarginalCost
from bench.analysis.results import Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.render.text import cell_label, clean, describe_endpoint, format_ratio, quantity, ratio_text


def comparison_sentence(found: Comparison) -> str:
    """``docker takes 1.56× [1.39, 1.68] as long as process until ready.`` The larger value comes first.

    Args:
        found: with a ratio.
    """
    larger = upwards(found)
    one, other = cell_label(larger.other), cell_label(larger.baseline)
    value = value_of(larger)
    what = _what(larger.metric)
    if value is None:
        return f"{one} and {other} cannot be compared: {what}."
    if value == 0:
        one, other, value = other, one, math.inf
    if math.isinf(value):
        return f"{one} never got there in most boots, and {other} did: {what}."
    number = ratio_text(larger)
    if found.verdict is RatioVerdict.SAME:
        return f"{one} and {other} count as the same in {what}: {number}."
    if found.verdict is RatioVerdict.CANNOT_TELL:
        return f"It cannot be told which of {one} and {other} has more of {what}: {number}."
    if larger.metric.kind == "endpoint":
        return f"{one} takes {number} as long as {other} until {describe_endpoint(larger.metric)}."
    return f"{_capital(what)}: {one} has {number} of {other}."


def upwards(found: Comparison) -> Comparison:
    """The comparison, or the same with its cells exchanged, so that the ratio is not below 1."""
    value = value_of(found)
    if value is None or value >= 1:
        return found
    turned = inverted(found)
    return found if turned.ratio is None else turned


def value_of(found: Comparison) -> float | None:
    """The ratio; None when there is none."""
    return found.ratio.value if found.ratio else None


def cost_line(found: Comparison, what: str) -> str:
    """``memory, PSS: docker has 8.96× [8.93, 8.97] of process``."""
    larger = upwards(found)
    value = value_of(larger)
    number = format_ratio(value) if value is None or math.isinf(value) else ratio_text(larger)
    return f"{what}: {cell_label(larger.other)} has {number} of {cell_label(larger.baseline)}"


def holding_sentence(costs: Sequence[MarginalCost]) -> str:
    """``Each further box holds 5.01 MiB in docker, 12.5 MiB in gvisor.``"""
    sizes = (f"{quantity(cost.unreclaimable.value, 'bytes')} in {cell_label(cost.cell)}" for cost in costs)
    return f"Each further box holds {', '.join(sizes)}."


def _what(metric: Metric) -> str:
    if metric.kind == "endpoint":
        return f"the time until {describe_endpoint(metric)}"
    return f"{clean(metric.detail)}, {'higher' if metric.higher_is_better else 'lower'} is better"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
