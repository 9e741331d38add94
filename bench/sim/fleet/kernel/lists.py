"""Lists of boxes: the idle ones of a function, all idle ones by age, those of a host; and free rows."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers
from bench.sim.fleet.kernel.placement import update_reach


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
def _link(m: Integers, row: int, first: int, before: int, after: int) -> None:
    """The box comes in front of the first one of a list.

    Args:
        before, after: the columns with its neighbours in this list.
    """
    box = m[c.BOX_AT]
    m[box + row * c.BOX_COLUMNS + before] = c.NONE
    m[box + row * c.BOX_COLUMNS + after] = first
    if first != c.NONE:
        m[box + first * c.BOX_COLUMNS + before] = row


@compiled
def _unlink(m: Integers, row: int, before: int, after: int) -> None:
    """The neighbours of a box in a list are neighbours of each other."""
    box = m[c.BOX_AT]
    former, later = m[box + row * c.BOX_COLUMNS + before], m[box + row * c.BOX_COLUMNS + after]
    if former != c.NONE:
        m[box + former * c.BOX_COLUMNS + after] = later
    if later != c.NONE:
        m[box + later * c.BOX_COLUMNS + before] = former


@compiled
def join_idle(m: Integers, row: int) -> None:
    """The box is the most recently used of its function, and the newest of all idle ones."""
    function = m[c.FUNCTION_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.FUNCTION] * c.FUNCTION_COLUMNS
    _link(m, row, m[function + c.IDLE_FIRST], c.FUNCTION_BEFORE, c.FUNCTION_AFTER)
    m[function + c.IDLE_FIRST] = row
    m[function + c.IDLE_COUNT] += 1
    # By age the newest is the last one.
    newest = m[c.IDLE_NEWEST]
    _link(m, row, newest, c.IDLE_AFTER, c.IDLE_BEFORE)
    m[c.IDLE_NEWEST] = row
    if newest == c.NONE:
        m[c.IDLE_OLDEST] = row
    _change_idle(m, row, 1)


@compiled
def leave_idle(m: Integers, row: int) -> None:
    """The box is idle no more."""
    function = m[c.FUNCTION_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.FUNCTION] * c.FUNCTION_COLUMNS
    if m[function + c.IDLE_FIRST] == row:
        m[function + c.IDLE_FIRST] = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.FUNCTION_AFTER]
    _unlink(m, row, c.FUNCTION_BEFORE, c.FUNCTION_AFTER)
    m[function + c.IDLE_COUNT] -= 1
    leave_ages(m, row)
    _change_idle(m, row, -1)


@compiled
def _change_idle(m: Integers, row: int, sign: int) -> None:
    """The memory of the box counts as idle on its host, or counts so no more."""
    box = m[c.BOX_AT] + row * c.BOX_COLUMNS
    at = m[box + c.HOST]
    m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.IDLE_PAGES] += sign * m[box + c.PAGES]
    update_reach(m, at)


@compiled
def leave_ages(m: Integers, row: int) -> None:
    """Take an idle box out of the list by age, when it is there: its keep-alive ends it no more."""
    box = m[c.BOX_AT]
    if m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE] == row:
        return
    if m[c.IDLE_OLDEST] == row:
        m[c.IDLE_OLDEST] = m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER]
    if m[c.IDLE_NEWEST] == row:
        m[c.IDLE_NEWEST] = m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE]
    _unlink(m, row, c.IDLE_BEFORE, c.IDLE_AFTER)
    # A box that is its own neighbour is in no list by age.
    m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE] = row
    m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER] = row


@compiled
def join_host(m: Integers, row: int) -> None:
    """The box is on its host."""
    host = m[c.HOST_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST] * c.HOST_COLUMNS
    _link(m, row, m[host + c.BOX_FIRST], c.HOST_BEFORE, c.HOST_AFTER)
    m[host + c.BOX_FIRST] = row


@compiled
def leave_host(m: Integers, row: int) -> None:
    """The box is on its host no more."""
    host = m[c.HOST_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST] * c.HOST_COLUMNS
    if m[host + c.BOX_FIRST] == row:
        m[host + c.BOX_FIRST] = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST_AFTER]
    _unlink(m, row, c.HOST_BEFORE, c.HOST_AFTER)
