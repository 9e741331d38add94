"""The sentences of answers. How a ratio is told is said once, for figures and slides: in the sentences of figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.analysis.metrics import Metric
from bench.analysis.residents import MarginalCost
from bench.analysis.results import Comparison
from bench.render.figures.sentences import Words, compared, costs, rates
from bench.render.text import cell_label, clean, describe_endpoint, quantity

_RESOURCES: Final = {"memory": "memory", "cpu": "CPU time per start"}
"""By kind of metric what a box takes of it."""


def comparison_sentence(found: Comparison) -> str:
    """``docker takes 1.56× as long as process until ready (1.39 to 1.68).`` Ratios are told upwards.

    Args:
        found: with a ratio that has a value. Raises ValueError without.
    """
    return f"{compared(found, _words(found.metric))}."


def holding_sentence(marginal: Sequence[MarginalCost]) -> str:
    """``Each further box holds 5.01 MiB in docker, 12.5 MiB in gvisor.``"""
    sizes = (f"{quantity(cost.unreclaimable.value, 'bytes')} in {cell_label(cost.cell)}" for cost in marginal)
    return f"Each further box holds {', '.join(sizes)}."


def _words(metric: Metric) -> Words:
    if metric.kind == "endpoint":
        return _times(describe_endpoint(metric))
    if metric.kind in _RESOURCES:
        return costs(_RESOURCES[metric.kind])
    return (rates if metric.higher_is_better else costs)(clean(metric.detail))


def _times(end: str) -> Words:
    """Words for the time until an endpoint, such as ``ready``."""
    return Words(
        more=f"{{a}} takes {{r}}× as long as {{b}} until {end}",
        less=f"{{b}} takes {{r}}× as long as {{a}} until {end}",
        same=f"{{a}} takes as long as {{b}} until {end}",
        unknown=f"Whether {{a}} takes longer than {{b}} until {end} cannot be told",
    )
