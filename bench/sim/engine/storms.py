"""Many storms of one target in one call: each set of values under each storm, with nothing allocated in between.

The stages of a start become one program for all boxes. A box's demands are the target's values times the box's factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.sim.engine.arrays import Floats, Ints
from bench.sim.engine.jit import compiled
from bench.sim.engine.layout import (
    AREA_PIECES,
    ARRIVAL,
    ARRIVALS,
    BUSY,
    BUSY_AT_END,
    CAPACITY,
    CELLS,
    CPUS,
    CROWD_AT,
    CROWDED,
    DONE,
    DUE,
    FIRST,
    FREE,
    FREE_JOB,
    GOING,
    GROWTH_BITS,
    J_ASKED,
    J_DEMANDS,
    J_LOCK_WAIT,
    J_WORK_WALL,
    JOB_STRIDE,
    LAST_END,
    LIMIT,
    LOCK,
    NEVER,
    NODE,
    NODES,
    RESIDENTS,
    ROOM_JOBS,
    ROOM_PIECES,
    SHIFT,
    STATUS,
    STEPS,
    TOO_MUCH_WORK,
    WIDTH,
)
from bench.sim.engine.loop import run
from bench.sim.engine.program import Program
from bench.sim.engine.rng import to_ns
from bench.sim.engine.speeds import LEAST_SHIFT, MOST_SHIFT, ROOM_BITS, crowded, fill_crowd, fill_speeds
from bench.sim.engine.stages import STAGE, add_stage

CPU: Final = 0
"""CPU time of everything until the host is idle again, ns."""
CPU_AT_END: Final = 1
"""CPU time until the last box was up, ns."""
UP: Final = 2
"""When the last box was up, ns since the start of the simulation."""
PIECES: Final = 3
"""Integral of the running pieces of work over time."""
HANDLED: Final = 4
"""Events."""
TOTALS: Final = 5


def program(used: Sequence[Sequence[bool]]) -> list[int]:
    """The instructions of a start. Demands are the stages' values, then the growth of the hold.

    Args:
        used: (stages, STAGE) whether the value is above 0 anywhere; see ``add_stage``.
    """
    built = Program()
    for stage, its in enumerate(used):
        add_stage(built, stage, growth=len(used) * STAGE, used=its)
        built.mark(stage)
    return built.end().code


def width(stages: int) -> int:
    """Demands of a box."""
    return stages * STAGE + 1


def job_stride(stages: int) -> int:
    """Integers of a job: its fields, its demands, and one mark per stage."""
    return J_DEMANDS + width(stages) + stages


@compiled
def _reset(
    cell: Ints, nodes: Ints, locks: Ints, boxes: int, stages: int, cpus: int, residents: int, crowd: int
) -> None:
    """An idle host at time 0."""
    for at in range(CELLS):
        cell[at] = 0
    for at in range(NODE):
        nodes[at] = 0
    for at in range(LOCK):
        locks[at] = 0
    cell[STATUS] = GOING
    cell[ARRIVALS] = boxes
    cell[FREE_JOB] = -1
    cell[ROOM_JOBS] = boxes
    cell[ROOM_PIECES] = boxes * (1 + stages)
    cell[NODES] = 1
    cell[WIDTH] = stages * STAGE + 1
    cell[JOB_STRIDE] = J_DEMANDS + cell[WIDTH] + stages
    cell[RESIDENTS] = residents
    nodes[DUE] = NEVER
    nodes[CPUS] = cpus
    if crowd == 1:
        cell[CROWDED] = 1
        nodes[CROWD_AT] = cpus + 1
    locks[FREE] = 1
    locks[CAPACITY] = 1
    locks[FIRST] = -1


@compiled
def _load(cell: Ints, source: Ints, values: Floats, at: int, scheduled: Ints, factors: Floats, first: int) -> int:
    """Write the boxes' arrivals. Returns the most work that one piece can have, ns."""
    wide = cell[WIDTH]
    most = 0
    for box in range(cell[ARRIVALS]):
        row = box * (ARRIVAL + wide)
        source[row] = scheduled[first + box]
        source[row + 1] = 0
        factor = factors[first + box]
        work = 0
        for slot in range(wide):
            demand = to_ns(values[at + slot] * factor)
            source[row + ARRIVAL + slot] = demand
            if slot % STAGE != 0 and slot % STAGE != STAGE - 1:
                work = max(work, demand)
        growth = source[row + ARRIVAL + wide - 1]
        most = max(most, work + ((growth * (cell[RESIDENTS] + cell[ARRIVALS])) >> GROWTH_BITS))
    return most


@compiled
def _tune(cell: Ints, rates: Ints, cpus: int, inflation: float, most: int) -> None:
    """Choose the unit of work and make the table of speeds. TOO_MUCH_WORK: no unit is fine enough.

    A CPU does at least 2**LEAST_SHIFT units per ns, also beside all boxes of the storm.
    """
    room = (1 << ROOM_BITS) // (most + 1)
    shift = MOST_SHIFT
    while shift > 0 and (cell[ROOM_PIECES] << shift) > room:
        shift -= 1
    cell[SHIFT] = shift
    cell[LIMIT] = most
    fill_speeds(rates, 0, cpus, inflation, shift)
    finest = 1 << shift
    if cell[CROWDED] == 1:
        finest = crowded(finest, rates[cpus + 1 + cell[ARRIVALS]])
    if finest < 1 << LEAST_SHIFT:
        cell[STATUS] = TOO_MUCH_WORK


@compiled
def _save(cell: Ints, jobs: Ints, place: Ints, scheduled: Ints, first: int, to: int, times: Ints, waits: Ints) -> None:
    """Write what became of the boxes: ``place`` says which box of the caller each one is, counted from ``to``."""
    stages = (cell[WIDTH] - 1) // STAGE
    for box in range(cell[ARRIVALS]):
        mine = box * cell[JOB_STRIDE]
        out = to + place[first + box]
        marks = mine + J_DEMANDS + cell[WIDTH]
        for stage in range(stages):
            times[out * stages + stage] = jobs[marks + stage] - scheduled[first + box]
        waits[2 * out] = jobs[mine + J_LOCK_WAIT]
        waits[2 * out + 1] = jobs[mine + J_WORK_WALL] - jobs[mine + J_ASKED]


@compiled
def _sum_up(cell: Ints, nodes: Ints, totals: Ints, at: int) -> None:
    totals[at + CPU] = nodes[BUSY]
    totals[at + CPU_AT_END] = nodes[BUSY_AT_END]
    totals[at + UP] = cell[LAST_END]
    totals[at + PIECES] = nodes[AREA_PIECES]
    totals[at + HANDLED] = cell[STEPS]


@compiled
def run_storms(
    cell: Ints,
    code: Ints,
    rates: Ints,
    nodes: Ints,
    pieces: Ints,
    locks: Ints,
    jobs: Ints,
    events: Ints,
    source: Ints,
    trace: Ints,
    cpus: int,
    stages: int,
    values: Floats,
    inflations: Floats,
    crowdings: Floats,
    firsts: Ints,
    residents: Ints,
    scheduled: Ints,
    place: Ints,
    factors: Floats,
    times: Ints,
    waits: Ints,
    totals: Ints,
) -> int:
    """Simulate each set of values under each storm. Storm ``s`` has the boxes ``firsts[s]`` to ``firsts[s + 1]``.

    ``rates`` holds the CPUs' speeds and, if there is crowding, then what a crowd of up to the largest storm leaves.

    Returns -1, or the number of the storm (counted over all sets of values) that cannot be computed.
    """
    storms = len(residents)
    boxes = firsts[storms]
    for point in range(len(inflations)):
        crowd = 0
        if crowdings[point] > 0:
            crowd = 1
            fill_crowd(rates, cpus + 1, cpus, crowdings[point], len(rates) - cpus - 2)
        for storm in range(storms):
            first = firsts[storm]
            _reset(cell, nodes, locks, firsts[storm + 1] - first, stages, cpus, residents[storm], crowd)
            most = _load(cell, source, values, point * (stages * STAGE + 1), scheduled, factors, first)
            _tune(cell, rates, cpus, inflations[point], most)
            run(cell, code, rates, nodes, pieces, locks, jobs, events, source, trace)
            if cell[STATUS] != DONE:
                return point * storms + storm
            _save(cell, jobs, place, scheduled, first, point * boxes, times, waits)
            _sum_up(cell, nodes, totals, (point * storms + storm) * TOTALS)
    return -1
