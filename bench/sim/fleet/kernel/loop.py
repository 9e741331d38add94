"""The step loop: whatever happens next, until the invocations at hand are used up.

What happens at one instant is done in this order: changes of hosts, ends of CPU work (the first host first), timers in
the order of their making, ends of keep-alive, the autoscaler, arrivals. So a box that becomes idle can serve an
invocation that arrives at this instant, and a box whose keep-alive ends cannot.
"""

from __future__ import annotations

from bench.sim.engine.heap import EXTRA, ITEM
from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import begin, end_run
from bench.sim.fleet.kernel.columns import Integers, Reals
from bench.sim.fleet.kernel.hosts import change_host, open_host, scale, set_state
from bench.sim.fleet.kernel.pool import arrive, drain_one, expire_oldest, refill
from bench.sim.fleet.kernel.share import end_work, first_host
from bench.sim.fleet.kernel.sums import pass_time
from bench.sim.fleet.kernel.timers import drop_timer, timer_at

_CHANGE, _WORK, _TIMER, _EXPIRY, _SCALE, _ARRIVAL, _NOTHING = range(7)

_SPARE_BOXES = 4
"""One step makes at most two boxes."""


@compiled
def run(m: Integers, f: Reals, at: Integers, function: Integers, duration: Integers, last: bool, most: int) -> int:
    """Take the fleet as far as these invocations allow.

    Args:
        at: (invocations,) in order of time, after all of earlier calls.
        last: there are no further ones: go on until the trace's end, and until nothing is in the system.
        most: steps of this call. It changes no number: a caller who wants to be interrupted asks for few.

    Returns:
        DONE; NEXT_CHUNK: call again with the next invocations and the cursor at 0; MORE_ROOM: call again with longer
        arrays and the same invocations; PAUSED: call again; WINDOW: the clock is at ``WINDOW_AT``, before anything that
        happens then; move it on and call again.
    """

    for _ in range(most):
        if not has_room(m):
            return c.MORE_ROOM
        if _catch_up(m, f):
            continue
        cursor = m[c.CURSOR]
        if cursor < len(at):
            arrival = at[cursor]
        elif last:
            arrival = c.NEVER
        else:
            return c.NEXT_CHUNK
        when, kind = _next(m, arrival)
        if m[c.WINDOW_AT] <= when and m[c.WINDOW_AT] < c.NEVER:
            pass_time(m, m[c.WINDOW_AT])
            return c.WINDOW
        if arrival == c.NEVER and is_over(m, when, kind):
            pass_time(m, max(m[c.NOW], m[c.HORIZON]))
            return c.DONE
        m[c.STEPS] += 1
        pass_time(m, when)
        if kind == _ARRIVAL:
            m[c.CURSOR] += 1
            arrive(m, f, when, function[cursor], duration[cursor])
        else:
            _happen(m, f, kind)
    return c.PAUSED


@compiled
def has_room(m: Integers) -> bool:
    """Whether the arrays have room for whatever one step makes."""

    boxes = m[c.BOX_ROWS] - m[c.BOXES_LIVE]
    # A box makes at most two pieces and two timers per stage, before it waits.
    most = 2 * _SPARE_BOXES * (m[c.STAGES] + 1)
    pieces = m[c.PIECE_ROWS] - m[c.PIECE_USED]
    # The autoscaler may switch on all hosts at once, and each has a timer until it is up.
    timers = m[c.TIMER_ROWS] - m[c.TIMERS] - m[c.HOSTS]
    # All boxes may be lost at once and wait.
    waiting = m[c.QUEUE_ROWS] - m[c.QUEUED_NOW] - m[c.BOXES_LIVE]
    return bool(boxes >= _SPARE_BOXES and pieces >= most and timers >= most and waiting >= _SPARE_BOXES)


@compiled
def _catch_up(m: Integers, f: Reals) -> bool:
    """One step of what is due at this instant already: hosts that are on from the beginning, the queue, the pools."""

    if m[c.OPEN_AT_FIRST] > 0:
        open_host(m)
        return True
    if m[c.DRAIN] == 1:
        drain_one(m, f)
        return True
    if m[c.REFILL_AT] < m[c.FUNCTIONS]:
        if not refill(m, f, m[c.REFILL_AT]):
            m[c.REFILL_AT] += 1
        return True
    return False


@compiled
def _next(m: Integers, arrival: int) -> tuple[int, int]:
    """When the next thing happens, and which."""

    when, kind = arrival, _ARRIVAL
    if m[c.SCALE_AT] <= when:
        when, kind = m[c.SCALE_AT], _SCALE
    oldest = m[c.IDLE_OLDEST]
    if oldest != c.NONE:
        expiry = m[m[c.BOX_AT] + oldest * c.BOX_COLUMNS + c.IDLE_SINCE] + m[c.KEEP_ALIVE]
        if expiry <= when:
            when, kind = expiry, _EXPIRY
    if timer_at(m) <= when:
        when, kind = timer_at(m), _TIMER
    if m[m[c.FINISH_AT] + 1] <= when:
        when, kind = m[m[c.FINISH_AT] + 1], _WORK
    change = m[c.NEXT_CHANGE]
    if change < m[c.CHANGES] and m[m[c.CHANGE_AT] + change * c.CHANGE_COLUMNS + c.C_TIME] <= when:
        when, kind = m[m[c.CHANGE_AT] + change * c.CHANGE_COLUMNS + c.C_TIME], _CHANGE
    if when >= c.NEVER:
        kind = _NOTHING
    return when, kind


@compiled
def is_over(m: Integers, when: int, kind: int) -> bool:
    """Whether the run ends, when no invocation is to come.

    Nothing is in the system; or all of it waits, and no host can come back or be switched on, or only beyond the limit.
    """

    if kind == _NOTHING:
        return True
    if when <= m[c.HORIZON]:
        return False
    if m[c.IN_SYSTEM] == 0:
        return True
    if timer_at(m) < c.NEVER or m[m[c.FINISH_AT] + 1] < c.NEVER:
        return False
    off = m[c.HOSTS] - m[c.HOSTS_ON] - m[c.HOSTS_BOOTING] - m[c.HOSTS_DOWN]
    helps = m[c.NEXT_CHANGE] < m[c.CHANGES] or (m[c.SCALE_EVERY] > 0 and off > 0)
    return bool(not helps or when > m[c.WAIT_LIMIT])


@compiled
def _happen(m: Integers, f: Reals, kind: int) -> None:
    """Do what happens next; the clock is there."""

    if kind == _TIMER:
        _timer(m, f)
    elif kind == _WORK:
        worker = end_work(m, first_host(m))
        if worker != c.NONE:
            begin(m, f, worker)
    elif kind == _EXPIRY:
        expire_oldest(m)
    elif kind == _SCALE:
        scale(m)
    else:
        row = m[c.NEXT_CHANGE]
        m[c.NEXT_CHANGE] += 1
        change_host(
            m,
            m[m[c.CHANGE_AT] + row * c.CHANGE_COLUMNS + c.C_HOST],
            m[m[c.CHANGE_AT] + row * c.CHANGE_COLUMNS + c.C_UP],
        )


@compiled
def _timer(m: Integers, f: Reals) -> None:
    """The first timer is over. One of a box that was lost meanwhile, or of a host that has failed, means nothing."""
    first = m[c.TIMER_AT]
    item, generation = m[first + ITEM], m[first + EXTRA]
    entity, kind = item // c.TIMER_KINDS, item % c.TIMER_KINDS
    drop_timer(m)
    if kind == c.HOST_IS_UP:
        if m[m[c.HOST_AT] + entity * c.HOST_COLUMNS + c.BOOTS] == generation:
            set_state(m, entity, c.ON)
    elif m[m[c.BOX_AT] + entity * c.BOX_COLUMNS + c.GENERATION] == generation:
        if kind == c.RUN_ENDS:
            end_run(m, entity)
        else:
            begin(m, f, entity)
