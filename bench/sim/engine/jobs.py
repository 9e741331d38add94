"""Jobs of a network: they arrive, are alive, and end; the place of one that has ended may be used again."""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.jit import inlined
from bench.sim.engine.layout import (
    ALIVE,
    AREA_ALIVE,
    ARRIVAL,
    ARRIVED,
    BUSY,
    BUSY_AT_END,
    CHANGED,
    COUNT,
    CPUS,
    CROWDED,
    CURSOR,
    ENDED,
    FREE_JOB,
    FRESH,
    FULL_JOBS,
    J_BORN,
    J_DEMANDS,
    J_ENDED,
    J_NEXT,
    J_NUMBER,
    J_PC,
    JOB_STRIDE,
    LAST_END,
    NODE,
    NODES,
    NOW,
    PEAK_ALIVE,
    RECYCLE,
    ROOM_JOBS,
    SINCE,
    SOJOURN,
    STATUS,
    WIDTH,
)
from bench.sim.engine.nodes import crowd


@inlined
def _population(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, change: int) -> None:
    """One job more, or one less, is alive from now on."""
    cell[AREA_ALIVE] += cell[ALIVE] * (cell[NOW] - cell[CHANGED])
    cell[CHANGED] = cell[NOW]
    cell[ALIVE] += change
    if cell[CROWDED] == 1:
        crowd(cell, rates, nodes, pieces)


@inlined
def end(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, job: int) -> None:
    """The job leaves."""
    mine = job * cell[JOB_STRIDE]
    now = cell[NOW]
    _population(cell, rates, nodes, pieces, -1)
    cell[ENDED] += 1
    cell[SOJOURN] += now - jobs[mine + J_BORN]
    cell[LAST_END] = now
    jobs[mine + J_ENDED] = now
    for node in range(cell[NODES]):
        at = node * NODE
        busy = min(nodes[at + COUNT], nodes[at + CPUS])
        nodes[at + BUSY_AT_END] = nodes[at + BUSY] + busy * (now - nodes[at + SINCE])
    if cell[RECYCLE] == 1:
        jobs[mine + J_NEXT] = cell[FREE_JOB]
        cell[FREE_JOB] = job


@inlined
def _place(cell: Ints, jobs: Ints) -> int:
    """A place for a new job; -1: there is none."""
    job = cell[FREE_JOB]
    if job >= 0:
        cell[FREE_JOB] = jobs[job * cell[JOB_STRIDE] + J_NEXT]
        return job
    if cell[FRESH] == cell[ROOM_JOBS]:
        return -1
    job = cell[FRESH]
    cell[FRESH] = job + 1
    return job


@inlined
def arrive(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, source: Ints) -> int:
    """Let the next arrival in. Returns its job; -1: there is no place for it."""
    job = _place(cell, jobs)
    if job < 0:
        cell[STATUS] = FULL_JOBS
        return -1
    width = cell[WIDTH]
    row = cell[CURSOR] * (ARRIVAL + width)
    cell[CURSOR] += 1
    cell[NOW] = source[row]
    mine = job * cell[JOB_STRIDE]
    for field in range(J_DEMANDS):
        jobs[mine + field] = 0
    jobs[mine + J_PC] = source[row + 1]
    jobs[mine + J_BORN] = cell[NOW]
    jobs[mine + J_NUMBER] = cell[ARRIVED]
    jobs[mine + J_ENDED] = -1
    for slot in range(width):
        jobs[mine + J_DEMANDS + slot] = source[row + ARRIVAL + slot]
    for mark in range(mine + J_DEMANDS + width, mine + cell[JOB_STRIDE]):
        jobs[mark] = -1
    cell[ARRIVED] += 1
    _population(cell, rates, nodes, pieces, 1)
    cell[PEAK_ALIVE] = max(cell[PEAK_ALIVE], cell[ALIVE])
    return job
