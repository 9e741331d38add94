"""Starts of boxes that contend with each other for CPUs and for their target's lock.

``simulate_starts`` answers one storm; ``simulate_many`` answers many sets of values under the same storms in one call,
which is what a fit needs. Both run the same kernel: a storm has the same integers in either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.engine import storms as kernels
from bench.sim.engine.arrays import Ints, array_of, floats, ints, zeros
from bench.sim.engine.heap import STRIDE
from bench.sim.engine.jit import JITTED, pure
from bench.sim.engine.layout import ARRIVAL, CELLS, GROWTH_BITS, LOCK, NODE
from bench.sim.engine.stages import STAGE
from bench.sim.lengths import Load, refuse_long, too_much
from bench.sim.limits import MOST_CPUS, MOST_FACTOR
from bench.sim.values import StageValues, TargetValues

_MOST_NS: Final = 1 << 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Many sets of values for one target: points of a fit's grid, or draws of a model."""

    endpoints: tuple[Endpoint, ...]
    """Where the stages end, in order of time."""
    stages_ns: NDArray[np.float64]
    """(points, stages, 5): delay, work, background, hold work and hold delay, as in StageValues; fractions are fine."""
    inflation: NDArray[np.float64]
    """(points,)"""
    growth_ns: NDArray[np.float64]
    """(points,)"""
    crowding: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(points,); 0 at all points where it is not given."""

    def __post_init__(self) -> None:
        if not len(self.crowding):
            object.__setattr__(self, "crowding", np.zeros(len(self.inflation)))


def stage_row(stage: StageValues) -> tuple[int, int, int, int, int]:
    """A stage as a row of ``Grid.stages_ns``."""
    return stage.delay_ns, stage.work_ns, stage.background_ns, stage.hold_work_ns, stage.hold_delay_ns


def grid_of(values: Sequence[TargetValues]) -> Grid:
    """Sets of values with the same endpoints as a grid. Raises ValueError: there are none, or endpoints differ."""
    if not values:
        raise ValueError("a grid needs at least one set of values")
    endpoints = tuple(stage.endpoint for stage in values[0].stages)
    if any(tuple(stage.endpoint for stage in one.stages) != endpoints for one in values):
        raise ValueError("the sets of values have different endpoints")
    return Grid(
        endpoints=endpoints,
        stages_ns=np.array([[stage_row(stage) for stage in one.stages] for one in values], dtype=np.float64),
        inflation=np.array([one.inflation for one in values]),
        growth_ns=np.array([one.growth_ns for one in values]),
        crowding=np.array([one.crowding for one in values]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Storm:
    """Boxes that are requested together."""

    scheduled_ns: NDArray[np.int64]
    """(boxes,) When each is requested, since any moment that is 0 for all of them."""
    residents: int = 0
    """Boxes of the target that live on the host already."""
    noise: NDArray[np.float64] | None = None
    """(boxes,) The factor of all times of each box; None: 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Starts:
    """What became of the boxes of a storm."""

    times_ns: Mapping[Endpoint, NDArray[np.int64]]
    """(boxes,) When each box reached the endpoint, since its own request."""
    lock_wait_ns: NDArray[np.int64]
    """(boxes,) How long each box waited for the lock."""
    cpu_wait_ns: NDArray[np.int64]
    """(boxes,) How much longer its own work took than alone on an idle host."""
    cpu_ns: int
    """CPU time that the host spent until everything was done, background work and inflation included."""
    cpu_until_up_ns: int
    """CPU time that the host spent until the last box was up, as a campaign records it."""
    busy_share: float
    """Share of the host's CPU time that was spent from the first request until the last box was up."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ManyStarts:
    """What became of the boxes of some storms, for each point of a grid; boxes of all storms one after another."""

    endpoints: tuple[Endpoint, ...]
    first: NDArray[np.int64]
    """(storms + 1,) Where each storm's boxes begin."""
    times_ns: NDArray[np.int64]
    """(points, boxes, stages) When a box reached the end of the stage, since its own request."""
    lock_wait_ns: NDArray[np.int64]
    """(points, boxes)"""
    cpu_wait_ns: NDArray[np.int64]
    """(points, boxes)"""
    cpu_ns: NDArray[np.int64]
    """(points, storms)"""
    cpu_until_up_ns: NDArray[np.int64]
    """(points, storms)"""
    busy_share: NDArray[np.float64]
    """(points, storms)"""
    events: NDArray[np.int64]
    """(points, storms) Events that were handled."""

    def goal_ns(self, storm: int) -> NDArray[np.int64]:
        """(points, boxes of the storm) When each box reached the last endpoint, since its own request."""
        return self.times_ns[:, self.first[storm] : self.first[storm + 1], -1]

    def starts(self, point: int, storm: int) -> Starts:
        """One storm at one point."""
        boxes = slice(self.first[storm], self.first[storm + 1])
        return Starts(
            times_ns={name: self.times_ns[point, boxes, at] for at, name in enumerate(self.endpoints)},
            lock_wait_ns=self.lock_wait_ns[point, boxes],
            cpu_wait_ns=self.cpu_wait_ns[point, boxes],
            cpu_ns=int(self.cpu_ns[point, storm]),
            cpu_until_up_ns=int(self.cpu_until_up_ns[point, storm]),
            busy_share=float(self.busy_share[point, storm]),
        )


def simulate_starts(
    values: TargetValues,
    *,
    cpus: int,
    scheduled_ns: NDArray[np.int64],
    residents: int = 0,
    noise: NDArray[np.float64] | None = None,
) -> Starts:
    """Start boxes of one target on one host.

    Args:
        cpus: CPUs that everything on the host shares.
        scheduled_ns: (boxes,) when each box is requested.
        residents: boxes of the target that live on the host already.
        noise: (boxes,) factor of all times of each box, as from ``bench.sim.noise.factors``; None: 1.

    Raises:
        ValueError: a value is negative or not finite, or shapes differ.
        UsageError: more boxes or longer work than 64-bit integers can hold.
    """
    storm = Storm(scheduled_ns=scheduled_ns, residents=residents, noise=noise)
    return simulate_many(grid_of([values]), [storm], cpus=cpus).starts(0, 0)


def simulate_many(grid: Grid, storms: Sequence[Storm], *, cpus: int, pure_python: bool = not JITTED) -> ManyStarts:
    """Simulate every storm at every point of a grid, in one call of a compiled kernel.

    The same storms, with the same noise, are used at all points: results are smooth in the values. A storm of 8 boxes
    takes some microseconds compiled. Memory is 8 bytes * points * boxes * (stages + 2): give a large grid in parts.

    Args:
        pure_python: do not use compiled code; the numbers are the same.

    Raises:
        ValueError: a value is negative or not finite, or shapes differ.
        UsageError: more boxes or longer work than 64-bit integers can hold.
    """
    _check_grid(grid, cpus)
    given = _line_up(storms)
    _refuse_long(grid, given, cpus)
    points, stages = grid.stages_ns.shape[:2]
    values = np.concatenate(
        [grid.stages_ns.reshape(points, -1), grid.growth_ns.reshape(points, 1) * (1 << GROWTH_BITS)], axis=1
    )
    boxes = int(given.first[-1])
    used: Any = (grid.stages_ns > 0).any(axis=0)
    code = kernels.program(used.tolist())
    most = int(np.diff(given.first).max())
    speeds = cpus + 1 + (most + 1 if grid.crowding.any() else 0)
    state = _state(code, stages, speeds, most, lists=pure_python)
    outputs = [zeros(points * count, lists=pure_python) for count in (boxes * stages, boxes * 2)]
    totals = zeros(points * len(storms) * kernels.TOTALS, lists=pure_python)
    kernel: Callable[..., int] = pure(kernels.run_storms) if pure_python else kernels.run_storms
    failed = kernel(
        *state,
        cpus,
        stages,
        floats(values, lists=pure_python),
        floats(grid.inflation, lists=pure_python),
        floats(grid.crowding, lists=pure_python),
        ints(given.first, lists=pure_python),
        ints(given.residents, lists=pure_python),
        ints(given.scheduled, lists=pure_python),
        ints(given.place, lists=pure_python),
        floats(given.factors, lists=pure_python),
        *outputs,
        totals,
    )
    if failed >= 0:
        raise too_much(len(storms[failed % len(storms)].scheduled_ns), float(grid.stages_ns.max()))
    times, waits = (array_of(output) for output in outputs)
    return _gather(grid, given, cpus, times, waits, array_of(totals))


class _Lined(NamedTuple):
    """All storms' boxes one after another, those of a storm by time of request."""

    first: NDArray[np.int64]
    residents: NDArray[np.int64]
    scheduled: NDArray[np.int64]
    place: NDArray[np.int64]
    """Which box of the caller each one is."""
    factors: NDArray[np.float64]


def _line_up(storms: Sequence[Storm]) -> _Lined:
    if not storms:
        raise ValueError("there is no storm to simulate")
    counts = [len(storm.scheduled_ns) for storm in storms]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    scheduled = np.concatenate([np.asarray(storm.scheduled_ns, dtype=np.int64) for storm in storms])
    factors = np.concatenate(
        [np.ones(count) if storm.noise is None else storm.noise for storm, count in zip(storms, counts, strict=True)]
    )
    residents = np.array([storm.residents for storm in storms], dtype=np.int64)
    if min(counts) < 1 or len(factors) != len(scheduled) or residents.min() < 0:
        raise ValueError("a storm needs at least one box, one factor per box, and no fewer than 0 residents")
    if scheduled.min() < 0 or scheduled.max() > _MOST_NS:
        raise ValueError("a box is requested before 0 or after more than 36 years")
    if not (factors.min() > 0 and factors.max() <= MOST_FACTOR):  # also false for a value that is no number
        raise ValueError(f"the factor of a box is not a positive number of at most {MOST_FACTOR:g}")
    storm_of = np.repeat(np.arange(len(storms)), counts)
    place = np.lexsort((scheduled, storm_of)).astype(np.int64)
    return _Lined(first, residents, scheduled[place], place, factors[place])


def _check_grid(grid: Grid, cpus: int) -> None:
    points = len(grid.inflation)
    shapes = [one.shape for one in (grid.stages_ns, grid.growth_ns, grid.crowding)]
    if shapes != [(points, len(grid.endpoints), STAGE), (points,), (points,)]:
        raise ValueError(
            f"a grid of {points} points and {len(grid.endpoints)} endpoints cannot have values of the shapes {shapes}"
        )
    if not points or not grid.endpoints:
        raise ValueError("a grid needs at least one point and one stage")
    if not 1 <= cpus <= MOST_CPUS:
        raise ValueError(f"a host cannot have {cpus} CPUs: from 1 to {MOST_CPUS}")
    given = {
        "time": grid.stages_ns,
        "inflation": grid.inflation,
        "growth": grid.growth_ns,
        "crowding": grid.crowding,
    }
    for name, values in given.items():
        if not values.min() >= 0:  # also true for a value that is no number
            raise ValueError(f"a value of {name} is negative or not a number")


def _state(code: list[int], stages: int, speeds: int, boxes: int, *, lists: bool) -> list[Ints]:
    """The arrays of ``layout``, with room for so many speeds and for the largest storm."""
    sizes = (
        speeds,
        NODE,
        boxes * (1 + stages) * STRIDE,
        LOCK,
        boxes * kernels.job_stride(stages),
        boxes * STRIDE,
        boxes * (ARRIVAL + kernels.width(stages)),
        1,
    )
    return [zeros(CELLS, lists=lists), ints(code, lists=lists), *(zeros(size, lists=lists) for size in sizes)]


def _gather(
    grid: Grid,
    given: _Lined,
    cpus: int,
    times: NDArray[np.int64],
    waits: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> ManyStarts:
    points, boxes, storms = len(grid.inflation), int(given.first[-1]), len(given.residents)
    wait = waits.reshape(points, boxes, 2)
    total = totals.reshape(points, storms, kernels.TOTALS)
    span = total[:, :, kernels.UP] - given.scheduled[given.first[:-1]]
    busy = total[:, :, kernels.CPU_AT_END] / np.maximum(1, span * cpus)
    return ManyStarts(
        endpoints=grid.endpoints,
        first=given.first,
        times_ns=times.reshape(points, boxes, len(grid.endpoints)),
        lock_wait_ns=wait[:, :, 0],
        cpu_wait_ns=wait[:, :, 1],
        cpu_ns=total[:, :, kernels.CPU],
        cpu_until_up_ns=total[:, :, kernels.CPU_AT_END],
        busy_share=busy,
        events=total[:, :, kernels.HANDLED],
    )


def _refuse_long(grid: Grid, given: _Lined, cpus: int) -> None:
    """Raise UsageError if the times of a storm could leave 64 bits."""
    load = Load(
        boxes=int(np.diff(given.first).max()),
        start_ns=float(grid.stages_ns.sum(axis=(1, 2)).max()),
        stage_ns=float(grid.stages_ns.max()),
        stages=grid.stages_ns.shape[1],
        growth_ns=float(grid.growth_ns.max()),
        factor=float(given.factors.max()),
    )
    refuse_long(
        [load],
        residents=int(given.residents.max()),
        cpus=cpus,
        inflation=float(grid.inflation.max()),
        crowding=float(grid.crowding.max()),
        last_ns=float(given.scheduled.max()),
    )
