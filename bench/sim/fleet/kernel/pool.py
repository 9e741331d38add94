"""Which box serves an invocation: a warm one, a cold start, or none yet; and which idle boxes stay.

- A warm box of the function is taken before anything else, the most recently used first, so that the others reach the
  end of their keep-alive.
- Else a box starts on the policy's host. Where no host has room, it starts on the one that would have room first if
  idle boxes were removed, longest idle first; only those of this host are removed. Where none would have room, none is
  removed. Boxes of the pre-warmed pool stay.
- Else the invocation waits in one queue, strictly first come first served, or is rejected when the queue is full.
- The box of a cold start serves the invocation that started it, even when another box becomes idle meanwhile.
- The pre-warmed pool keeps so many boxes of each function idle or starting; one that is taken is replaced at once.
"""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import remove_box, serve, start_for, start_refill, wake
from bench.sim.fleet.kernel.columns import Integers, Reals
from bench.sim.fleet.kernel.lists import leave_ages
from bench.sim.fleet.kernel.placement import find_host
from bench.sim.fleet.kernel.sums import add


@compiled
def arrive(m: Integers, f: Reals, arrived: int, function: int, duration: int) -> None:
    """An invocation comes in."""

    number = m[c.ARRIVALS]
    m[c.ARRIVALS] += 1
    m[c.IN_SYSTEM] += 1
    entry = (arrived, arrived, function, duration, number)
    if use_warm(m, f, entry):
        return
    if m[c.QUEUED_NOW] == 0 and start_cold(m, f, entry):
        return
    if m[c.QUEUED_NOW] < m[c.QUEUE_LIMIT]:
        m[c.QUEUED] += 1
        put_last(m, entry)
    else:
        m[c.REJECTED] += 1
        m[c.IN_SYSTEM] -= 1


@compiled
def use_warm(m: Integers, f: Reals, entry: tuple[int, int, int, int, int]) -> bool:
    """Serve an invocation with an idle box of its function, if there is one."""
    arrived, since, function, duration, number = entry
    box = m[c.BOX_AT]
    row = m[m[c.FUNCTION_AT] + function * c.FUNCTION_COLUMNS + c.IDLE_FIRST]
    if row == c.NONE:
        return False
    wake(m, row)
    m[box + row * c.BOX_COLUMNS + c.ARRIVED] = arrived
    m[box + row * c.BOX_COLUMNS + c.SINCE] = since
    m[box + row * c.BOX_COLUMNS + c.DURATION] = duration
    m[box + row * c.BOX_COLUMNS + c.NUMBER] = number
    m[c.WARM] += 1
    serve(m, row)
    refill(m, f, function)
    return True


@compiled
def start_cold(m: Integers, f: Reals, entry: tuple[int, int, int, int, int]) -> bool:
    """Start a box for an invocation, if a host has room or can be given some."""
    function = entry[2]
    pages = m[m[c.FUNCTION_AT] + function * c.FUNCTION_COLUMNS + c.FUNCTION_PAGES]
    at = find_host(m, pages)
    if at == c.NONE:
        at = _host_to_clear(m, pages)
        if at == c.NONE:
            return False
        _clear(m, at, pages)
    m[c.COLD] += 1
    start_for(m, f, at, entry)
    return True


@compiled
def _host_to_clear(m: Integers, pages: int) -> int:
    """The host that has room first when idle boxes are removed, longest idle first; NONE: none would have."""
    if m[m[c.REACH_AT] + 1] < pages:
        return c.NONE
    box = m[c.BOX_AT]
    found, row = c.NONE, m[c.IDLE_OLDEST]
    while row != c.NONE and found == c.NONE:
        after = m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER]
        at = m[box + row * c.BOX_COLUMNS + c.HOST]
        if _pick(m, row) and _has_room_without_picked(m, at, pages):
            found = at
        row = after
    _put_back(m, row)
    return int(found)


@compiled
def _pick(m: Integers, row: int) -> bool:
    """Pick an idle box to be removed; whether it may go. The last ones of a pre-warmed pool stay."""
    box = m[c.BOX_AT] + row * c.BOX_COLUMNS
    function = _function_of(m, row)
    if m[function + c.IDLE_COUNT] - m[function + c.PICKED] > m[c.PREWARMED]:
        host = m[c.HOST_AT] + m[box + c.HOST] * c.HOST_COLUMNS
        m[function + c.PICKED] += 1
        m[host + c.PICKED_PAGES] += m[box + c.PAGES]
        m[host + c.PICKED_BOXES] += 1
        return True
    if m[function + c.PICKED] == 0:
        leave_ages(m, row)
    return False


@compiled
def _has_room_without_picked(m: Integers, at: int, pages: int) -> bool:
    host = m[c.HOST_AT] + at * c.HOST_COLUMNS
    free = m[host + c.FREE_PAGES] + m[host + c.PICKED_PAGES]
    return bool(free >= pages and m[host + c.BOXES] - m[host + c.PICKED_BOXES] < m[c.BOX_LIMIT])


@compiled
def _put_back(m: Integers, stop: int) -> None:
    """Nothing is picked any more, of the idle boxes in front of ``stop``; NONE: of all."""
    box = m[c.BOX_AT]
    row = m[c.IDLE_OLDEST]
    while row != stop:
        host = m[c.HOST_AT] + m[box + row * c.BOX_COLUMNS + c.HOST] * c.HOST_COLUMNS
        m[_function_of(m, row) + c.PICKED] = 0
        m[host + c.PICKED_PAGES] = 0
        m[host + c.PICKED_BOXES] = 0
        row = m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER]


@compiled
def _clear(m: Integers, at: int, pages: int) -> None:
    """Remove idle boxes of one host, longest idle first, until it has room."""
    box, host = m[c.BOX_AT], m[c.HOST_AT] + at * c.HOST_COLUMNS
    row = m[c.IDLE_OLDEST]
    while m[host + c.FREE_PAGES] < pages or m[host + c.BOXES] >= m[c.BOX_LIMIT]:
        after = m[box + row * c.BOX_COLUMNS + c.IDLE_AFTER]
        if m[box + row * c.BOX_COLUMNS + c.HOST] == at and m[_function_of(m, row) + c.IDLE_COUNT] > m[c.PREWARMED]:
            remove_idle(m, row)
            m[c.EVICTED] += 1
        row = after


@compiled
def _function_of(m: Integers, row: int) -> int:
    """Where the row of a box's function begins."""
    return int(m[c.FUNCTION_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.FUNCTION] * c.FUNCTION_COLUMNS)


@compiled
def expire_oldest(m: Integers) -> None:
    """The keep-alive of the box that is idle longest is over. The last ones of a pre-warmed pool stay."""
    row = m[c.IDLE_OLDEST]
    if m[_function_of(m, row) + c.IDLE_COUNT] > m[c.PREWARMED]:
        remove_idle(m, row)
        m[c.EXPIRED] += 1
    else:
        leave_ages(m, row)


@compiled
def remove_idle(m: Integers, row: int) -> None:
    """An idle box ends."""
    wake(m, row)
    remove_box(m, row)


@compiled
def refill(m: Integers, f: Reals, function: int) -> bool:
    """Start one box of a pre-warmed pool that lacks one; whether one was started. It pushes no other box out."""
    row = m[c.FUNCTION_AT] + function * c.FUNCTION_COLUMNS
    if m[row + c.IDLE_COUNT] + m[row + c.REFILLING] >= m[c.PREWARMED]:
        return False
    at = find_host(m, m[row + c.FUNCTION_PAGES])
    if at == c.NONE:
        m[c.REFILLS_REFUSED] += 1
        return False
    start_refill(m, f, at, function)
    return True


@compiled
def put_last(m: Integers, entry: tuple[int, int, int, int, int]) -> None:
    """To the end of the queue. There is room: ``loop.run`` has checked it."""
    queue = m[c.QUEUE_AT]
    place = (m[c.QUEUE_FIRST] + m[c.QUEUED_NOW]) % m[c.QUEUE_ROWS]
    (
        m[queue + place * c.QUEUE_COLUMNS + c.Q_ARRIVED],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_SINCE],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_FUNCTION],
    ) = entry[0], entry[1], entry[2]
    m[queue + place * c.QUEUE_COLUMNS + c.Q_DURATION], m[queue + place * c.QUEUE_COLUMNS + c.Q_NUMBER] = (
        entry[3],
        entry[4],
    )
    m[c.QUEUED_NOW] += 1
    m[c.PEAK_QUEUE] = max(m[c.PEAK_QUEUE], m[c.QUEUED_NOW])


@compiled
def put_among(m: Integers, entry: tuple[int, int, int, int, int], first: int) -> None:
    """To the end of the queue, but in front of those that arrived later.

    Args:
        first: so many invocations at the head of the queue keep their places.
    """
    put_last(m, entry)
    place = m[c.QUEUED_NOW] - 1
    while place > first and m[_queued_at(m, place - 1) + c.Q_NUMBER] > m[_queued_at(m, place) + c.Q_NUMBER]:
        one, other = _queued_at(m, place - 1), _queued_at(m, place)
        for column in range(c.QUEUE_COLUMNS):
            m[one + column], m[other + column] = m[other + column], m[one + column]
        place -= 1


@compiled
def _queued_at(m: Integers, place: int) -> int:
    """Where the row of an invocation in the queue begins."""
    return int(m[c.QUEUE_AT] + (m[c.QUEUE_FIRST] + place) % m[c.QUEUE_ROWS] * c.QUEUE_COLUMNS)


@compiled
def drain_one(m: Integers, f: Reals) -> None:
    """Serve the first invocation of the queue, if that is possible now; else the queue waits for a change."""
    queue = m[c.QUEUE_AT]
    place = m[c.QUEUE_FIRST]
    entry = (
        m[queue + place * c.QUEUE_COLUMNS + c.Q_ARRIVED],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_SINCE],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_FUNCTION],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_DURATION],
        m[queue + place * c.QUEUE_COLUMNS + c.Q_NUMBER],
    )
    # Serving may put this flag up again, since eviction frees memory.
    m[c.DRAIN] = 0
    if use_warm(m, f, entry) or start_cold(m, f, entry):
        add(m, c.SUM_ROOM_WAIT, m[c.NOW] - entry[1])
        m[c.QUEUE_FIRST] = (place + 1) % m[c.QUEUE_ROWS]
        m[c.QUEUED_NOW] -= 1
        m[c.DRAIN] = 1 if m[c.QUEUED_NOW] > 0 else 0
    else:
        m[c.DRAIN] = 0
