"""The life of a box: made on a host, up, in use, idle, removed."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.engine.rng import uniform
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import State
from bench.sim.fleet.kernel.lists import free_row, join_host, join_idle, leave_host, leave_idle, take_row
from bench.sim.fleet.kernel.placement import update_room
from bench.sim.fleet.kernel.start import go_on
from bench.sim.fleet.kernel.sums import add, add_product, count
from bench.sim.fleet.kernel.timers import set_timer

PURPOSE_INVOCATION = 0x4601
"""The luck of the box that an invocation starts, by the invocation's number: it is the same for every target."""
PURPOSE_REFILL = 0x4602
"""The luck of a refill of the pre-warmed pool."""


@compiled
def make_box(state: State, at: int, function: int) -> int:
    """A new box takes its memory on a host. Returns its row; who made it gives it a purpose and starts it."""
    scalar, host, box = state.scalar, state.host, state.box
    row = take_row(state)
    pages = state.function[function, c.FUNCTION_PAGES]
    box[row, c.STATE] = c.STARTING
    box[row, c.HOST] = at
    box[row, c.FUNCTION] = function
    box[row, c.PAGES] = pages
    box[row, c.STAGE] = 0
    box[row, c.STEP] = c.TO_DELAY
    box[row, c.BORN] = scalar[c.NOW]
    box[row, c.IDLE_BEFORE] = row
    box[row, c.IDLE_AFTER] = row
    join_host(state, row)
    if host[at, c.BOXES] == 0:
        scalar[c.HOSTS_USED] += 1
        scalar[c.PEAK_HOSTS] = max(scalar[c.PEAK_HOSTS], scalar[c.HOSTS_USED])
    host[at, c.BOXES] += 1
    host[at, c.STARTS_NOW] += 1
    scalar[c.PEAK_ON_HOST] = max(scalar[c.PEAK_ON_HOST], host[at, c.BOXES])
    scalar[c.PEAK_STARTS] = max(scalar[c.PEAK_STARTS], host[at, c.STARTS_NOW])
    host[at, c.FREE_PAGES] -= pages
    scalar[c.LEAST_FREE] = min(scalar[c.LEAST_FREE], host[at, c.FREE_PAGES])
    scalar[c.PAGES_USED] += pages
    scalar[c.PEAK_PAGES] = max(scalar[c.PEAK_PAGES], scalar[c.PAGES_USED])
    scalar[c.STARTS] += 1
    update_room(state, at)
    return row


@compiled
def remove_box(state: State, row: int) -> None:
    """A box ends and gives its memory back. Idle boxes have left their lists before."""
    scalar, host, box = state.scalar, state.host, state.box
    at, pages = box[row, c.HOST], box[row, c.PAGES]
    leave_host(state, row)
    host[at, c.BOXES] -= 1
    host[at, c.FREE_PAGES] += pages
    if box[row, c.STATE] == c.STARTING:
        host[at, c.STARTS_NOW] -= 1
    else:
        host[at, c.ALIVE] -= 1
    if host[at, c.BOXES] == 0:
        scalar[c.HOSTS_USED] -= 1
    scalar[c.PAGES_USED] -= pages
    add_product(state.total, c.SUM_LIVES, pages, scalar[c.NOW] - box[row, c.BORN])
    free_row(state, row)
    update_room(state, at)
    if scalar[c.QUEUED_NOW] > 0:
        scalar[c.DRAIN] = 1


@compiled
def give_luck(state: State, row: int, purpose: int, number: int) -> None:
    """The factor on all times of a box's start: its own part, equally likely values of a table, and its host's."""
    lucks = len(state.luck)
    place = min(int(uniform(int(state.setting[c.SEED]), purpose, int(number), 0) * lucks), lucks - 1)
    state.factor[row] = state.luck[place] * state.host_factor[state.box[row, c.HOST]]


@compiled
def start_for(state: State, at: int, entry: tuple[int, int, int, int, int]) -> None:
    """A cold start for an invocation: (arrived, waiting since, function, duration, number)."""
    arrived, since, function, duration, number = entry
    row = make_box(state, at, function)
    box = state.box
    box[row, c.ARRIVED] = arrived
    box[row, c.SINCE] = since
    box[row, c.DURATION] = duration
    box[row, c.NUMBER] = number
    give_luck(state, row, PURPOSE_INVOCATION, number)
    begin(state, row)


@compiled
def start_refill(state: State, at: int, function: int) -> None:
    """A box for the pre-warmed pool starts."""
    row = make_box(state, at, function)
    state.box[row, c.ARRIVED] = c.NONE
    state.function[function, c.REFILLING] += 1
    state.scalar[c.REFILLS] += 1
    give_luck(state, row, PURPOSE_REFILL, state.scalar[c.REFILLS])
    begin(state, row)


@compiled
def begin(state: State, row: int) -> None:
    """The start begins, or goes on after a wait."""
    if go_on(state, row):
        at = state.box[row, c.HOST]
        state.host[at, c.ALIVE] += 1
        state.host[at, c.STARTS_NOW] -= 1
        if state.box[row, c.ARRIVED] == c.NONE:
            state.function[state.box[row, c.FUNCTION], c.REFILLING] -= 1
            rest(state, row)
        else:
            serve(state, row)


@compiled
def serve(state: State, row: int) -> None:
    """The box is up and computes for its invocation."""
    scalar, box = state.scalar, state.box
    waited = scalar[c.NOW] - box[row, c.SINCE]
    count(state, c.H_DELAY if box[row, c.SINCE] == box[row, c.ARRIVED] else c.H_RESTART, waited)
    add(state.total, c.SUM_WAITING, waited)
    box[row, c.STATE] = c.BUSY
    box[row, c.STARTED] = scalar[c.NOW]
    set_timer(state, scalar[c.NOW] + box[row, c.DURATION], c.RUN_ENDS, row, box[row, c.GENERATION])


@compiled
def end_run(state: State, row: int) -> None:
    """An invocation is complete; its box is idle."""
    scalar, box = state.scalar, state.box
    sojourn = scalar[c.NOW] - box[row, c.ARRIVED]
    scalar[c.COMPLETED] += 1
    scalar[c.IN_SYSTEM] -= 1
    add(state.total, c.SUM_SOJOURN, sojourn)
    count(state, c.H_RESPONSE, sojourn)
    rest(state, row)


@compiled
def rest(state: State, row: int) -> None:
    """The box is idle from now on."""
    scalar, box = state.scalar, state.box
    box[row, c.STATE] = c.IDLE
    box[row, c.IDLE_SINCE] = scalar[c.NOW]
    join_idle(state, row)
    if scalar[c.QUEUED_NOW] > 0:
        scalar[c.DRAIN] = 1


@compiled
def wake(state: State, row: int) -> None:
    """The box is idle no more."""
    scalar, box = state.scalar, state.box
    leave_idle(state, row)
    add_product(state.total, c.SUM_IDLE_PAGES, box[row, c.PAGES], scalar[c.NOW] - box[row, c.IDLE_SINCE])
