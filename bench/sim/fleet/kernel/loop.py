"""The step loop: whatever happens next, until the invocations at hand are used up.

What happens at one instant is done in this order: changes of hosts, ends of CPU work (the first host first), timers in
the order of their making, ends of keep-alive, the autoscaler, arrivals. So a box that becomes idle can serve an
invocation that arrives at this instant, and a box whose keep-alive ends cannot.
"""

from __future__ import annotations

from bench.sim.engine.heap import EXTRA, ITEM, STRIDE
from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import begin, end_run
from bench.sim.fleet.kernel.columns import Integers, State
from bench.sim.fleet.kernel.hosts import change_host, scale, set_state
from bench.sim.fleet.kernel.pool import arrive, drain_one, expire_oldest, refill
from bench.sim.fleet.kernel.share import end_work, first_host
from bench.sim.fleet.kernel.sums import pass_time
from bench.sim.fleet.kernel.timers import drop_timer, timer_at

_CHANGE, _WORK, _TIMER, _EXPIRY, _SCALE, _ARRIVAL, _NOTHING = range(7)

_SPARE_BOXES = 4
"""One step makes at most two boxes."""


@compiled
def run(state: State, at: Integers, function: Integers, duration: Integers, last: bool) -> int:
    """Take the fleet as far as these invocations allow.

    Args:
        at: (invocations,) in order of time, after all of earlier calls.
        last: there are no further ones: go on until the trace's end, and until nothing is in the system.

    Returns:
        DONE; NEXT_CHUNK: call again with the next invocations and the cursor at 0; MORE_ROOM: call again with longer
        arrays and the same invocations.
    """
    scalar = state.scalar
    while True:
        if not has_room(state):
            return c.MORE_ROOM
        if _catch_up(state):
            continue
        cursor = scalar[c.CURSOR]
        if cursor < len(at):
            arrival = at[cursor]
        elif last:
            arrival = c.NEVER
        else:
            return c.NEXT_CHUNK
        when, kind = _next(state, arrival)
        if arrival == c.NEVER and is_over(state, when, kind):
            pass_time(state, max(scalar[c.NOW], state.setting[c.HORIZON]))
            return c.DONE
        scalar[c.STEPS] += 1
        pass_time(state, when)
        if kind == _ARRIVAL:
            scalar[c.CURSOR] += 1
            arrive(state, when, function[cursor], duration[cursor])
        else:
            _happen(state, kind)


@compiled
def has_room(state: State) -> bool:
    """Whether the arrays have room for whatever one step makes."""
    scalar = state.scalar
    boxes = len(state.box) - scalar[c.BOXES_LIVE]
    # A box makes at most two pieces and two timers per stage, before it waits.
    most = 2 * _SPARE_BOXES * (len(state.stage) + 1)
    pieces = len(state.piece) - scalar[c.PIECE_USED]
    timers = len(state.timer) // STRIDE - scalar[c.TIMERS]
    # All boxes may be lost at once and wait.
    waiting = len(state.queue) - scalar[c.QUEUED_NOW] - scalar[c.BOXES_LIVE]
    return bool(boxes >= _SPARE_BOXES and pieces >= most and timers >= most and waiting >= _SPARE_BOXES)


@compiled
def _catch_up(state: State) -> bool:
    """One step of what is due at this instant already: the queue, the pre-warmed pools."""
    scalar = state.scalar
    if scalar[c.DRAIN] == 1:
        drain_one(state)
        return True
    if scalar[c.REFILL_AT] < len(state.function):
        if not refill(state, scalar[c.REFILL_AT]):
            scalar[c.REFILL_AT] += 1
        return True
    return False


@compiled
def _next(state: State, arrival: int) -> tuple[int, int]:
    """When the next thing happens, and which."""
    scalar, setting = state.scalar, state.setting
    when, kind = arrival, _ARRIVAL
    if scalar[c.SCALE_AT] <= when:
        when, kind = scalar[c.SCALE_AT], _SCALE
    oldest = scalar[c.IDLE_OLDEST]
    if oldest != c.NONE:
        expiry = state.box[oldest, c.IDLE_SINCE] + setting[c.KEEP_ALIVE]
        if expiry <= when:
            when, kind = expiry, _EXPIRY
    if timer_at(state) <= when:
        when, kind = timer_at(state), _TIMER
    if state.finish[1] <= when:
        when, kind = state.finish[1], _WORK
    change = scalar[c.NEXT_CHANGE]
    if change < len(state.change) and state.change[change, c.C_TIME] <= when:
        when, kind = state.change[change, c.C_TIME], _CHANGE
    if when >= c.NEVER:
        kind = _NOTHING
    return when, kind


@compiled
def is_over(state: State, when: int, kind: int) -> bool:
    """Whether the run ends, when no invocation is to come: nothing is in the system, or nothing can help what is."""
    scalar = state.scalar
    if kind == _NOTHING:
        return True
    if when <= state.setting[c.HORIZON]:
        return False
    if scalar[c.IN_SYSTEM] == 0:
        return True
    idle = timer_at(state) >= c.NEVER and state.finish[1] >= c.NEVER
    changes = scalar[c.NEXT_CHANGE] < len(state.change)
    all_on = scalar[c.HOSTS_ON] + scalar[c.HOSTS_BOOTING] == len(state.host)
    return bool(idle and not changes and (all_on or state.setting[c.SCALE_EVERY] == 0))


@compiled
def _happen(state: State, kind: int) -> None:
    """Do what happens next; the clock is there."""
    scalar = state.scalar
    if kind == _TIMER:
        _timer(state)
    elif kind == _WORK:
        worker = end_work(state, first_host(state.finish))
        if worker != c.NONE:
            begin(state, worker)
    elif kind == _EXPIRY:
        expire_oldest(state)
    elif kind == _SCALE:
        scale(state)
    else:
        row = scalar[c.NEXT_CHANGE]
        scalar[c.NEXT_CHANGE] += 1
        change_host(state, state.change[row, c.C_HOST], state.change[row, c.C_UP])


@compiled
def _timer(state: State) -> None:
    """The first timer is over. One of a box that was lost meanwhile means nothing."""
    item, generation = state.timer[ITEM], state.timer[EXTRA]
    entity, kind = item // c.TIMER_KINDS, item % c.TIMER_KINDS
    drop_timer(state)
    if kind == c.HOST_IS_UP:
        set_state(state, entity, c.ON)
    elif state.box[entity, c.GENERATION] == generation:
        if kind == c.RUN_ENDS:
            end_run(state, entity)
        else:
            begin(state, entity)
