"""The life of a box: made on a host, up, in use, idle, removed."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.engine.rng import uniform
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, Reals
from bench.sim.fleet.kernel.lists import free_row, join_host, join_idle, leave_host, leave_idle, take_row
from bench.sim.fleet.kernel.placement import update_room
from bench.sim.fleet.kernel.share import change_starts
from bench.sim.fleet.kernel.start import go_on
from bench.sim.fleet.kernel.sums import add, add_product, count
from bench.sim.fleet.kernel.timers import set_timer

PURPOSE_INVOCATION = 0x4601
"""The luck of the box that an invocation starts, by the invocation's number: it is the same for every target."""
PURPOSE_REFILL = 0x4602
"""The luck of a refill of the pre-warmed pool."""


@compiled
def make_box(m: Integers, at: int, function: int) -> int:
    """A new box takes its memory on a host. Returns its row; who made it gives it a purpose and starts it."""
    host = m[c.HOST_AT]
    box = m[c.BOX_AT]
    row = take_row(m)
    pages = m[m[c.FUNCTION_AT] + function * c.FUNCTION_COLUMNS + c.FUNCTION_PAGES]
    m[box + row * c.BOX_COLUMNS + c.STATE] = c.STARTING
    m[box + row * c.BOX_COLUMNS + c.HOST] = at
    m[box + row * c.BOX_COLUMNS + c.FUNCTION] = function
    m[box + row * c.BOX_COLUMNS + c.PAGES] = pages
    m[box + row * c.BOX_COLUMNS + c.STAGE] = 0
    m[box + row * c.BOX_COLUMNS + c.STEP] = c.TO_DELAY
    m[box + row * c.BOX_COLUMNS + c.BORN] = m[c.NOW]
    m[box + row * c.BOX_COLUMNS + c.LOCK_WAITED] = 0
    m[box + row * c.BOX_COLUMNS + c.IDLE_BEFORE] = row
    m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER] = row
    join_host(m, row)
    m[host + at * c.HOST_COLUMNS + c.BOXES] += 1
    _change_together(m, at, 1)
    change_starts(m, at, 1)
    m[c.PEAK_ON_HOST] = max(m[c.PEAK_ON_HOST], m[host + at * c.HOST_COLUMNS + c.BOXES])
    m[c.PEAK_STARTS] = max(m[c.PEAK_STARTS], m[host + at * c.HOST_COLUMNS + c.STARTS_NOW])
    m[host + at * c.HOST_COLUMNS + c.FREE_PAGES] -= pages
    m[c.LEAST_FREE] = min(m[c.LEAST_FREE], m[host + at * c.HOST_COLUMNS + c.FREE_PAGES])
    m[c.PAGES_USED] += pages
    m[c.PEAK_PAGES] = max(m[c.PEAK_PAGES], m[c.PAGES_USED])
    m[c.STARTS] += 1
    update_room(m, at)
    return row


@compiled
def remove_box(m: Integers, row: int) -> None:
    """A box ends and gives its memory back. Idle boxes have left their lists before."""
    host = m[c.HOST_AT]
    box = m[c.BOX_AT]
    at, pages = m[box + row * c.BOX_COLUMNS + c.HOST], m[box + row * c.BOX_COLUMNS + c.PAGES]
    leave_host(m, row)
    m[host + at * c.HOST_COLUMNS + c.BOXES] -= 1
    _change_together(m, at, -1)
    m[host + at * c.HOST_COLUMNS + c.FREE_PAGES] += pages
    if m[box + row * c.BOX_COLUMNS + c.STATE] == c.STARTING:
        change_starts(m, at, -1)
    else:
        m[host + at * c.HOST_COLUMNS + c.ALIVE] -= 1
    m[c.PAGES_USED] -= pages
    add_product(m, c.SUM_LIVES, pages, m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.BORN])
    free_row(m, row)
    update_room(m, at)
    if m[c.QUEUED_NOW] > 0:
        m[c.DRAIN] = 1


@compiled
def _change_together(m: Integers, at: int, change: int) -> None:
    """A real host has one box more, or one fewer: on one of its VMs, or on itself."""
    first = m[c.HOST_AT] + (at - at % m[c.TOGETHER]) * c.HOST_COLUMNS
    m[first + c.TOGETHER_BOXES] += change
    if change > 0 and m[first + c.TOGETHER_BOXES] == 1:
        m[c.HOSTS_USED] += 1
        m[c.PEAK_HOSTS] = max(m[c.PEAK_HOSTS], m[c.HOSTS_USED])
    elif m[first + c.TOGETHER_BOXES] == 0:
        m[c.HOSTS_USED] -= 1


@compiled
def give_luck(m: Integers, f: Reals, row: int, purpose: int, number: int) -> None:
    """The factor on all times of a box's start: its own part, equally likely values of a table, and its host's."""
    lucks = c.LUCKS
    place = min(int(uniform(int(m[c.SEED]), purpose, int(number), 0) * lucks), lucks - 1)
    f[m[c.FACTOR_AT] + row] = (
        f[c.LUCK_AT + place] * f[m[c.HOST_FACTOR_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST]]
    )


@compiled
def start_for(m: Integers, f: Reals, at: int, entry: tuple[int, int, int, int, int]) -> None:
    """A cold start for an invocation: (arrived, waiting since, function, duration, number)."""
    arrived, since, function, duration, number = entry
    row = make_box(m, at, function)
    box = m[c.BOX_AT]
    m[box + row * c.BOX_COLUMNS + c.ARRIVED] = arrived
    m[box + row * c.BOX_COLUMNS + c.SINCE] = since
    m[box + row * c.BOX_COLUMNS + c.DURATION] = duration
    m[box + row * c.BOX_COLUMNS + c.NUMBER] = number
    give_luck(m, f, row, PURPOSE_INVOCATION, number)
    begin(m, f, row)


@compiled
def start_refill(m: Integers, f: Reals, at: int, function: int) -> None:
    """A box for the pre-warmed pool starts."""
    row = make_box(m, at, function)
    m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.ARRIVED] = c.NONE
    m[m[c.FUNCTION_AT] + function * c.FUNCTION_COLUMNS + c.REFILLING] += 1
    m[c.REFILLS] += 1
    give_luck(m, f, row, PURPOSE_REFILL, m[c.REFILLS])
    begin(m, f, row)


@compiled
def begin(m: Integers, f: Reals, row: int) -> None:
    """The start begins, or goes on after a wait."""
    if go_on(m, f, row):
        at = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST]
        m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.ALIVE] += 1
        change_starts(m, at, -1)
        if m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.ARRIVED] == c.NONE:
            m[
                m[c.FUNCTION_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.FUNCTION] * c.FUNCTION_COLUMNS + c.REFILLING
            ] -= 1
            rest(m, row)
        else:
            _count_cold(m, row)
            serve(m, row)


@compiled
def _count_cold(m: Integers, row: int) -> None:
    """The box that was started for an invocation is up."""
    box = m[c.BOX_AT]
    m[c.COLD_BEGUN] += 1
    add(m, c.SUM_COLD_DELAY, m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.SINCE])
    add(m, c.SUM_COLD_START, m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.BORN])
    add(m, c.SUM_COLD_LOCK, m[box + row * c.BOX_COLUMNS + c.LOCK_WAITED])


@compiled
def serve(m: Integers, row: int) -> None:
    """The box is up and computes for its invocation."""
    box = m[c.BOX_AT]
    waited = m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.SINCE]
    count(
        m,
        c.H_DELAY
        if m[box + row * c.BOX_COLUMNS + c.SINCE] == m[box + row * c.BOX_COLUMNS + c.ARRIVED]
        else c.H_RESTART,
        waited,
    )
    add(m, c.SUM_WAITING, waited)
    m[box + row * c.BOX_COLUMNS + c.STATE] = c.BUSY
    m[box + row * c.BOX_COLUMNS + c.STARTED] = m[c.NOW]
    set_timer(
        m,
        m[c.NOW] + m[box + row * c.BOX_COLUMNS + c.DURATION],
        c.RUN_ENDS,
        row,
        m[box + row * c.BOX_COLUMNS + c.GENERATION],
    )


@compiled
def end_run(m: Integers, row: int) -> None:
    """An invocation is complete; its box is idle."""
    box = m[c.BOX_AT]
    sojourn = m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.ARRIVED]
    m[c.COMPLETED] += 1
    m[c.IN_SYSTEM] -= 1
    add(m, c.SUM_SOJOURN, sojourn)
    count(m, c.H_RESPONSE, sojourn)
    rest(m, row)


@compiled
def rest(m: Integers, row: int) -> None:
    """The box is idle from now on."""
    box = m[c.BOX_AT]
    m[box + row * c.BOX_COLUMNS + c.STATE] = c.IDLE
    m[box + row * c.BOX_COLUMNS + c.IDLE_SINCE] = m[c.NOW]
    join_idle(m, row)
    if m[c.QUEUED_NOW] > 0:
        m[c.DRAIN] = 1


@compiled
def wake(m: Integers, row: int) -> None:
    """The box is idle no more."""
    box = m[c.BOX_AT]
    leave_idle(m, row)
    add_product(
        m,
        c.SUM_IDLE_PAGES,
        m[box + row * c.BOX_COLUMNS + c.PAGES],
        m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.IDLE_SINCE],
    )
