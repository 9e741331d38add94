"""Lists of boxes: the idle ones of a function, all idle ones by age, those of a host; and free rows."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers


@compiled
def take_row(m: Integers) -> int:
    """A free row of ``box``. There is one: ``loop.run`` has checked it."""
    box = m[c.BOX_AT]
    row = m[c.BOX_FREE]
    if row == c.NONE:
        row = m[c.BOX_USED]
        m[c.BOX_USED] += 1
    else:
        m[c.BOX_FREE] = m[box + row * c.BOX_COLUMNS + c.FUNCTION_AFTER]
    m[c.BOXES_LIVE] += 1
    m[c.PEAK_BOXES] = max(m[c.PEAK_BOXES], m[c.BOXES_LIVE])
    return int(row)


@compiled
def free_row(m: Integers, row: int) -> None:
    """Give a row back. Timers of its former box are stale, since its generation is over."""
    box = m[c.BOX_AT]
    m[box + row * c.BOX_COLUMNS + c.STATE] = c.FREE
    m[box + row * c.BOX_COLUMNS + c.GENERATION] += 1
    m[box + row * c.BOX_COLUMNS + c.FUNCTION_AFTER] = m[c.BOX_FREE]
    m[c.BOX_FREE] = row
    m[c.BOXES_LIVE] -= 1


@compiled
def join_idle(m: Integers, row: int) -> None:
    """The box is the most recently used of its function, and the newest of all idle ones."""
    box = m[c.BOX_AT]
    function = m[c.FUNCTION_AT]
    name = m[box + row * c.BOX_COLUMNS + c.FUNCTION]
    first = m[function + name * c.FUNCTION_COLUMNS + c.IDLE_FIRST]
    m[box + row * c.BOX_COLUMNS + c.FUNCTION_BEFORE] = c.NONE
    m[box + row * c.BOX_COLUMNS + c.FUNCTION_AFTER] = first
    if first != c.NONE:
        m[box + first * c.BOX_COLUMNS + c.FUNCTION_BEFORE] = row
    m[function + name * c.FUNCTION_COLUMNS + c.IDLE_FIRST] = row
    m[function + name * c.FUNCTION_COLUMNS + c.IDLE_COUNT] += 1
    newest = m[c.IDLE_NEWEST]
    m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE] = newest
    m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER] = c.NONE
    if newest == c.NONE:
        m[c.IDLE_OLDEST] = row
    else:
        m[box + newest * c.BOX_COLUMNS + c.IDLE_AFTER] = row
    m[c.IDLE_NEWEST] = row


@compiled
def leave_idle(m: Integers, row: int) -> None:
    """The box is idle no more."""
    box = m[c.BOX_AT]
    function = m[c.FUNCTION_AT]
    name = m[box + row * c.BOX_COLUMNS + c.FUNCTION]
    before, after = m[box + row * c.BOX_COLUMNS + c.FUNCTION_BEFORE], m[box + row * c.BOX_COLUMNS + c.FUNCTION_AFTER]
    if before == c.NONE:
        m[function + name * c.FUNCTION_COLUMNS + c.IDLE_FIRST] = after
    else:
        m[box + before * c.BOX_COLUMNS + c.FUNCTION_AFTER] = after
    if after != c.NONE:
        m[box + after * c.BOX_COLUMNS + c.FUNCTION_BEFORE] = before
    m[function + name * c.FUNCTION_COLUMNS + c.IDLE_COUNT] -= 1
    leave_ages(m, row)


@compiled
def leave_ages(m: Integers, row: int) -> None:
    """Take an idle box out of the list by age, when it is there: its keep-alive ends it no more."""
    box = m[c.BOX_AT]
    before, after = m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE], m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER]
    if before == row:
        return
    if before == c.NONE:
        m[c.IDLE_OLDEST] = after
    else:
        m[box + before * c.BOX_COLUMNS + c.IDLE_AFTER] = after
    if after == c.NONE:
        m[c.IDLE_NEWEST] = before
    else:
        m[box + after * c.BOX_COLUMNS + c.IDLE_BEFORE] = before
    # A box that is its own neighbour is in no list by age.
    m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE] = row
    m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER] = row


@compiled
def join_host(m: Integers, row: int) -> None:
    """The box is on its host."""
    box = m[c.BOX_AT]
    host = m[c.HOST_AT]
    at = m[box + row * c.BOX_COLUMNS + c.HOST]
    first = m[host + at * c.HOST_COLUMNS + c.BOX_FIRST]
    m[box + row * c.BOX_COLUMNS + c.HOST_BEFORE] = c.NONE
    m[box + row * c.BOX_COLUMNS + c.HOST_AFTER] = first
    if first != c.NONE:
        m[box + first * c.BOX_COLUMNS + c.HOST_BEFORE] = row
    m[host + at * c.HOST_COLUMNS + c.BOX_FIRST] = row


@compiled
def leave_host(m: Integers, row: int) -> None:
    """The box is on its host no more."""
    box = m[c.BOX_AT]
    host = m[c.HOST_AT]
    before, after = m[box + row * c.BOX_COLUMNS + c.HOST_BEFORE], m[box + row * c.BOX_COLUMNS + c.HOST_AFTER]
    if before == c.NONE:
        m[host + m[box + row * c.BOX_COLUMNS + c.HOST] * c.HOST_COLUMNS + c.BOX_FIRST] = after
    else:
        m[box + before * c.BOX_COLUMNS + c.HOST_AFTER] = after
    if after != c.NONE:
        m[box + after * c.BOX_COLUMNS + c.HOST_BEFORE] = before
