"""Hosts that fail and come back, and the autoscaler that switches hosts on and off."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import remove_box, wake
from bench.sim.fleet.kernel.columns import Integers
from bench.sim.fleet.kernel.placement import update_room
from bench.sim.fleet.kernel.pool import put_among
from bench.sim.fleet.kernel.share import drop_work
from bench.sim.fleet.kernel.timers import set_timer


@compiled
def set_state(m: Integers, at: int, new: int) -> None:
    """Move a host between off, booting, on and down."""
    host = m[c.HOST_AT]
    old = m[host + at * c.HOST_COLUMNS + c.HOST_STATE]
    m[c.HOSTS_ON] += (1 if new == c.ON else 0) - (1 if old == c.ON else 0)
    m[c.HOSTS_BOOTING] += (1 if new == c.BOOTING else 0) - (1 if old == c.BOOTING else 0)
    m[c.HOSTS_DOWN] += (1 if new == c.DOWN else 0) - (1 if old == c.DOWN else 0)
    m[c.PEAK_ON] = max(m[c.PEAK_ON], m[c.HOSTS_ON] + m[c.HOSTS_BOOTING])
    m[host + at * c.HOST_COLUMNS + c.HOST_STATE] = new
    update_room(m, at)
    if new == c.ON:
        # The queue comes first, then the pre-warmed pools.
        m[c.DRAIN] = 1 if m[c.QUEUED_NOW] > 0 else m[c.DRAIN]
        _look_at_pools(m)


@compiled
def _look_at_pools(m: Integers) -> None:
    """All pre-warmed pools are looked at again, since hosts or boxes have changed."""
    if m[c.PREWARMED] > 0:
        m[c.REFILL_AT] = 0


@compiled
def change_host(m: Integers, at: int, up: int) -> None:
    """A host fails, or is back. One that fails while it is off cannot be switched on until it is back."""
    host = m[c.HOST_AT] + at * c.HOST_COLUMNS
    now = m[host + c.HOST_STATE]
    if up == 1 and now == c.DOWN:
        set_state(m, at, m[host + c.BACK])
    elif up == 0 and now != c.DOWN:
        m[host + c.BACK] = c.OFF if now == c.OFF else c.ON
        m[host + c.BOOTS] += 1
        set_state(m, at, c.DOWN)
        if now == c.ON:
            _lose_boxes(m, at)
        # The queue has the lost invocations.
        _look_at_pools(m)
        m[c.DRAIN] = 1 if m[c.QUEUED_NOW] > 0 else 0


@compiled
def _lose_boxes(m: Integers, at: int) -> None:
    """All boxes of a host end. Their invocations come to the end of the queue, whatever its limit is, in the order of
    their arrival."""
    box = m[c.BOX_AT]
    host = m[c.HOST_AT]
    drop_work(m, at)
    m[host + at * c.HOST_COLUMNS + c.HOLDER] = c.NONE
    m[host + at * c.HOST_COLUMNS + c.LOCK_FIRST] = c.NONE
    m[host + at * c.HOST_COLUMNS + c.LOCK_LAST] = c.NONE
    queued = m[c.QUEUED_NOW]
    # The oldest box first: so most invocations come in their order already.
    row = _oldest_box(m, at)
    while row != c.NONE:
        after = m[box + row * c.BOX_COLUMNS + c.HOST_BEFORE]
        m[c.LOST_BOXES] += 1
        if m[box + row * c.BOX_COLUMNS + c.STATE] == c.IDLE:
            wake(m, row)
        elif m[box + row * c.BOX_COLUMNS + c.ARRIVED] == c.NONE:
            m[m[c.FUNCTION_AT] + m[box + row * c.BOX_COLUMNS + c.FUNCTION] * c.FUNCTION_COLUMNS + c.REFILLING] -= 1
        else:
            _requeue(m, row, queued)
        remove_box(m, row)
        row = after


@compiled
def _oldest_box(m: Integers, at: int) -> int:
    """The last one in the list of a host; NONE: it has no boxes."""
    found = c.NONE
    row = m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.BOX_FIRST]
    while row != c.NONE:
        found = row
        row = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST_AFTER]
    return int(found)


@compiled
def _requeue(m: Integers, row: int, first: int) -> None:
    """The invocation of a lost box waits behind the ``first`` ones of the queue."""
    box = m[c.BOX_AT]
    duration = m[box + row * c.BOX_COLUMNS + c.DURATION]
    since = m[box + row * c.BOX_COLUMNS + c.SINCE]
    if m[box + row * c.BOX_COLUMNS + c.STATE] == c.BUSY:
        since = m[c.NOW]
        if m[c.REST_ONLY] == 1:
            duration -= m[c.NOW] - m[box + row * c.BOX_COLUMNS + c.STARTED]
    m[c.LOST] += 1
    put_among(
        m,
        (
            m[box + row * c.BOX_COLUMNS + c.ARRIVED],
            since,
            m[box + row * c.BOX_COLUMNS + c.FUNCTION],
            duration,
            m[box + row * c.BOX_COLUMNS + c.NUMBER],
        ),
        first,
    )


@compiled
def scale(m: Integers) -> None:
    """The autoscaler looks: memory in use should be the wanted share of the hosts that are on."""

    m[c.SCALE_AT] = m[c.NOW] + m[c.SCALE_EVERY]
    capacity = m[c.CAPACITY] * m[c.SCALE_TARGET]
    wanted = (m[c.PAGES_USED] * 10_000 + capacity - 1) // capacity
    have = m[c.HOSTS_ON] + m[c.HOSTS_BOOTING]
    if m[c.QUEUED_NOW] > 0:
        wanted = max(wanted, have + 1)
    wanted = max(wanted, m[c.SCALE_LEAST])
    if wanted > have:
        _switch_on(m, wanted - have)
    elif wanted < have and m[c.NOW] - m[c.SCALED_AT] >= m[c.SCALE_COOLDOWN]:
        _switch_off(m, have - wanted)


@compiled
def _switch_on(m: Integers, most: int) -> None:
    host = m[c.HOST_AT]
    for at in range(m[c.HOSTS]):
        if most == 0:
            return
        if m[host + at * c.HOST_COLUMNS + c.HOST_STATE] == c.OFF:
            set_state(m, at, c.BOOTING)
            m[host + at * c.HOST_COLUMNS + c.BOOTS] += 1
            set_timer(m, m[c.NOW] + m[c.SCALE_DELAY], c.HOST_IS_UP, at, m[host + at * c.HOST_COLUMNS + c.BOOTS])
            m[c.SCALED_AT] = m[c.NOW]
            most -= 1


@compiled
def _switch_off(m: Integers, most: int) -> None:
    """Only hosts without boxes, the last first: nothing is moved between hosts."""
    host = m[c.HOST_AT]
    for back in range(m[c.HOSTS]):
        at = m[c.HOSTS] - 1 - back
        if most == 0:
            return
        if (
            m[host + at * c.HOST_COLUMNS + c.HOST_STATE] == c.ON
            and m[host + at * c.HOST_COLUMNS + c.BOXES] == 0
            and m[host + at * c.HOST_COLUMNS + c.RUNNING] == 0
        ):
            set_state(m, at, c.OFF)
            m[c.SCALED_AT] = m[c.NOW]
            most -= 1


@compiled
def open_host(m: Integers) -> None:
    """One of the hosts that are on from the beginning, the last first: so each is at its place in the order at once."""
    m[c.OPEN_AT_FIRST] -= 1
    set_state(m, m[c.OPEN_AT_FIRST], c.ON)
