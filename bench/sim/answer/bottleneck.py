"""Bottlenecks: which bound on the time of a storm's last box is the largest, and where another one takes over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck
from bench.sim.answer.words import box_text, count_text
from bench.sim.bounds import Limit, storm_bounds
from bench.sim.values import TargetValues

_TIMES: Final = 10
"""The switch is looked for up to this multiple of the question's own size."""
_PER_TENFOLD: Final = 40
"""Sizes that are tried within the multiple: neighbours differ by 6 %."""
_LEAST_RESIDENTS: Final = 10
"""A question without residents is looked at beside up to 10 times as many."""
_THE: Final = {"start": "the start itself", "CPU": "the CPU", "lock": "the lock"}


def bottleneck(
    target: str, values: TargetValues, *, cpus: int, residents: int, scheduled_ns: NDArray[np.int64]
) -> Bottleneck:
    """What limits a storm of one target: the largest bound, and where another one is larger.

    Args:
        scheduled_ns: (boxes,) when each box is requested, ascending.
    """
    boxes = len(scheduled_ns)
    # A larger storm has the same time between requests.
    gap = float(scheduled_ns[-1] - scheduled_ns[0]) / max(1, boxes - 1)

    def limit(size: int, on: int, beside: int) -> Limit:
        at = scheduled_ns if size == boxes else np.round(np.arange(size) * gap).astype(np.int64)
        return storm_bounds(values, boxes=size, cpus=on, residents=beside, scheduled_ns=at).name

    found = storm_bounds(values, boxes=boxes, cpus=cpus, residents=residents, scheduled_ns=scheduled_ns)
    name = found.name
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
    return Bottleneck(target=target, name=name, bounds_ns=found.by_name, switch="; ".join(phrases) or None)


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
