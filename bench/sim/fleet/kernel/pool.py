"""Which box serves an invocation: a warm one, a cold start, or none yet; and which idle boxes stay.

- A warm box of the function is taken before anything else, the most recently used first, so that the others reach the
  end of their keep-alive.
- Else a box starts on the policy's host. Where no host has room, idle boxes are removed, longest idle first, until one
  has; boxes of the pre-warmed pool stay.
- Else the invocation waits in one queue, strictly first come first served, or is rejected when the queue is full.
- The box of a cold start serves the invocation that started it, even when another box becomes idle meanwhile.
- The pre-warmed pool keeps so many boxes of each function idle or starting; one that is taken is replaced at once.
"""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import remove_box, serve, start_for, start_refill, wake
from bench.sim.fleet.kernel.columns import State
from bench.sim.fleet.kernel.lists import leave_ages
from bench.sim.fleet.kernel.placement import find_host


@compiled
def arrive(state: State, arrived: int, function: int, duration: int) -> None:
    """An invocation comes in."""
    scalar = state.scalar
    number = scalar[c.ARRIVALS]
    scalar[c.ARRIVALS] += 1
    scalar[c.IN_SYSTEM] += 1
    entry = (arrived, arrived, function, duration, number)
    if use_warm(state, entry):
        return
    if scalar[c.QUEUED_NOW] == 0 and start_cold(state, entry):
        return
    if scalar[c.QUEUED_NOW] < state.setting[c.QUEUE_LIMIT]:
        scalar[c.QUEUED] += 1
        put_last(state, entry)
    else:
        scalar[c.REJECTED] += 1
        scalar[c.IN_SYSTEM] -= 1


@compiled
def use_warm(state: State, entry: tuple[int, int, int, int, int]) -> bool:
    """Serve an invocation with an idle box of its function, if there is one."""
    arrived, since, function, duration, number = entry
    box = state.box
    row = state.function[function, c.IDLE_FIRST]
    if row == c.NONE:
        return False
    wake(state, row)
    box[row, c.ARRIVED] = arrived
    box[row, c.SINCE] = since
    box[row, c.DURATION] = duration
    box[row, c.NUMBER] = number
    state.scalar[c.WARM] += 1
    serve(state, row)
    refill(state, function)
    return True


@compiled
def start_cold(state: State, entry: tuple[int, int, int, int, int]) -> bool:
    """Start a box for an invocation, if a host has room or can be given some."""
    function = entry[2]
    pages = state.function[function, c.FUNCTION_PAGES]
    at = find_host(state, pages)
    while at == c.NONE and evict_oldest(state):
        at = find_host(state, pages)
    if at == c.NONE:
        return False
    state.scalar[c.COLD] += 1
    start_for(state, at, entry)
    return True


@compiled
def evict_oldest(state: State) -> bool:
    """Remove the box that is idle longest; False: there is none that may go."""
    row = state.scalar[c.IDLE_OLDEST]
    while row != c.NONE:
        if state.function[state.box[row, c.FUNCTION], c.IDLE_COUNT] > state.setting[c.PREWARMED]:
            remove_idle(state, row)
            state.scalar[c.EVICTED] += 1
            return True
        leave_ages(state, row)
        row = state.scalar[c.IDLE_OLDEST]
    return False


@compiled
def expire_oldest(state: State) -> None:
    """The keep-alive of the box that is idle longest is over. The last ones of a pre-warmed pool stay."""
    row = state.scalar[c.IDLE_OLDEST]
    if state.function[state.box[row, c.FUNCTION], c.IDLE_COUNT] > state.setting[c.PREWARMED]:
        remove_idle(state, row)
        state.scalar[c.EXPIRED] += 1
    else:
        leave_ages(state, row)


@compiled
def remove_idle(state: State, row: int) -> None:
    """An idle box ends."""
    wake(state, row)
    remove_box(state, row)


@compiled
def refill(state: State, function: int) -> bool:
    """Start one box of a pre-warmed pool that lacks one; whether one was started. It pushes no other box out."""
    row = state.function[function]
    if row[c.IDLE_COUNT] + row[c.REFILLING] >= state.setting[c.PREWARMED]:
        return False
    at = find_host(state, row[c.FUNCTION_PAGES])
    if at == c.NONE:
        state.scalar[c.REFILLS_REFUSED] += 1
        return False
    start_refill(state, at, function)
    return True


@compiled
def put_last(state: State, entry: tuple[int, int, int, int, int]) -> None:
    """To the end of the queue. There is room: ``loop.run`` has checked it."""
    scalar, queue = state.scalar, state.queue
    place = (scalar[c.QUEUE_FIRST] + scalar[c.QUEUED_NOW]) % len(queue)
    queue[place, c.Q_ARRIVED], queue[place, c.Q_SINCE], queue[place, c.Q_FUNCTION] = entry[0], entry[1], entry[2]
    queue[place, c.Q_DURATION], queue[place, c.Q_NUMBER] = entry[3], entry[4]
    scalar[c.QUEUED_NOW] += 1
    scalar[c.PEAK_QUEUE] = max(scalar[c.PEAK_QUEUE], scalar[c.QUEUED_NOW])


@compiled
def drain_one(state: State) -> None:
    """Serve the first invocation of the queue, if that is possible now; else the queue waits for a change."""
    scalar, queue = state.scalar, state.queue
    place = scalar[c.QUEUE_FIRST]
    entry = (
        queue[place, c.Q_ARRIVED],
        queue[place, c.Q_SINCE],
        queue[place, c.Q_FUNCTION],
        queue[place, c.Q_DURATION],
        queue[place, c.Q_NUMBER],
    )
    # Serving may put this flag up again, since eviction frees memory.
    scalar[c.DRAIN] = 0
    if use_warm(state, entry) or start_cold(state, entry):
        scalar[c.QUEUE_FIRST] = (place + 1) % len(queue)
        scalar[c.QUEUED_NOW] -= 1
        scalar[c.DRAIN] = 1 if scalar[c.QUEUED_NOW] > 0 else 0
    else:
        scalar[c.DRAIN] = 0
