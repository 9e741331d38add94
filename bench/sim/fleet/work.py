"""The unit of CPU work in a fleet, and how fast CPUs do it: the same as in ``bench.sim.starts``."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.rng import to_ns
from bench.sim.engine.speeds import LEAST_SHIFT, MOST_SHIFT, ROOM_BITS, crowd_factor, crowd_table, speed_table
from bench.sim.values import TargetValues
from bench.util.errors import UsageError

_STAGE: Final = 5


def stage_rows(values: TargetValues) -> NDArray[np.int64]:
    """(stages, 5) Delay, work, background, hold work and hold delay, ns."""
    rows = [
        (stage.delay_ns, stage.work_ns, stage.background_ns, stage.hold_work_ns, stage.hold_delay_ns)
        for stage in values.stages
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, _STAGE)


def shift_for(values: TargetValues, *, factor: float, boxes: int, cpus: int, label: str) -> int:
    """The unit of work is 2**-shift ns, as fine as 64-bit integers allow for ``boxes`` starts at once on one host.

    Args:
        factor: the largest that multiplies a box's times.

    Raises:
        UsageError: no unit is fine enough.
    """
    work = stage_rows(values)[:, 1:4]
    most = to_ns(float(work.max(initial=0)) * factor)
    most += (to_ns(values.growth_ns * (1 << GROWTH_BITS) * factor) * boxes) >> GROWTH_BITS
    room = (1 << ROOM_BITS) // (most + 1)
    shift = MOST_SHIFT
    while shift > 0 and (boxes * (1 + len(values.stages)) << shift) > room:
        shift -= 1
    if 2.0**shift < 2**LEAST_SHIFT * crowd_factor(boxes=boxes, cpus=cpus, crowding=values.crowding):
        raise UsageError(
            f"{label}: {boxes} starts at once on one host, each with up to {most / 1e9:g} s of CPU work in a stage, "
            "are more than the simulator's 64-bit integers can hold",
            hint="limit the boxes of a host (`hosts.boxes` of the fleet file), or check the model's times",
        )
    return shift


def speeds(values: TargetValues, *, cpus: int, shift: int) -> NDArray[np.int64]:
    """(cpus + 1,) Work that is done per ns when so many CPUs work, in units."""
    return np.array(speed_table(cpus=cpus, inflation=values.inflation, shift=shift), dtype=np.int64)


def crowd(values: TargetValues, *, cpus: int, boxes: int) -> NDArray[np.int64]:
    """(boxes + 1,) What 0, 1, ... ``boxes`` starts on a host leave of that; (1,) without crowding."""
    return np.array(crowd_table(cpus=cpus, crowding=values.crowding, most=boxes), dtype=np.int64)
