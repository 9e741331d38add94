"""A host's CPUs, shared equally by all work on them: by virtual time, so that a change costs O(log n).

A piece that begins when every piece of the host has received ``V`` ends when every piece has received ``V + work``. The
rows of a host's pieces form a skew heap in order of their ends; a tree over hosts knows which piece ends first.
"""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, State
from bench.sim.fleet.kernel.sums import add

_FAR = 2**61
"""Virtual time is counted anew beyond this."""


@compiled
def bring_up(state: State, at: int) -> None:
    """Give the pieces of a host what they have received until now; as ``bench.sim.engine.loop.advance`` does."""
    host, now = state.host, state.scalar[c.NOW]
    running = host[at, c.RUNNING]
    span = now - host[at, c.VIRTUAL_AT]
    host[at, c.VIRTUAL_AT] = now
    if running == 0 or span == 0:
        return
    busy = min(running, state.setting[c.CPUS])
    given = state.speed[busy] * span + host[at, c.CARRY]
    each = given // running
    host[at, c.VIRTUAL] += each
    host[at, c.CARRY] = given - each * running
    add(state.total, c.SUM_CPU, busy * span)


@compiled
def begin_work(state: State, at: int, work: int, worker: int) -> None:
    """A piece of ``work`` ns begins on a host. There is a free row: ``loop.run`` has checked it."""
    scalar, piece, host = state.scalar, state.piece, state.host
    bring_up(state, at)
    if host[at, c.VIRTUAL] > _FAR:
        _begin_anew(state, at)
    row = scalar[c.PIECE_FREE]
    if row == c.NONE:
        row = scalar[c.PIECE_USED]
        scalar[c.PIECE_USED] += 1
    else:
        scalar[c.PIECE_FREE] = piece[row, c.LEFT]
    piece[row, c.ENDS] = host[at, c.VIRTUAL] + (work << state.setting[c.SHIFT])
    piece[row, c.PIECE_SERIAL] = scalar[c.SERIAL]
    scalar[c.SERIAL] += 1
    piece[row, c.WORKER] = worker
    piece[row, c.LEFT] = c.NONE
    piece[row, c.RIGHT] = c.NONE
    add(state.total, c.SUM_START_WORK, work)
    host[at, c.ROOT] = _merged(piece, host[at, c.ROOT], row)
    host[at, c.RUNNING] += 1
    plan_end(state, at)


@compiled
def _begin_anew(state: State, at: int) -> None:
    """Count virtual time from now on: a host that is never idle would come to the end of the integers."""
    piece, host = state.piece, state.host
    past = host[at, c.VIRTUAL]
    host[at, c.VIRTUAL] = 0
    old, new = host[at, c.ROOT], c.NONE
    while old != c.NONE:
        row = old
        old = _merged(piece, piece[row, c.LEFT], piece[row, c.RIGHT])
        piece[row, c.LEFT] = c.NONE
        piece[row, c.RIGHT] = c.NONE
        piece[row, c.ENDS] -= past
        new = _merged(piece, new, row)
    host[at, c.ROOT] = new


@compiled
def end_work(state: State, at: int) -> int:
    """Take the piece that ends first from its host; returns the box that waits for it."""
    host = state.host
    bring_up(state, at)
    row = host[at, c.ROOT]
    worker = state.piece[row, c.WORKER]
    _drop_first(state, at)
    plan_end(state, at)
    return int(worker)


@compiled
def drop_work(state: State, at: int) -> None:
    """All work of a host is lost."""
    host = state.host
    bring_up(state, at)
    while host[at, c.ROOT] != c.NONE:
        _drop_first(state, at)
    plan_end(state, at)


@compiled
def _drop_first(state: State, at: int) -> None:
    scalar, piece, host = state.scalar, state.piece, state.host
    row = host[at, c.ROOT]
    host[at, c.ROOT] = _merged(piece, piece[row, c.LEFT], piece[row, c.RIGHT])
    host[at, c.RUNNING] -= 1
    if host[at, c.RUNNING] == 0:
        host[at, c.VIRTUAL] = 0
    piece[row, c.LEFT] = scalar[c.PIECE_FREE]
    scalar[c.PIECE_FREE] = row


@compiled
def plan_end(state: State, at: int) -> None:
    """Enter into the tree when the host's first piece ends, if nothing else changes."""
    host, finish = state.host, state.finish
    ends = c.NEVER
    if host[at, c.ROOT] != c.NONE:
        running = host[at, c.RUNNING]
        speed = state.speed[min(running, state.setting[c.CPUS])]
        missing = (state.piece[host[at, c.ROOT], c.ENDS] - host[at, c.VIRTUAL]) * running - host[at, c.CARRY]
        ends = state.scalar[c.NOW] + max(0, missing + speed - 1) // speed
    place = at + len(finish) // 2
    finish[place] = ends
    while place > 1:
        place //= 2
        finish[place] = min(finish[2 * place], finish[2 * place + 1])


@compiled
def first_host(finish: Integers) -> int:
    """The host whose work ends first; the first of equal ones."""
    leaves = len(finish) // 2
    place = 1
    while place < leaves:
        place *= 2
        if finish[place] > finish[place + 1]:
            place += 1
    return place - leaves


@compiled
def _merged(piece: Integers, one: int, other: int) -> int:
    """Two skew heaps as one; returns its root."""
    if one == c.NONE:
        return other
    if other == c.NONE:
        return one
    if _before(piece, other, one):
        one, other = other, one
    root = one
    while True:
        right = piece[one, c.RIGHT]
        piece[one, c.RIGHT] = piece[one, c.LEFT]
        if right == c.NONE:
            piece[one, c.LEFT] = other
            return root
        if _before(piece, other, right):
            right, other = other, right
        piece[one, c.LEFT] = right
        one = right


@compiled
def _before(piece: Integers, one: int, other: int) -> bool:
    """Whether one piece ends first; of equal ones the older."""
    if piece[one, c.ENDS] != piece[other, c.ENDS]:
        return bool(piece[one, c.ENDS] < piece[other, c.ENDS])
    return bool(piece[one, c.PIECE_SERIAL] < piece[other, c.PIECE_SERIAL])
