"""What the data of a target show and no model of this form can do.

CPU work of a start is fixed, and grows with busy CPUs and with boxes that start at once. A workload that burns CPU time
while it waits for something else (a virtual machine that spins in an idle loop) takes as much CPU time as it gets: all
of a CPU alone, and less among others. A fit cannot tell that from work that nobody waits for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from scipy.special import stdtrit

from bench.sim.fit.agreement import Seen
from bench.sim.fit.levels import CPU
from bench.sim.fit.predict import BACKGROUND, HOLD_WORK, WORK
from bench.sim.fit.target import TargetFit
from bench.util.units import format_ns

_CERTAIN: Final = 0.995
"""Probability with which noise makes no such fall."""
_LEAST_FALL: Final = 0.2
"""A smaller fall is what one start does for others: caches, and daemons that are awake."""
_LITTLE: Final = 0.1
_MUCH: Final = 0.5
"""Shares of the time of a start: of CPU time that it waits for, and of all CPU time."""
CPU_PARTS: Final = ("work", "background", "inflation", "crowding")
"""Parameters that mean nothing where CPU work is not fixed, without their stage."""
_SO: Final = (
    "The model cannot say that: its CPU work, background work, inflation and crowding are only bounded, and "
    "predictions for other numbers of boxes or CPUs may be far off."
)


class _Fall(NamedTuple):
    """CPU time per start, ns, of a small number of boxes and of a large one."""

    few: int
    many: int
    before: float
    after: float


def doubts(fit: TargetFit) -> tuple[str, ...]:
    """A sentence or none."""
    return tuple(_doubts(fit))


def _doubts(fit: TargetFit) -> Iterator[str]:
    fall = _fall(fit.seen)
    if fall is not None:
        few = "alone" if fall.few == 1 else f"among {fall.few}"
        yield (
            f"CPU time per start falls from {format_ns(fall.before)} {few} to {format_ns(fall.after)} among "
            f"{fall.many}: the workload burns CPU time while it waits. {_SO}"
        )
        return
    if not any(one.of == CPU for one in fit.seen.statistics):
        return
    stages = fit.draws.grid.stages_ns
    waited = stages[..., [WORK, HOLD_WORK]].sum(axis=(1, 2))
    used = waited + stages[..., BACKGROUND].sum(axis=1)
    length = fit.stages_ns[1:].sum(axis=1)
    if np.median(waited / length) < _LITTLE and np.median(used / length) > _MUCH:
        yield (
            f"A start takes {format_ns(float(np.median(length)))} and uses {format_ns(float(np.median(used)))} of CPU "
            f"time, of which it waits for {format_ns(float(np.median(waited)))} only: the workload may burn CPU time "
            f"while it waits. {_SO}"
        )


def _fall(seen: Seen) -> _Fall | None:
    """By what CPU time per start is less in the largest storm than in the smallest; None: not by more than noise."""
    at = [
        (one.level.boxes, number)
        for number, one in enumerate(seen.statistics)
        if one.of == CPU and not one.level.residents
    ]
    (few, first), (many, last) = min(at, default=(0, 0)), max(at, default=(0, 0))
    if few == many:
        return None
    fall = float(seen.observed[first] - seen.observed[last])
    noise = seen.covariance + seen.stated**2 * np.eye(len(seen.observed))
    # Both are relative to single starts, and those cancel.
    sd = np.sqrt(noise[first, first] + noise[last, last] - 2 * noise[first, last])
    if fall <= max(-np.log1p(-_LEAST_FALL), float(stdtrit(max(seen.degrees, 1), _CERTAIN)) * sd):
        return None
    return _Fall(few, many, *(float(np.exp(seen.observed[number])) for number in (first, last)))
