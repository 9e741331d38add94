"""The start of a box through the stages of its target, beside all other starts on its host."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.rng import to_ns
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import State
from bench.sim.fleet.kernel.share import begin_work
from bench.sim.fleet.kernel.sums import add
from bench.sim.fleet.kernel.timers import set_timer

GROWTH_ONE = 1 << GROWTH_BITS


@compiled
def scaled(state: State, row: int, time: int) -> int:
    """A time of the model for this box, ns."""
    return to_ns(time * state.factor[row])


@compiled
def go_on(state: State, row: int) -> bool:
    """Take a starting box as far as it gets now; whether it is up. Every call ends at a wait or at the goal."""
    box, stages = state.box, len(state.stage)
    while box[row, c.STAGE] < stages:
        step = box[row, c.STEP]
        if step == c.TO_END:
            box[row, c.STAGE] += 1
            box[row, c.STEP] = c.TO_DELAY
        else:
            box[row, c.STEP] = step + 1
            if _waits(state, row, step):
                return False
    return True


@compiled
def _waits(state: State, row: int, step: int) -> bool:
    """Do one step; whether the box waits for something now."""
    if step == c.TO_DELAY:
        return _delay(state, row)
    if step == c.TO_LOCK:
        return _lock(state, row)
    if step == c.TO_HOLD_WORK:
        return _hold_work(state, row)
    if step == c.TO_HOLD_DELAY:
        return _hold_delay(state, row)
    if step == c.TO_RELEASE:
        _release(state, row)
        return False
    return _work(state, row)


@compiled
def _delay(state: State, row: int) -> bool:
    stage = state.box[row, c.STAGE]
    background = scaled(state, row, state.stage[stage, c.BACKGROUND])
    if background > 0:
        begin_work(state, state.box[row, c.HOST], background, c.NONE)
    return _wait(state, row, scaled(state, row, state.stage[stage, c.DELAY]))


@compiled
def _wait(state: State, row: int, span: int) -> bool:
    if span > 0:
        set_timer(state, state.scalar[c.NOW] + span, c.BOX_GOES_ON, row, state.box[row, c.GENERATION])
    return bool(span > 0)


@compiled
def _lock(state: State, row: int) -> bool:
    box, host = state.box, state.host
    stage = box[row, c.STAGE]
    hold_work = scaled(state, row, state.stage[stage, c.HOLD_WORK])
    if hold_work == 0 and scaled(state, row, state.stage[stage, c.HOLD_DELAY]) == 0:
        box[row, c.STEP] = c.TO_WORK
        return False
    at = box[row, c.HOST]
    if host[at, c.HOLDER] == c.NONE:
        host[at, c.HOLDER] = row
        return False
    last = host[at, c.LOCK_LAST]
    if last == c.NONE:
        host[at, c.LOCK_FIRST] = row
    else:
        box[last, c.LOCK_AFTER] = row
    host[at, c.LOCK_LAST] = row
    box[row, c.LOCK_AFTER] = c.NONE
    # Its wait is counted from here; the field is free until the box is idle.
    box[row, c.IDLE_SINCE] = state.scalar[c.NOW]
    return True


@compiled
def _hold_work(state: State, row: int) -> bool:
    stage, at = state.box[row, c.STAGE], state.box[row, c.HOST]
    growth = to_ns(state.growth[0] * GROWTH_ONE * state.factor[row])
    work = scaled(state, row, state.stage[stage, c.HOLD_WORK]) + ((growth * state.host[at, c.ALIVE]) >> GROWTH_BITS)
    if work > 0:
        begin_work(state, at, work, row)
    return bool(work > 0)


@compiled
def _hold_delay(state: State, row: int) -> bool:
    return _wait(state, row, scaled(state, row, state.stage[state.box[row, c.STAGE], c.HOLD_DELAY]))


@compiled
def _release(state: State, row: int) -> None:
    """The first that waits for the lock has it, and goes on at this instant."""
    box, host, now = state.box, state.host, state.scalar[c.NOW]
    at = box[row, c.HOST]
    heir = host[at, c.LOCK_FIRST]
    host[at, c.HOLDER] = heir
    if heir == c.NONE:
        return
    host[at, c.LOCK_FIRST] = box[heir, c.LOCK_AFTER]
    if host[at, c.LOCK_FIRST] == c.NONE:
        host[at, c.LOCK_LAST] = c.NONE
    add(state.total, c.SUM_LOCK_WAIT, now - box[heir, c.IDLE_SINCE])
    set_timer(state, now, c.GRANTED, heir, box[heir, c.GENERATION])


@compiled
def _work(state: State, row: int) -> bool:
    box = state.box
    work = scaled(state, row, state.stage[box[row, c.STAGE], c.WORK])
    if work > 0:
        begin_work(state, box[row, c.HOST], work, row)
    return bool(work > 0)
