"""What no start can beat: lower bounds of the time until all boxes of a storm are up, and which of them decides.

All bounds are of the model in ``bench.sim.values``, with boxes and blocks without noise. They hold for each draw,
whatever the order of events. The largest is the bottleneck.

A crowd counts as far as it is certain. Of ``m`` boxes that are requested together, ``m`` are in flight until the first
one is up, ``m - 1`` until the second one is, and so on; nothing is certain of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.theory import capacity
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError

Limit = Literal["start", "CPU", "lock", "requests"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What one start takes of each resource, ns, without a crowd."""

    start_ns: float
    """Of a box that is alone on the host, beside its residents."""
    cpu_ns: float
    """CPU time that must have been spent by the time the goal is reached, divided by what the CPUs can do at best."""
    hold_work_ns: float
    """CPU time for which the lock is held."""
    hold_delay_ns: float
    """Time without a resource for which it is held."""
    outside_ns: float
    """Before the first hold and after the last one."""

    @property
    def hold_ns(self) -> float:
        """For which the lock is held."""
        return self.hold_work_ns + self.hold_delay_ns


@dataclass(frozen=True, kw_only=True, slots=True)
class StormBounds:
    """Lower bounds of the time from the first request until the last box of a storm has reached the goal, ns."""

    start_ns: float
    """max(request) + T1: the last box, as if it were alone."""
    cpu_ns: float
    """N W / c, and more where a crowd is certain: the CPUs, as if nothing else delayed anybody."""
    lock_ns: float
    """T1 + (N - 1) h, likewise: the lock, as if each box came in time for it; 0 without a lock."""
    requests_ns: float
    """From the first request to the last one. The others contain as much of it as nobody can avoid."""
    at_once: tuple[float, float, float]
    """``start_ns``, ``cpu_ns`` and ``lock_ns`` without the time between requests: a part of each."""

    @property
    def last_ns(self) -> float:
        """The largest: no storm is over before."""
        return max(self.start_ns, self.cpu_ns, self.lock_ns)

    @property
    def name(self) -> Limit:
        """Which one it is. Of equal ones the first of start, CPU, lock."""
        found: dict[Limit, float] = {"start": self.start_ns, "CPU": self.cpu_ns, "lock": self.lock_ns}
        return max(found, key=lambda name: found[name])

    @property
    def by_name(self) -> dict[str, float]:
        """Each without the time between requests, and that time where there is any, as ``Bottleneck.bounds_ns`` has
        them."""
        start, cpu, lock = self.at_once
        found = {"start": start, "CPU": cpu, "lock": lock}
        return found | {"requests": self.requests_ns} if self.requests_ns else found


def costs(values: TargetValues, *, cpus: int, residents: int = 0) -> Costs:
    """What one start takes of each resource.

    Background work counts only as far as it must be done by the goal: processor sharing gives it the same speed as the
    work that the box waits for, so it has then received at least as much as that has since its stage began.

    The hold grows with ``residents`` alone. It also grows with the storm's own boxes once they are up, which a
    bound from below cannot rely on.
    """
    _check(cpus=cpus, residents=residents)
    growth = max(0.0, values.growth_ns) * residents
    waited = [float(stage.work_ns + stage.hold_work_ns) + growth * _holds(stage) for stage in values.stages]
    background = [min(float(stage.background_ns), sum(waited[number:])) for number, stage in enumerate(values.stages)]
    fastest = max(capacity(1, cpus=cpus), capacity(cpus, cpus=cpus, inflation=values.inflation))
    holding = [number for number, stage in enumerate(values.stages) if _holds(stage)]
    hold_work = sum(float(stage.hold_work_ns) + growth for stage in values.stages if _holds(stage))
    hold_delay = float(sum(stage.hold_delay_ns for stage in values.stages))
    start = float(values.solo_ns) + growth * len(holding)
    inner = _between(values, holding) if holding else 0.0
    return Costs(
        start_ns=start,
        cpu_ns=(sum(waited) + sum(background)) / fastest,
        hold_work_ns=hold_work,
        hold_delay_ns=hold_delay,
        outside_ns=start - hold_work - hold_delay - inner,
    )


def storm_bounds(
    values: TargetValues,
    *,
    boxes: int,
    cpus: int,
    residents: int = 0,
    scheduled_ns: NDArray[np.int64] | None = None,
) -> StormBounds:
    """Lower bounds of a storm.

    Args:
        scheduled_ns: (boxes,) when each box is requested; None: all at once.
    Raises:
        UsageError: no boxes, no CPUs, residents below zero.
    """
    _check(boxes=boxes, cpus=cpus, residents=residents)
    one = costs(values, cpus=cpus, residents=residents)
    at = np.sort(np.asarray(scheduled_ns, dtype=np.float64)) if scheduled_ns is not None else np.zeros(boxes)
    at = at - at[0]
    # What was requested from here on, this box included, has all to be done after this instant.
    left = np.arange(boxes, 0, -1)
    work = _crowded(at, left, cpus=cpus, crowding=values.crowding)
    queue = work * one.hold_work_ns + left * one.hold_delay_ns + one.outside_ns
    lock = queue if one.hold_ns else np.zeros(boxes)
    return StormBounds(
        start_ns=float(at[-1] + one.start_ns),
        cpu_ns=float((at + work * one.cpu_ns).max()),
        lock_ns=float((at + lock).max()) if one.hold_ns else 0.0,
        requests_ns=float(at[-1]),
        at_once=(one.start_ns, float(work[0] * one.cpu_ns), float(lock[0])),
    )


def _crowded(at: NDArray[np.float64], left: NDArray[np.int64], *, cpus: int, crowding: float) -> NDArray[np.float64]:
    """(boxes,) How often the work of one box, on CPUs without a crowd, has to be done from each request on, at least.

    Of ``m`` boxes of one instant the sum of f(s) = max(1, s / c) ** crowding over s = 1..m. From c + 1 on, an integral
    that is not above it: f(s) is not below its mean over (s - 1/2, s + 1/2) where f is concave, nor over (s - 1, s).
    """
    if not crowding:
        return left.astype(np.float64)
    together = np.searchsorted(at, at, side="right") - np.arange(len(at))
    half = 0.5 if crowding <= 1 else 0.0
    power = crowding + 1
    beyond = np.maximum(cpus, together)
    sums = cpus / power * (((beyond + half) / cpus) ** power - ((cpus + half) / cpus) ** power)
    return np.asarray(left + sums - (beyond - cpus))


def _holds(stage: StageValues) -> bool:
    return stage.hold_work_ns + stage.hold_delay_ns > 0


def _between(values: TargetValues, holding: list[int]) -> float:
    """Time between the first hold and the last one in which a box that is alone does not hold the lock, ns."""
    first, last = holding[0], holding[-1]
    inside = sum(stage.delay_ns + stage.work_ns for stage in values.stages[first : last + 1])
    return float(inside - values.stages[first].delay_ns - values.stages[last].work_ns)


def _check(*, cpus: int, residents: int, boxes: int = 1) -> None:
    for name, value, least in (("boxes", boxes, 1), ("cpus", cpus, 1), ("residents", residents, 0)):
        if value < least:
            raise UsageError(f"{name} is {value}", hint=f"give a whole number of at least {least}")
