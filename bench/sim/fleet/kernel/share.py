"""A host's CPUs, shared equally by all work on them: by virtual time, so that a change costs O(log n).

``bench.sim.engine.share`` says what the pieces receive. The rows of a host's pieces form a skew heap in order of their
ends; a tree over hosts knows which piece ends first.
"""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.engine.share import advance, due
from bench.sim.engine.speeds import crowded
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers
from bench.sim.fleet.kernel.sums import add

_FAR = 2**61
"""Virtual time is counted anew beyond this."""


@compiled
def bring_up(m: Integers, at: int) -> None:
    """Give the pieces of a host what they have received until now."""
    shared = m[c.HOST_AT] + at * c.HOST_COLUMNS + c.SHARED_AT
    elapsed = advance(m, shared, m[c.NOW])
    if elapsed > 0:
        add(m, c.SUM_CPU, min(m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.RUNNING], m[c.CPUS]) * elapsed)


@compiled
def begin_work(m: Integers, at: int, work: int, worker: int) -> None:
    """A piece of ``work`` ns begins on a host. There is a free row: ``loop.run`` has checked it."""
    piece = m[c.PIECE_AT]
    host = m[c.HOST_AT]
    bring_up(m, at)
    if m[host + at * c.HOST_COLUMNS + c.VIRTUAL] > _FAR:
        _begin_anew(m, at)
    row = m[c.PIECE_FREE]
    if row == c.NONE:
        row = m[c.PIECE_USED]
        m[c.PIECE_USED] += 1
    else:
        m[c.PIECE_FREE] = m[piece + row * c.PIECE_COLUMNS + c.LEFT]
    m[piece + row * c.PIECE_COLUMNS + c.ENDS] = m[host + at * c.HOST_COLUMNS + c.VIRTUAL] + (work << m[c.SHIFT])
    m[piece + row * c.PIECE_COLUMNS + c.PIECE_SERIAL] = m[c.SERIAL]
    m[c.SERIAL] += 1
    m[piece + row * c.PIECE_COLUMNS + c.WORKER] = worker
    m[piece + row * c.PIECE_COLUMNS + c.LEFT] = c.NONE
    m[piece + row * c.PIECE_COLUMNS + c.RIGHT] = c.NONE
    add(m, c.SUM_START_WORK, work)
    m[host + at * c.HOST_COLUMNS + c.ROOT] = _merged(m, piece, m[host + at * c.HOST_COLUMNS + c.ROOT], row)
    m[host + at * c.HOST_COLUMNS + c.RUNNING] += 1
    plan_end(m, at)


@compiled
def _begin_anew(m: Integers, at: int) -> None:
    """Count virtual time from now on: a host that is never idle would come to the end of the integers."""
    piece = m[c.PIECE_AT]
    host = m[c.HOST_AT]
    past = m[host + at * c.HOST_COLUMNS + c.VIRTUAL]
    m[host + at * c.HOST_COLUMNS + c.VIRTUAL] = 0
    old, new = m[host + at * c.HOST_COLUMNS + c.ROOT], c.NONE
    while old != c.NONE:
        row = old
        old = _merged(m, piece, m[piece + row * c.PIECE_COLUMNS + c.LEFT], m[piece + row * c.PIECE_COLUMNS + c.RIGHT])
        m[piece + row * c.PIECE_COLUMNS + c.LEFT] = c.NONE
        m[piece + row * c.PIECE_COLUMNS + c.RIGHT] = c.NONE
        m[piece + row * c.PIECE_COLUMNS + c.ENDS] -= past
        new = _merged(m, piece, new, row)
    m[host + at * c.HOST_COLUMNS + c.ROOT] = new


@compiled
def end_work(m: Integers, at: int) -> int:
    """Take the piece that ends first from its host; returns the box that waits for it."""
    host = m[c.HOST_AT]
    bring_up(m, at)
    row = m[host + at * c.HOST_COLUMNS + c.ROOT]
    worker = m[m[c.PIECE_AT] + row * c.PIECE_COLUMNS + c.WORKER]
    _drop_first(m, at)
    plan_end(m, at)
    return int(worker)


@compiled
def drop_work(m: Integers, at: int) -> None:
    """All work of a host is lost."""
    host = m[c.HOST_AT]
    bring_up(m, at)
    while m[host + at * c.HOST_COLUMNS + c.ROOT] != c.NONE:
        _drop_first(m, at)
    plan_end(m, at)


@compiled
def _drop_first(m: Integers, at: int) -> None:
    piece = m[c.PIECE_AT]
    host = m[c.HOST_AT]
    row = m[host + at * c.HOST_COLUMNS + c.ROOT]
    m[host + at * c.HOST_COLUMNS + c.ROOT] = _merged(
        m, piece, m[piece + row * c.PIECE_COLUMNS + c.LEFT], m[piece + row * c.PIECE_COLUMNS + c.RIGHT]
    )
    m[host + at * c.HOST_COLUMNS + c.RUNNING] -= 1
    if m[host + at * c.HOST_COLUMNS + c.RUNNING] == 0:
        m[host + at * c.HOST_COLUMNS + c.VIRTUAL] = 0
    m[piece + row * c.PIECE_COLUMNS + c.LEFT] = m[c.PIECE_FREE]
    m[c.PIECE_FREE] = row


@compiled
def change_starts(m: Integers, at: int, change: int) -> None:
    """So many boxes more, or fewer, are not up yet on a host from now on; its CPUs follow the crowd."""
    crowding = m[c.CROWD_ROWS] > 1
    if crowding:
        bring_up(m, at)
    m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.STARTS_NOW] += change
    if crowding:
        plan_end(m, at)


@compiled
def _speed(m: Integers, host: int) -> int:
    """Of all pieces of a host together, as things are, in units per ns."""
    speed = m[m[c.SPEED_AT] + min(m[host + c.RUNNING], m[c.CPUS])]
    left = m[m[c.CROWD_AT] + min(m[host + c.STARTS_NOW], m[c.CROWD_ROWS] - 1)]
    return crowded(speed, left)


@compiled
def plan_end(m: Integers, at: int) -> None:
    """Enter into the tree when the host's first piece ends, if nothing else changes."""
    host = m[c.HOST_AT] + at * c.HOST_COLUMNS
    finish = m[c.FINISH_AT]
    m[host + c.SPEED_NOW] = _speed(m, host)
    ends = c.NEVER
    if m[host + c.ROOT] != c.NONE:
        ends = due(m, host + c.SHARED_AT, m[m[c.PIECE_AT] + m[host + c.ROOT] * c.PIECE_COLUMNS + c.ENDS])
    place = at + m[c.LEAVES]
    m[finish + place] = ends
    while place > 1:
        place //= 2
        m[finish + place] = min(m[finish + 2 * place], m[finish + 2 * place + 1])


@compiled
def first_host(m: Integers) -> int:
    """The host whose work ends first; the first of equal ones."""
    finish, leaves = m[c.FINISH_AT], m[c.LEAVES]
    place = 1
    while place < leaves:
        place *= 2
        if m[finish + place] > m[finish + place + 1]:
            place += 1
    return place - leaves


@compiled
def _merged(m: Integers, piece: int, one: int, other: int) -> int:
    """Two skew heaps as one; returns its root."""
    if one == c.NONE:
        return other
    if other == c.NONE:
        return one
    if _before(m, piece, other, one):
        one, other = other, one
    root = one
    while True:
        right = m[piece + one * c.PIECE_COLUMNS + c.RIGHT]
        m[piece + one * c.PIECE_COLUMNS + c.RIGHT] = m[piece + one * c.PIECE_COLUMNS + c.LEFT]
        if right == c.NONE:
            m[piece + one * c.PIECE_COLUMNS + c.LEFT] = other
            return root
        if _before(m, piece, other, right):
            right, other = other, right
        m[piece + one * c.PIECE_COLUMNS + c.LEFT] = right
        one = right


@compiled
def _before(m: Integers, piece: int, one: int, other: int) -> bool:
    """Whether one piece ends first; of equal ones the older."""
    if m[piece + one * c.PIECE_COLUMNS + c.ENDS] != m[piece + other * c.PIECE_COLUMNS + c.ENDS]:
        return bool(m[piece + one * c.PIECE_COLUMNS + c.ENDS] < m[piece + other * c.PIECE_COLUMNS + c.ENDS])
    return bool(m[piece + one * c.PIECE_COLUMNS + c.PIECE_SERIAL] < m[piece + other * c.PIECE_COLUMNS + c.PIECE_SERIAL])
