"""Nodes of a network: work begins on CPUs that are shared, is complete, and is slowed by a crowd of jobs.

``share`` says what pieces receive. A node's speed is ``rates[min(n, c)]`` for ``n`` pieces on ``c`` CPUs, times what
the jobs that are alive leave of it. ``served = received + carry`` holds exactly in integers. The speed is rounded to a
unit: exact without inflation and crowding, otherwise by at most one part in 2**(SHIFT + 1).
"""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.heap import EXTRA, ITEM, STRIDE, pop, push
from bench.sim.engine.jit import compiled, inlined
from bench.sim.engine.layout import (
    ALIVE,
    AREA_PIECES,
    BUSY,
    COUNT,
    CPUS,
    CROWD_AT,
    DUE,
    FULL_PIECES,
    J_BEGAN,
    J_RECEIVED,
    J_WORK_WALL,
    JOB_STRIDE,
    LIMIT,
    MOST_SERVED,
    NEVER,
    NODE,
    NODES,
    NOW,
    PEAK_PIECES,
    RATES_AT,
    RECEIVED,
    ROOM_PIECES,
    SERIAL,
    SERVED,
    SHIFT,
    SPEED,
    STATUS,
    TOO_MUCH_WORK,
    VIRTUAL,
)
from bench.sim.engine.share import advance, due
from bench.sim.engine.speeds import crowded


@inlined
def bring_up(nodes: Ints, at: int, now: int) -> None:
    """Bring the node at ``at`` up to ``now``: its pieces, and the node's integrals."""
    elapsed = advance(nodes, at, now)
    if elapsed > 0:
        count = nodes[at + COUNT]
        nodes[at + BUSY] += min(count, nodes[at + CPUS]) * elapsed
        nodes[at + AREA_PIECES] += count * elapsed
        nodes[at + SERVED] += nodes[at + SPEED] * elapsed


@inlined
def _plan(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, at: int, base: int) -> None:
    """Find how fast the node is now, and when its first piece is complete."""
    speed = rates[nodes[at + RATES_AT] + min(nodes[at + COUNT], nodes[at + CPUS])]
    if nodes[at + CROWD_AT] > 0:
        speed = crowded(speed, rates[nodes[at + CROWD_AT] + cell[ALIVE]])
    nodes[at + SPEED] = speed
    nodes[at + DUE] = due(nodes, at, pieces[base])


@compiled
def crowd(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints) -> None:
    """Another number of jobs is alive from now on: nodes that follow the crowd have another speed."""
    for node in range(cell[NODES]):
        at = node * NODE
        if nodes[at + CROWD_AT] > 0:
            bring_up(nodes, at, cell[NOW])
            _plan(cell, rates, nodes, pieces, at, node * cell[ROOM_PIECES] * STRIDE)


@inlined
def begin(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, node: int, work: int, item: int) -> None:
    """Begin a piece of work on a node."""
    at = node * NODE
    bring_up(nodes, at, cell[NOW])
    count = nodes[at + COUNT]
    if count == cell[ROOM_PIECES]:
        cell[STATUS] = FULL_PIECES
        return
    if work > cell[LIMIT]:
        cell[STATUS] = TOO_MUCH_WORK
        return
    base = node * cell[ROOM_PIECES] * STRIDE
    begins = nodes[at + VIRTUAL]
    serial = cell[SERIAL]
    cell[SERIAL] = serial + 1
    push(pieces, base, count, begins + (work << cell[SHIFT]), serial, item, begins)
    nodes[at + COUNT] = count + 1
    nodes[at + PEAK_PIECES] = max(nodes[at + PEAK_PIECES], count + 1)
    _plan(cell, rates, nodes, pieces, at, base)


@inlined
def complete(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, node: int) -> int:
    """End the first piece of a node that is due. Returns the job that waited for it; -1: background work."""
    at = node * NODE
    base = node * cell[ROOM_PIECES] * STRIDE
    now = nodes[at + DUE]
    cell[NOW] = now
    bring_up(nodes, at, now)
    item = pieces[base + ITEM]
    received = nodes[at + VIRTUAL] - pieces[base + EXTRA]
    count = nodes[at + COUNT]
    pop(pieces, base, count)
    nodes[at + COUNT] = count - 1
    nodes[at + RECEIVED] += received
    if nodes[at + SERVED] > MOST_SERVED:
        cell[STATUS] = TOO_MUCH_WORK
    if count == 1:
        nodes[at + VIRTUAL] = 0
    _plan(cell, rates, nodes, pieces, at, base)
    if item % 2 == 1:
        return -1
    job = item // 2
    mine = job * cell[JOB_STRIDE]
    jobs[mine + J_RECEIVED] += received
    jobs[mine + J_WORK_WALL] += now - jobs[mine + J_BEGAN]
    return job


@inlined
def first_due(cell: Ints, nodes: Ints) -> int:
    """The node whose completion comes first, the first of equal ones; -1: all are idle."""
    first = -1
    soonest = NEVER
    for node in range(cell[NODES]):
        if nodes[node * NODE + DUE] < soonest:
            first = node
            soonest = nodes[node * NODE + DUE]
    return first
