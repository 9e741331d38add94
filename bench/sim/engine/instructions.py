"""What a job does: its program, instruction by instruction, until it waits or ends."""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.heap import push
from bench.sim.engine.jit import inlined
from bench.sim.engine.jobs import end
from bench.sim.engine.layout import (
    ACQUIRE,
    CODE,
    DELAY,
    ENDED,
    ENDLESS,
    EVENTS,
    GOING,
    GROWTH_BITS,
    J_ASKED,
    J_BEGAN,
    J_DEMANDS,
    J_DRAWS,
    J_LOOPS,
    J_NUMBER,
    J_PC,
    JOB_STRIDE,
    JUMP,
    LAW,
    LAW_PURPOSE,
    LAWS_AT,
    MARK,
    MOST_INSTRUCTIONS,
    NOW,
    PRIORITY,
    REPEAT,
    RESIDENTS,
    ROOM_TRACE,
    SEED,
    SERIAL,
    SKIP,
    STATUS,
    TRACE,
    TRACED,
    WAITS,
    WIDTH,
    WORK,
)
from bench.sim.engine.locks import use
from bench.sim.engine.nodes import begin
from bench.sim.engine.rng import uniform, variate


@inlined
def _amount(cell: Ints, code: Ints, jobs: Ints, mine: int, operand: int) -> int:
    """How long, ns: a demand of the job (from 0), or a new draw from a law (-1, -2, ...)."""
    if operand >= 0:
        return jobs[mine + J_DEMANDS + operand]
    law = -operand - 1
    at = cell[LAWS_AT] + LAW * law
    number = jobs[mine + J_DRAWS]
    jobs[mine + J_DRAWS] = number + 1
    u = uniform(cell[SEED], LAW_PURPOSE + law, jobs[mine + J_NUMBER], number)
    return variate(code[at], code[at + 1], code[at + 2], u)


@inlined
def _spend(
    cell: Ints, code: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, events: Ints, job: int, pc: int
) -> int:
    """DELAY, WORK and SPAWN."""
    mine = job * cell[JOB_STRIDE]
    at = pc * CODE
    kind = code[at]
    amount = _amount(cell, code, jobs, mine, code[at + 1])
    if kind == DELAY:
        if amount <= 0:
            return pc + 1
        jobs[mine + J_PC] = pc + 1
        serial = cell[SERIAL]
        cell[SERIAL] = serial + 1
        push(events, 0, cell[EVENTS], cell[NOW] + amount, PRIORITY + serial, job, 0)
        cell[EVENTS] += 1
        return WAITS
    if kind == WORK and code[at + 3] > 0:
        growth = jobs[mine + J_DEMANDS + code[at + 3] - 1]
        amount += (growth * (cell[RESIDENTS] + cell[ENDED])) >> GROWTH_BITS
    if amount <= 0:
        return pc + 1
    waits = kind == WORK
    if waits:
        jobs[mine + J_ASKED] += amount
        jobs[mine + J_PC] = pc + 1
        jobs[mine + J_BEGAN] = cell[NOW]
    begin(cell, rates, nodes, pieces, code[at + 2], amount, 2 * job if waits else 2 * job + 1)
    return WAITS if waits else pc + 1


@inlined
def _control(cell: Ints, code: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, job: int, pc: int) -> int:
    """MARK, JUMP, REPEAT, SKIP and END."""
    at = pc * CODE
    kind = code[at]
    mine = job * cell[JOB_STRIDE]
    if kind == MARK:
        jobs[mine + J_DEMANDS + cell[WIDTH] + code[at + 1]] = cell[NOW]
    elif kind == JUMP:
        return code[at + 1]
    elif kind == REPEAT:
        jobs[mine + J_LOOPS] += 1
        if jobs[mine + J_LOOPS] < code[at + 1]:
            return code[at + 2]
        jobs[mine + J_LOOPS] = 0
    elif kind == SKIP:
        if jobs[mine + J_DEMANDS + code[at + 1]] == 0 and jobs[mine + J_DEMANDS + code[at + 2]] == 0:
            return code[at + 3]
    else:
        end(cell, rates, nodes, pieces, jobs, job)
        return WAITS
    return pc + 1


@inlined
def proceed(
    cell: Ints,
    code: Ints,
    rates: Ints,
    nodes: Ints,
    pieces: Ints,
    locks: Ints,
    jobs: Ints,
    events: Ints,
    trace: Ints,
    job: int,
) -> None:
    """Run a job's instructions until it waits or ends."""
    mine = job * cell[JOB_STRIDE]
    pc = jobs[mine + J_PC]
    if cell[TRACED] < cell[ROOM_TRACE]:
        at = cell[TRACED] * TRACE
        trace[at] = cell[NOW]
        trace[at + 1] = jobs[mine + J_NUMBER]
        trace[at + 2] = pc
        cell[TRACED] += 1
    left = MOST_INSTRUCTIONS
    while pc >= 0 and cell[STATUS] == GOING:
        left -= 1
        if left == 0:
            cell[STATUS] = ENDLESS
        kind = code[pc * CODE]
        if kind < ACQUIRE:
            pc = _spend(cell, code, rates, nodes, pieces, jobs, events, job, pc)
        elif kind < MARK:
            pc = use(cell, code, locks, jobs, events, job, pc)
        else:
            pc = _control(cell, code, rates, nodes, pieces, jobs, job, pc)
