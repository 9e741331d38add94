"""Whether a simulation's times can be added up in 64-bit integers, asked before any of them is made one.

The simulator adds times without looking. The longest time that there can be is that of all boxes one after another,
each as slow as the slowest, with all CPUs busy and all boxes in flight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.speeds import crowd_factor
from bench.util.errors import UsageError

_MOST_SUM: Final = float(1 << 62)
"""No sum of times may leave 64 bits."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Boxes of one target on a host.

    Attributes:
        boxes: that start.
        start_ns: the largest sum of all times of a start, of a box without noise.
        stage_ns: the longest time of a stage, for the message.
        stages: of a start; each may hold the lock.
        growth_ns: of the hold, for each box that is alive.
        factor: the largest factor of a box.
    """

    boxes: int
    start_ns: float
    stage_ns: float
    stages: int
    growth_ns: float
    factor: float


def refuse_long(
    loads: Sequence[Load], *, residents: int, cpus: int, inflation: float, crowding: float, last_ns: float
) -> None:
    """Raise UsageError if a sum of times could leave 64 bits.

    Args:
        loads: everything that starts on the host.
        residents: boxes that live there already.
        inflation, crowding: of the host's CPUs.
        last_ns: when the last box is requested.
    """
    boxes = sum(load.boxes for load in loads)
    slowest = 1 + inflation * (cpus - 1)
    slowest *= crowd_factor(boxes=boxes, cpus=cpus, crowding=crowding)
    longest, largest = last_ns, 0.0
    for load in loads:
        growth = load.growth_ns * (boxes + residents)
        longest += (load.start_ns + load.stages * growth) * load.factor * load.boxes * slowest
        largest = max(largest, growth * load.factor * (1 << GROWTH_BITS), load.start_ns * load.factor)
    if not max(longest, largest) < _MOST_SUM:  # also true for a value that is no number
        raise too_much(boxes, max(load.stage_ns for load in loads))


def too_much(boxes: int, stage_ns: float) -> UsageError:
    """The error of a question whose times are too long together."""
    return UsageError(
        f"{boxes} boxes at once with up to {stage_ns / 1e9:g} s of work in a stage are more than the "
        "simulator's 64-bit integers can hold",
        hint="ask for fewer boxes on one host, or check the model's times of work and its growth",
    )
