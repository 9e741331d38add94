"""Bottlenecks: which bound on the time of a storm's last box decides, and where another one takes over.

The bounds are a single start, the CPU time of all boxes, and the lock that they hold one after another. The largest
decides, with one exception: a single start lies within the bound of the lock, so that from two boxes on any lock would
decide. The lock is named where boxes wait for it longer than a start takes by itself.

Where boxes are requested one after another, the last request and a start after it are a bound, too. Where it is the
largest and a start is the shorter part of it, the time between requests decides. The other bounds are then shown
without that time, as if all boxes were requested at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck
from bench.sim.answer.form import Drawn
from bench.sim.answer.words import CPU_GROWTH, LIMITS, START, WAY, box_text, count_text, role_label
from bench.sim.bounds import Limit, StormBounds, storm_bounds
from bench.sim.model.draws import weighted_median

_TIMES: Final = 10
"""The switch is looked for up to this multiple of the question's own size."""
_PER_TENFOLD: Final = 40
"""Sizes that are tried within the multiple: neighbours differ by 6 %."""
_LEAST_RESIDENTS: Final = 10
"""A question without residents is looked at beside up to 10 times as many."""
_DRAWS: Final = 40
"""Draws that are asked where another bound takes over."""
_ROLES: Final = {
    "CPU": ("work", "background", CPU_GROWTH, "inflation_form"),
    "lock": ("hold", WAY, "growth"),
    "start": (START, "work"),
    "requests": (START, "work"),
}
"""Roles of parameters that each bound is made of."""

Weights = Sequence[float] | NDArray[np.float64]


def bottleneck(
    target: str,
    draws: Sequence[Drawn],
    weights: Weights,
    *,
    cpus: int,
    residents: int,
    scheduled_ns: NDArray[np.int64],
    further: bool = True,
) -> Bottleneck:
    """What limits a storm of one target: the bound that decides in most draws, and where another one does.

    Args:
        draws: of the model.
        weights: (draws,)
        scheduled_ns: (boxes,) when each box is requested, ascending.
        further: look for the sizes at which another bound takes over.
    """
    found = [_bounds(one, scheduled_ns, cpus, residents) for one in draws]
    name, share = _vote(list(zip(map(limit_of, found), weights, strict=True)))
    medians = {key: weighted_median([one.by_name[key] for one in found], weights) for key in found[0].by_name}
    switch = _switches(name, _some(draws, weights), cpus, residents, scheduled_ns) if further else None
    return Bottleneck(target=target, name=name, share=share, bounds_ns=medians, switch=switch)


def _switches(
    name: Limit, some: Sequence[tuple[Drawn, float]], cpus: int, residents: int, scheduled_ns: NDArray[np.int64]
) -> str | None:
    """Where another bound takes over as one size grows, in words; None: not within 10 times the question."""
    boxes = len(scheduled_ns)
    # A larger storm has the same time between requests.
    gap = float(scheduled_ns[-1] - scheduled_ns[0]) / max(1, boxes - 1)

    def limit(size: int, on: int, beside: int) -> Limit:
        at = scheduled_ns if size == boxes else np.round(np.arange(size) * gap).astype(np.int64)
        return _vote([(limit_of(_bounds(one, at, on, beside)), weight) for one, weight in some])[0]

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
    return "; ".join(phrases) or None


def limit_of(found: StormBounds) -> Limit:
    """Which bound decides. The lock does where it is the largest and waiting for it takes longer than one start."""
    alone = found.start_ns - found.requests_ns
    if found.lock_ns >= found.cpu_ns and found.lock_ns - found.start_ns > alone:
        return "lock"
    if found.cpu_ns > found.start_ns:
        return "CPU"
    return "requests" if found.requests_ns > alone else "start"


def judged(limit: Bottleneck, middle: float, role: str | None, *, humps: bool = False) -> Bottleneck:
    """The bottleneck of an answer whose middle is known: how much of it the bound explains, and what else is open.

    Args:
        middle: of the time that the bounds are of, ns.
        role: of the parameters that decide what is open, as ``bench.sim.answer.words.role_of`` has it; None: none do.
        humps: the answer is one of two.
    """
    bound = limit.bounds_ns.get(limit.name, 0.0)
    if "requests" in limit.bounds_ns:
        bound = max(bound, limit.bounds_ns["requests"] + limit.bounds_ns["start"])
    if not middle > 0 or not bound > 0:
        return limit
    found = limit.model_copy(update={"reached": bound / middle})
    if not found.falls_short:
        return found
    if humps:
        return found.model_copy(update={"open": "which of two answers holds"})
    if role is None or role in _ROLES.get(limit.name, ()):
        return found
    return found.model_copy(update={"open": f"the {role_label(role)}"})


def _bounds(draw: Drawn, scheduled_ns: NDArray[np.int64], cpus: int, residents: int) -> StormBounds:
    boxes = len(scheduled_ns)
    values = draw.at(cpus=cpus, boxes=boxes)
    return storm_bounds(values, boxes=boxes, cpus=cpus, residents=residents, scheduled_ns=scheduled_ns)


def _vote(votes: Sequence[tuple[Limit, float]]) -> tuple[Limit, float]:
    """The name with the most weight, and its share."""
    totals: dict[Limit, float] = {}
    for name, weight in votes:
        totals[name] = totals.get(name, 0.0) + float(weight)
    best = max(totals, key=lambda name: totals[name])
    return best, totals[best] / sum(totals.values())


def _some(draws: Sequence[Drawn], weights: Weights) -> list[tuple[Drawn, float]]:
    """A few of the draws, at equal distances, with their weights."""
    step = max(1, len(draws) // _DRAWS)
    return [(one, float(weight)) for one, weight in list(zip(draws, weights, strict=True))[::step]]


def _switch(name: Limit, size: int, at: Callable[[int], Limit], where: Callable[[int], str]) -> Iterator[str]:
    """The first larger size at which another bound decides, as a phrase."""
    for larger in _sizes(size):
        other = at(larger)
        if other != name:
            yield f"{where(larger)} {LIMITS[other]} decides"
            return


def _sizes(size: int) -> Iterator[int]:
    """Larger sizes up to 10 times as many, ascending, each once."""
    tried = size
    for step in range(1, _PER_TENFOLD + 1):
        larger = round(size * _TIMES ** (step / _PER_TENFOLD))
        if larger > tried:
            tried = larger
            yield larger
