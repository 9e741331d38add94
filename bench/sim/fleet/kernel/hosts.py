"""Hosts that fail and come back, and the autoscaler that switches hosts on and off."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.boxes import remove_box, wake
from bench.sim.fleet.kernel.columns import State
from bench.sim.fleet.kernel.placement import update_room
from bench.sim.fleet.kernel.pool import put_last
from bench.sim.fleet.kernel.share import drop_work
from bench.sim.fleet.kernel.timers import set_timer


@compiled
def set_state(state: State, at: int, new: int) -> None:
    """Move a host between off, booting, on and down."""
    scalar, host = state.scalar, state.host
    old = host[at, c.HOST_STATE]
    scalar[c.HOSTS_ON] += (1 if new == c.ON else 0) - (1 if old == c.ON else 0)
    scalar[c.HOSTS_BOOTING] += (1 if new == c.BOOTING else 0) - (1 if old == c.BOOTING else 0)
    scalar[c.PEAK_ON] = max(scalar[c.PEAK_ON], scalar[c.HOSTS_ON] + scalar[c.HOSTS_BOOTING])
    host[at, c.HOST_STATE] = new
    update_room(state, at)
    if new == c.ON and scalar[c.QUEUED_NOW] > 0:
        scalar[c.DRAIN] = 1


@compiled
def change_host(state: State, at: int, up: int) -> None:
    """A host fails, or is back. A host that is switched off neither fails nor comes back."""
    now = state.host[at, c.HOST_STATE]
    if up == 1 and now == c.DOWN:
        set_state(state, at, c.ON)
    elif up == 0 and now == c.ON:
        set_state(state, at, c.DOWN)
        _lose_boxes(state, at)
        # The pre-warmed pools are looked at again, and the queue has the lost invocations.
        if state.setting[c.PREWARMED] > 0:
            state.scalar[c.REFILL_AT] = 0
        state.scalar[c.DRAIN] = 1 if state.scalar[c.QUEUED_NOW] > 0 else 0


@compiled
def _lose_boxes(state: State, at: int) -> None:
    """All boxes of a host end. Their invocations come back through the queue, whatever its limit is."""
    box, host = state.box, state.host
    drop_work(state, at)
    host[at, c.HOLDER] = c.NONE
    host[at, c.LOCK_FIRST] = c.NONE
    host[at, c.LOCK_LAST] = c.NONE
    row = host[at, c.BOX_FIRST]
    while row != c.NONE:
        after = box[row, c.HOST_AFTER]
        state.scalar[c.LOST_BOXES] += 1
        if box[row, c.STATE] == c.IDLE:
            wake(state, row)
        elif box[row, c.ARRIVED] == c.NONE:
            state.function[box[row, c.FUNCTION], c.REFILLING] -= 1
        else:
            _requeue(state, row)
        remove_box(state, row)
        row = after


@compiled
def _requeue(state: State, row: int) -> None:
    scalar, box = state.scalar, state.box
    duration = box[row, c.DURATION]
    since = box[row, c.SINCE]
    if box[row, c.STATE] == c.BUSY:
        since = scalar[c.NOW]
        if state.setting[c.REST_ONLY] == 1:
            duration -= scalar[c.NOW] - box[row, c.STARTED]
    scalar[c.LOST] += 1
    put_last(state, (box[row, c.ARRIVED], since, box[row, c.FUNCTION], duration, box[row, c.NUMBER]))


@compiled
def scale(state: State) -> None:
    """The autoscaler looks: memory in use should be the wanted share of the hosts that are on."""
    scalar, setting = state.scalar, state.setting
    scalar[c.SCALE_AT] = scalar[c.NOW] + setting[c.SCALE_EVERY]
    capacity = setting[c.CAPACITY] * setting[c.SCALE_TARGET]
    wanted = (scalar[c.PAGES_USED] * 10_000 + capacity - 1) // capacity
    have = scalar[c.HOSTS_ON] + scalar[c.HOSTS_BOOTING]
    if scalar[c.QUEUED_NOW] > 0:
        wanted = max(wanted, have + 1)
    wanted = max(wanted, setting[c.SCALE_LEAST])
    if wanted > have:
        _switch_on(state, wanted - have)
    elif wanted < have and scalar[c.NOW] - scalar[c.SCALED_AT] >= setting[c.SCALE_COOLDOWN]:
        _switch_off(state, have - wanted)


@compiled
def _switch_on(state: State, most: int) -> None:
    scalar, host = state.scalar, state.host
    for at in range(len(host)):
        if most == 0:
            return
        if host[at, c.HOST_STATE] == c.OFF:
            set_state(state, at, c.BOOTING)
            set_timer(state, scalar[c.NOW] + state.setting[c.SCALE_DELAY], c.HOST_IS_UP, at, 0)
            scalar[c.SCALED_AT] = scalar[c.NOW]
            most -= 1


@compiled
def _switch_off(state: State, most: int) -> None:
    """Only hosts without boxes, the last first: nothing is moved between hosts."""
    scalar, host = state.scalar, state.host
    for back in range(len(host)):
        at = len(host) - 1 - back
        if most == 0:
            return
        if host[at, c.HOST_STATE] == c.ON and host[at, c.BOXES] == 0 and host[at, c.RUNNING] == 0:
            set_state(state, at, c.OFF)
            scalar[c.SCALED_AT] = scalar[c.NOW]
            most -= 1


@compiled
def open_hosts(state: State, count: int) -> None:
    """The first hosts are on from the beginning."""
    for at in range(count):
        set_state(state, at, c.ON)
