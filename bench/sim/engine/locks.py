"""Locks of a network: FIFO resources with so many units. A job that finds none waits; a grant is an event."""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.heap import push
from bench.sim.engine.jit import inlined
from bench.sim.engine.layout import (
    AREA_HELD,
    AREA_WAITING,
    CAPACITY,
    CODE,
    EVENTS,
    FIRST,
    FREE,
    GRANTS,
    J_BEGAN,
    J_LOCK_WAIT,
    J_NEXT,
    J_PC,
    JOB_STRIDE,
    LAST,
    LOCK,
    LOCK_SINCE,
    NOT_HELD,
    NOW,
    PEAK_HELD,
    PEAK_WAITING,
    REFUSED,
    RELEASE,
    SERIAL,
    STATUS,
    TRY_ACQUIRE,
    WAITED,
    WAITING,
    WAITS,
)


@inlined
def _touch(locks: Ints, at: int, now: int) -> None:
    """Bring the integrals of the lock at ``at`` up to ``now``."""
    elapsed = now - locks[at + LOCK_SINCE]
    if elapsed > 0:
        locks[at + LOCK_SINCE] = now
        locks[at + AREA_WAITING] += elapsed * locks[at + WAITING]
        locks[at + AREA_HELD] += elapsed * (locks[at + CAPACITY] - locks[at + FREE])


@inlined
def _acquire(cell: Ints, locks: Ints, jobs: Ints, at: int, job: int, pc: int) -> int:
    if locks[at + FREE] > 0:
        locks[at + FREE] -= 1
        locks[at + GRANTS] += 1
        locks[at + PEAK_HELD] = max(locks[at + PEAK_HELD], locks[at + CAPACITY] - locks[at + FREE])
        return pc + 1
    mine = job * cell[JOB_STRIDE]
    jobs[mine + J_PC] = pc + 1
    jobs[mine + J_BEGAN] = cell[NOW]
    jobs[mine + J_NEXT] = -1
    if locks[at + WAITING] == 0:
        locks[at + FIRST] = job
    else:
        jobs[locks[at + LAST] * cell[JOB_STRIDE] + J_NEXT] = job
    locks[at + LAST] = job
    locks[at + WAITING] += 1
    locks[at + PEAK_WAITING] = max(locks[at + PEAK_WAITING], locks[at + WAITING])
    return WAITS


@inlined
def _release(cell: Ints, locks: Ints, jobs: Ints, events: Ints, at: int) -> None:
    """Give one unit back, or on to the job that has waited longest."""
    if locks[at + FREE] == locks[at + CAPACITY]:
        cell[STATUS] = NOT_HELD
        return
    if locks[at + WAITING] == 0:
        locks[at + FREE] += 1
        return
    job = locks[at + FIRST]
    mine = job * cell[JOB_STRIDE]
    waited = cell[NOW] - jobs[mine + J_BEGAN]
    locks[at + FIRST] = jobs[mine + J_NEXT]
    locks[at + WAITING] -= 1
    locks[at + GRANTS] += 1
    locks[at + WAITED] += waited
    jobs[mine + J_LOCK_WAIT] += waited
    serial = cell[SERIAL]
    cell[SERIAL] = serial + 1
    push(events, 0, cell[EVENTS], cell[NOW], serial, job, 0)
    cell[EVENTS] += 1


@inlined
def use(cell: Ints, code: Ints, locks: Ints, jobs: Ints, events: Ints, job: int, pc: int) -> int:
    """ACQUIRE, TRY_ACQUIRE and RELEASE."""
    at = code[pc * CODE + 1] * LOCK
    kind = code[pc * CODE]
    _touch(locks, at, cell[NOW])
    if kind == RELEASE:
        _release(cell, locks, jobs, events, at)
        return pc + 1
    if kind == TRY_ACQUIRE and locks[at + FREE] == 0:
        locks[at + REFUSED] += 1
        return code[pc * CODE + 2]
    return _acquire(cell, locks, jobs, at, job, pc)
