"""The step loop: one event after the other, in an exact total order, on flat arrays of integers.

The next event is the one with the least time. At the same time: first completions of work, by node and then by
(virtual time of the completion, serial number); then grants of locks, then ends of delays, each by serial number; then
arrivals, in their order. Serial numbers are given when an event, or a piece of work, is made. A job runs its
instructions until it waits; a demand of 0 is no wait and makes no event.

``share`` and ``nodes`` say how work is done, ``locks`` who waits, ``instructions`` what jobs do, ``layout`` what lies
where.
"""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.heap import ITEM, pop
from bench.sim.engine.instructions import proceed
from bench.sim.engine.jit import compiled, inlined
from bench.sim.engine.jobs import arrive
from bench.sim.engine.layout import (
    ARRIVAL,
    ARRIVALS,
    CURSOR,
    DONE,
    DUE,
    EVENTS,
    GOING,
    HUNGRY,
    MORE,
    NEVER,
    NODE,
    NOW,
    STATUS,
    STEPS,
    WIDTH,
)
from bench.sim.engine.nodes import complete, first_due


@inlined
def _next(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, events: Ints, source: Ints) -> int:
    """Take the next event. Returns the job that goes on; -1: none does."""
    arrives = NEVER
    if cell[CURSOR] < cell[ARRIVALS]:
        arrives = source[cell[CURSOR] * (ARRIVAL + cell[WIDTH])]
    elif cell[MORE] == 1:
        cell[STATUS] = HUNGRY
        return -1
    happens = NEVER
    if cell[EVENTS] > 0:
        happens = events[0]
    soonest = min(happens, arrives)
    node = first_due(cell, nodes)
    if node >= 0 and nodes[node * NODE + DUE] <= soonest:
        cell[STEPS] += 1
        return complete(cell, rates, nodes, pieces, jobs, node)
    if cell[EVENTS] > 0 and happens <= arrives:
        cell[STEPS] += 1
        cell[NOW] = happens
        job = events[ITEM]
        pop(events, 0, cell[EVENTS])
        cell[EVENTS] -= 1
        return job
    if arrives == NEVER:
        cell[STATUS] = DONE
        return -1
    job = arrive(cell, rates, nodes, pieces, jobs, source)
    if job >= 0:
        cell[STEPS] += 1
    return job


@compiled
def run(
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
) -> None:
    """Handle events until STATUS is no longer GOING: nothing is left, or the caller has to act."""
    while cell[STATUS] == GOING:
        job = _next(cell, rates, nodes, pieces, jobs, events, source)
        if job >= 0:
            proceed(cell, code, rates, nodes, pieces, locks, jobs, events, trace, job)
