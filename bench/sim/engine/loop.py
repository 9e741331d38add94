"""The step loop: one event after the other, in an exact total order, on flat arrays of integers.

**Order.** The next event is the one with the least time. At the same time: first completions of work, by node and then
by (virtual time of the completion, serial number); then grants of locks, then ends of delays, each by serial number;
then arrivals, in their order. Serial numbers are given when an event, or a piece of work, is made. A job runs its
instructions until it waits; a demand of 0 is no wait and makes no event.

**Processor sharing.** ``n`` pieces on ``c`` CPUs share the node's total speed ``S[min(n, c)]``, in units of work (of
2**-SHIFT ns) per ns. In ``t`` ns each piece receives ``(t * S + carry) // n`` units and the remainder is carried: no
work is lost or made, and ``served = received + carry`` holds exactly in integers. A piece of work ``w`` that begins at
the node's virtual time V is complete at V + w: one heap per node, O(log n) per event. It completes at the first whole
ns at which it has received its work, so an event is late by less than 1 ns, and what it received beyond its work (less
than 1 ns of work) is counted as received. ``S`` is rounded to a unit: exact without inflation, otherwise by at most
one part in 2**(SHIFT + 1).
"""

from __future__ import annotations

from bench.sim.engine.arrays import Ints
from bench.sim.engine.heap import EXTRA, ITEM, STRIDE, pop, push
from bench.sim.engine.jit import compiled, inlined
from bench.sim.engine.layout import (
    ACQUIRE,
    ALIVE,
    AREA_ALIVE,
    AREA_HELD,
    AREA_PIECES,
    AREA_WAITING,
    ARRIVAL,
    ARRIVALS,
    ARRIVED,
    BUSY,
    BUSY_AT_END,
    CAPACITY,
    CARRY,
    CHANGED,
    CODE,
    COUNT,
    CPUS,
    CURSOR,
    DELAY,
    DONE,
    DUE,
    ENDED,
    ENDLESS,
    EVENTS,
    FIRST,
    FREE,
    FREE_JOB,
    FRESH,
    FULL_JOBS,
    FULL_PIECES,
    GOING,
    GRANTS,
    GROWTH_BITS,
    HUNGRY,
    J_ASKED,
    J_BEGAN,
    J_BORN,
    J_DEMANDS,
    J_DRAWS,
    J_ENDED,
    J_LOCK_WAIT,
    J_LOOPS,
    J_NEXT,
    J_NUMBER,
    J_PC,
    J_RECEIVED,
    J_WORK_WALL,
    JOB_STRIDE,
    JUMP,
    LAST,
    LAST_END,
    LAW,
    LAW_PURPOSE,
    LAWS_AT,
    LIMIT,
    LOCK,
    LOCK_SINCE,
    MARK,
    MORE,
    MOST_INSTRUCTIONS,
    MOST_SERVED,
    NEVER,
    NODE,
    NODES,
    NOT_HELD,
    NOW,
    PEAK_ALIVE,
    PEAK_HELD,
    PEAK_PIECES,
    PEAK_WAITING,
    PRIORITY,
    RATES_AT,
    RECEIVED,
    RECYCLE,
    REFUSED,
    RELEASE,
    REPEAT,
    RESIDENTS,
    ROOM_JOBS,
    ROOM_PIECES,
    ROOM_TRACE,
    SEED,
    SERIAL,
    SERVED,
    SHIFT,
    SINCE,
    SKIP,
    SOJOURN,
    SPAWN,
    STATUS,
    STEPS,
    TOO_MUCH_WORK,
    TRACE,
    TRACED,
    TRY_ACQUIRE,
    VIRTUAL,
    WAITED,
    WAITING,
    WIDTH,
    WORK,
)
from bench.sim.engine.rng import uniform, variate

_WAITS = -1
"""What an instruction returns when the job cannot go on now."""


@inlined
def _serial(cell: Ints) -> int:
    number = cell[SERIAL]
    cell[SERIAL] = number + 1
    return number


@inlined
def advance(rates: Ints, nodes: Ints, at: int, now: int) -> None:
    """Bring the node at ``at`` up to ``now``: give its pieces what they have received."""
    elapsed = now - nodes[at + SINCE]
    nodes[at + SINCE] = now
    count = nodes[at + COUNT]
    if elapsed == 0 or count == 0:
        return
    busy = min(count, nodes[at + CPUS])
    served = rates[nodes[at + RATES_AT] + busy] * elapsed
    nodes[at + BUSY] += busy * elapsed
    nodes[at + AREA_PIECES] += count * elapsed
    nodes[at + SERVED] += served
    given = served + nodes[at + CARRY]
    each = given // count
    nodes[at + VIRTUAL] += each
    nodes[at + CARRY] = given - each * count


@inlined
def _schedule(rates: Ints, nodes: Ints, pieces: Ints, at: int, base: int) -> None:
    """Find when the node's first piece is complete."""
    count = nodes[at + COUNT]
    if count == 0:
        nodes[at + DUE] = NEVER
        return
    now = nodes[at + SINCE]
    missing = (pieces[base] - nodes[at + VIRTUAL]) * count - nodes[at + CARRY]
    if missing <= 0:
        nodes[at + DUE] = now
        return
    speed = rates[nodes[at + RATES_AT] + min(count, nodes[at + CPUS])]
    nodes[at + DUE] = now + (missing + speed - 1) // speed


@inlined
def _begin(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, node: int, work: int, item: int) -> None:
    """Begin a piece of work on a node."""
    at = node * NODE
    advance(rates, nodes, at, cell[NOW])
    count = nodes[at + COUNT]
    if count == cell[ROOM_PIECES]:
        cell[STATUS] = FULL_PIECES
        return
    if work > cell[LIMIT]:
        cell[STATUS] = TOO_MUCH_WORK
        return
    base = node * cell[ROOM_PIECES] * STRIDE
    begins = nodes[at + VIRTUAL]
    push(pieces, base, count, begins + (work << cell[SHIFT]), _serial(cell), item, begins)
    nodes[at + COUNT] = count + 1
    nodes[at + PEAK_PIECES] = max(nodes[at + PEAK_PIECES], count + 1)
    _schedule(rates, nodes, pieces, at, base)


@inlined
def _complete(cell: Ints, rates: Ints, nodes: Ints, pieces: Ints, jobs: Ints, node: int) -> int:
    """End the first piece of a node that is due. Returns the job that waited for it; -1: background work."""
    at = node * NODE
    base = node * cell[ROOM_PIECES] * STRIDE
    now = nodes[at + DUE]
    cell[NOW] = now
    advance(rates, nodes, at, now)
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
    _schedule(rates, nodes, pieces, at, base)
    if item % 2 == 1:
        return -1
    job = item // 2
    mine = job * cell[JOB_STRIDE]
    jobs[mine + J_RECEIVED] += received
    jobs[mine + J_WORK_WALL] += now - jobs[mine + J_BEGAN]
    return job


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
        push(events, 0, cell[EVENTS], cell[NOW] + amount, PRIORITY + _serial(cell), job, 0)
        cell[EVENTS] += 1
        return _WAITS
    if kind == WORK and code[at + 3] > 0:
        growth = jobs[mine + J_DEMANDS + code[at + 3] - 1]
        amount += (growth * (cell[RESIDENTS] + cell[ENDED])) >> GROWTH_BITS
    if amount <= 0:
        return pc + 1
    if kind == SPAWN:
        _begin(cell, rates, nodes, pieces, code[at + 2], amount, 2 * job + 1)
        return pc + 1
    jobs[mine + J_ASKED] += amount
    jobs[mine + J_PC] = pc + 1
    jobs[mine + J_BEGAN] = cell[NOW]
    _begin(cell, rates, nodes, pieces, code[at + 2], amount, 2 * job)
    return _WAITS


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
    return _WAITS


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
    push(events, 0, cell[EVENTS], cell[NOW], _serial(cell), job, 0)
    cell[EVENTS] += 1


@inlined
def _use(cell: Ints, code: Ints, locks: Ints, jobs: Ints, events: Ints, job: int, pc: int) -> int:
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


@inlined
def _control(cell: Ints, code: Ints, nodes: Ints, jobs: Ints, job: int, pc: int) -> int:
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
        _end(cell, nodes, jobs, job)
        return _WAITS
    return pc + 1


@inlined
def _population(cell: Ints, change: int) -> None:
    cell[AREA_ALIVE] += cell[ALIVE] * (cell[NOW] - cell[CHANGED])
    cell[CHANGED] = cell[NOW]
    cell[ALIVE] += change


@inlined
def _end(cell: Ints, nodes: Ints, jobs: Ints, job: int) -> None:
    mine = job * cell[JOB_STRIDE]
    now = cell[NOW]
    _population(cell, -1)
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
def _proceed(
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
            pc = _use(cell, code, locks, jobs, events, job, pc)
        else:
            pc = _control(cell, code, nodes, jobs, job, pc)


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
def _arrive(cell: Ints, jobs: Ints, source: Ints) -> int:
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
    _population(cell, 1)
    cell[PEAK_ALIVE] = max(cell[PEAK_ALIVE], cell[ALIVE])
    return job


@inlined
def _first_due(cell: Ints, nodes: Ints) -> int:
    """The node whose completion comes first; -1: all are idle."""
    first = -1
    due = NEVER
    for node in range(cell[NODES]):
        if nodes[node * NODE + DUE] < due:
            first = node
            due = nodes[node * NODE + DUE]
    return first


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
    node = _first_due(cell, nodes)
    if node >= 0 and nodes[node * NODE + DUE] <= min(happens, arrives):
        cell[STEPS] += 1
        return _complete(cell, rates, nodes, pieces, jobs, node)
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
    job = _arrive(cell, jobs, source)
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
            _proceed(cell, code, rates, nodes, pieces, locks, jobs, events, trace, job)
