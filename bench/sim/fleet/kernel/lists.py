"""Lists of boxes: the idle ones of a function, all idle ones by age, those of a host; and free rows."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import State


@compiled
def take_row(state: State) -> int:
    """A free row of ``box``. There is one: ``loop.run`` has checked it."""
    scalar, box = state.scalar, state.box
    row = scalar[c.BOX_FREE]
    if row == c.NONE:
        row = scalar[c.BOX_USED]
        scalar[c.BOX_USED] += 1
    else:
        scalar[c.BOX_FREE] = box[row, c.FUNCTION_AFTER]
    scalar[c.BOXES_LIVE] += 1
    scalar[c.PEAK_BOXES] = max(scalar[c.PEAK_BOXES], scalar[c.BOXES_LIVE])
    return int(row)


@compiled
def free_row(state: State, row: int) -> None:
    """Give a row back. Timers of its former box are stale, since its generation is over."""
    scalar, box = state.scalar, state.box
    box[row, c.STATE] = c.FREE
    box[row, c.GENERATION] += 1
    box[row, c.FUNCTION_AFTER] = scalar[c.BOX_FREE]
    scalar[c.BOX_FREE] = row
    scalar[c.BOXES_LIVE] -= 1


@compiled
def join_idle(state: State, row: int) -> None:
    """The box is the most recently used of its function, and the newest of all idle ones."""
    scalar, box, function = state.scalar, state.box, state.function
    name = box[row, c.FUNCTION]
    first = function[name, c.IDLE_FIRST]
    box[row, c.FUNCTION_BEFORE] = c.NONE
    box[row, c.FUNCTION_AFTER] = first
    if first != c.NONE:
        box[first, c.FUNCTION_BEFORE] = row
    function[name, c.IDLE_FIRST] = row
    function[name, c.IDLE_COUNT] += 1
    newest = scalar[c.IDLE_NEWEST]
    box[row, c.IDLE_BEFORE] = newest
    box[row, c.IDLE_AFTER] = c.NONE
    if newest == c.NONE:
        scalar[c.IDLE_OLDEST] = row
    else:
        box[newest, c.IDLE_AFTER] = row
    scalar[c.IDLE_NEWEST] = row


@compiled
def leave_idle(state: State, row: int) -> None:
    """The box is idle no more."""
    box, function = state.box, state.function
    name = box[row, c.FUNCTION]
    before, after = box[row, c.FUNCTION_BEFORE], box[row, c.FUNCTION_AFTER]
    if before == c.NONE:
        function[name, c.IDLE_FIRST] = after
    else:
        box[before, c.FUNCTION_AFTER] = after
    if after != c.NONE:
        box[after, c.FUNCTION_BEFORE] = before
    function[name, c.IDLE_COUNT] -= 1
    leave_ages(state, row)


@compiled
def leave_ages(state: State, row: int) -> None:
    """Take an idle box out of the list by age, when it is there: its keep-alive ends it no more."""
    scalar, box = state.scalar, state.box
    before, after = box[row, c.IDLE_BEFORE], box[row, c.IDLE_AFTER]
    if before == row:
        return
    if before == c.NONE:
        scalar[c.IDLE_OLDEST] = after
    else:
        box[before, c.IDLE_AFTER] = after
    if after == c.NONE:
        scalar[c.IDLE_NEWEST] = before
    else:
        box[after, c.IDLE_BEFORE] = before
    # A box that is its own neighbour is in no list by age.
    box[row, c.IDLE_BEFORE] = row
    box[row, c.IDLE_AFTER] = row


@compiled
def join_host(state: State, row: int) -> None:
    """The box is on its host."""
    box, host = state.box, state.host
    at = box[row, c.HOST]
    first = host[at, c.BOX_FIRST]
    box[row, c.HOST_BEFORE] = c.NONE
    box[row, c.HOST_AFTER] = first
    if first != c.NONE:
        box[first, c.HOST_BEFORE] = row
    host[at, c.BOX_FIRST] = row


@compiled
def leave_host(state: State, row: int) -> None:
    """The box is on its host no more."""
    box, host = state.box, state.host
    before, after = box[row, c.HOST_BEFORE], box[row, c.HOST_AFTER]
    if before == c.NONE:
        host[box[row, c.HOST], c.BOX_FIRST] = after
    else:
        box[before, c.HOST_AFTER] = after
    if after != c.NONE:
        box[after, c.HOST_BEFORE] = before
