"""Bottlenecks: which bound on the time of a storm's last box is the largest, and where another one takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck
from bench.sim.answer.words import box_text, count_text
from bench.sim.bounds import Limit, StormBounds, storm_bounds
from bench.sim.model.draws import weighted_median
from bench.sim.values import TargetValues

_TIMES: Final = 10
"""The switch is looked for up to this multiple of the question's own size."""
_PER_TENFOLD: Final = 40
"""Sizes that are tried within the multiple: neighbours differ by 6 %."""
_LEAST_RESIDENTS: Final = 10
"""A question without residents is looked at beside up to 10 times as many."""
_DRAWS: Final = 40
"""Draws that are asked where another bound takes over."""
_THE: Final = {"start": "the start itself", "CPU": "the CPU", "lock": "the lock"}


def bottleneck(
    target: str,
    draws: Sequence[TargetValues],
    weights: Sequence[float] | NDArray[np.float64],
    *,
    cpus: int,
    residents: int,
    scheduled_ns: NDArray[np.int64],
) -> Bottleneck:
    """What limits a storm of one target: the bound that is the largest in most draws, and where another one is.

    Args:
        draws: of the model.
        weights: (draws,)
        scheduled_ns: (boxes,) when each box is requested, ascending.
    """
    boxes = len(scheduled_ns)
    # A larger storm has the same time between requests.
    gap = float(scheduled_ns[-1] - scheduled_ns[0]) / max(1, boxes - 1)
    some = _some(draws, weights)

    def limit(size: int, on: int, beside: int) -> Limit:
        at = scheduled_ns if size == boxes else np.round(np.arange(size) * gap).astype(np.int64)
        return _vote([(_bounds(values, at, on, beside).name, weight) for values, weight in some])[0]

    found = [_bounds(values, scheduled_ns, cpus, residents) for values in draws]
    name, share = _vote(list(zip((one.name for one in found), weights, strict=True)))
    phrases = [
        *_switch(name, boxes, lambda size: limit(size, cpus, residents), lambda size: f"from {box_text(size)} on"),
        *_switch(
            name,
            max(residents, _LEAST_RESIDENTS),
            lambda size: limit(boxes, cpus, size),
            lambda size: f"beside {count_text(size, 'box', 'boxes')} that live already",
        ),
        *_switch(name, cpus, lambda size: limit(boxes, size, residents), lambda size: f"on {count_text(size, 'CPU')}"),
    ]
    medians = {key: weighted_median([one.by_name[key] for one in found], weights) for key in found[0].by_name}
    return Bottleneck(target=target, name=name, share=share, bounds_ns=medians, switch="; ".join(phrases) or None)


def _bounds(values: TargetValues, scheduled_ns: NDArray[np.int64], cpus: int, residents: int) -> StormBounds:
    return storm_bounds(values, boxes=len(scheduled_ns), cpus=cpus, residents=residents, scheduled_ns=scheduled_ns)


def _vote(votes: Sequence[tuple[Limit, float]]) -> tuple[Limit, float]:
    """The name with the most weight, and its share."""
    totals: dict[Limit, float] = {}
    for name, weight in votes:
        totals[name] = totals.get(name, 0.0) + float(weight)
    best = max(totals, key=lambda name: totals[name])
    return best, totals[best] / sum(totals.values())


def _some(
    draws: Sequence[TargetValues], weights: Sequence[float] | NDArray[np.float64]
) -> list[tuple[TargetValues, float]]:
    """A few of the draws, at equal distances, with their weights."""
    step = max(1, len(draws) // _DRAWS)
    return [(values, float(weight)) for values, weight in list(zip(draws, weights, strict=True))[::step]]


def _switch(name: Limit, size: int, at: Callable[[int], Limit], where: Callable[[int], str]) -> Iterator[str]:
    """The first larger size at which another bound is the largest, as a phrase."""
    for larger in _sizes(size):
        other = at(larger)
        if other != name:
            yield f"{where(larger)} it is {_THE[other]}"
            return


def _sizes(size: int) -> Iterator[int]:
    """Larger sizes up to 10 times as many, ascending, each once."""
    tried = size
    for step in range(1, _PER_TENFOLD + 1):
        larger = round(size * _TIMES ** (step / _PER_TENFOLD))
        if larger > tried:
            tried = larger
            yield larger
