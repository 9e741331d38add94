"""The start of a box through the stages of its target, beside all other starts on its host."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.engine.layout import GROWTH_BITS
from bench.sim.engine.rng import to_ns
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, Reals
from bench.sim.fleet.kernel.share import begin_work
from bench.sim.fleet.kernel.sums import add
from bench.sim.fleet.kernel.timers import set_timer

GROWTH_ONE = 1 << GROWTH_BITS


@compiled
def scaled(m: Integers, f: Reals, row: int, time: int) -> int:
    """A time of the model for this box, ns."""
    return to_ns(time * f[m[c.FACTOR_AT] + row])


@compiled
def go_on(m: Integers, f: Reals, row: int) -> bool:
    """Take a starting box as far as it gets now; whether it is up. Every call ends at a wait or at the goal."""
    box, stages = m[c.BOX_AT], m[c.STAGES]
    while m[box + row * c.BOX_COLUMNS + c.STAGE] < stages:
        step = m[box + row * c.BOX_COLUMNS + c.STEP]
        if step == c.TO_END:
            m[box + row * c.BOX_COLUMNS + c.STAGE] += 1
            m[box + row * c.BOX_COLUMNS + c.STEP] = c.TO_DELAY
        else:
            m[box + row * c.BOX_COLUMNS + c.STEP] = step + 1
            if _waits(m, f, row, step):
                return False
    return True


@compiled
def _waits(m: Integers, f: Reals, row: int, step: int) -> bool:
    """Do one step; whether the box waits for something now."""
    if step == c.TO_DELAY:
        return _delay(m, f, row)
    if step == c.TO_LOCK:
        return _lock(m, f, row)
    if step == c.TO_HOLD_WORK:
        return _hold_work(m, f, row)
    if step == c.TO_HOLD_DELAY:
        return _hold_delay(m, f, row)
    if step == c.TO_RELEASE:
        _release(m, row)
        return False
    return _work(m, f, row)


@compiled
def _delay(m: Integers, f: Reals, row: int) -> bool:
    stage = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.STAGE]
    background = scaled(m, f, row, m[m[c.STAGE_AT] + stage * c.STAGE_COLUMNS + c.BACKGROUND])
    if background > 0:
        begin_work(m, m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST], background, c.NONE)
    return _wait(m, row, scaled(m, f, row, m[m[c.STAGE_AT] + stage * c.STAGE_COLUMNS + c.DELAY]))


@compiled
def _wait(m: Integers, row: int, span: int) -> bool:
    if span > 0:
        set_timer(m, m[c.NOW] + span, c.BOX_GOES_ON, row, m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.GENERATION])
    return bool(span > 0)


@compiled
def _lock(m: Integers, f: Reals, row: int) -> bool:
    box = m[c.BOX_AT]
    host = m[c.HOST_AT]
    stage = m[box + row * c.BOX_COLUMNS + c.STAGE]
    hold_work = scaled(m, f, row, m[m[c.STAGE_AT] + stage * c.STAGE_COLUMNS + c.HOLD_WORK])
    if hold_work == 0 and scaled(m, f, row, m[m[c.STAGE_AT] + stage * c.STAGE_COLUMNS + c.HOLD_DELAY]) == 0:
        m[box + row * c.BOX_COLUMNS + c.STEP] = c.TO_WORK
        return False
    at = m[box + row * c.BOX_COLUMNS + c.HOST]
    if m[host + at * c.HOST_COLUMNS + c.HOLDER] == c.NONE:
        m[host + at * c.HOST_COLUMNS + c.HOLDER] = row
        return False
    last = m[host + at * c.HOST_COLUMNS + c.LOCK_LAST]
    if last == c.NONE:
        m[host + at * c.HOST_COLUMNS + c.LOCK_FIRST] = row
    else:
        m[box + last * c.BOX_COLUMNS + c.LOCK_AFTER] = row
    m[host + at * c.HOST_COLUMNS + c.LOCK_LAST] = row
    m[box + row * c.BOX_COLUMNS + c.LOCK_AFTER] = c.NONE
    # Its wait is counted from here; the field is free until the box is idle.
    m[box + row * c.BOX_COLUMNS + c.IDLE_SINCE] = m[c.NOW]
    return True


@compiled
def _hold_work(m: Integers, f: Reals, row: int) -> bool:
    stage, at = m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.STAGE], m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.HOST]
    growth = to_ns(f[c.GROWTH_AT] * GROWTH_ONE * f[m[c.FACTOR_AT] + row])
    work = scaled(m, f, row, m[m[c.STAGE_AT] + stage * c.STAGE_COLUMNS + c.HOLD_WORK]) + (
        (growth * m[m[c.HOST_AT] + at * c.HOST_COLUMNS + c.ALIVE]) >> GROWTH_BITS
    )
    if work > 0:
        begin_work(m, at, work, row)
    return bool(work > 0)


@compiled
def _hold_delay(m: Integers, f: Reals, row: int) -> bool:
    return _wait(
        m,
        row,
        scaled(
            m,
            f,
            row,
            m[m[c.STAGE_AT] + m[m[c.BOX_AT] + row * c.BOX_COLUMNS + c.STAGE] * c.STAGE_COLUMNS + c.HOLD_DELAY],
        ),
    )


@compiled
def _release(m: Integers, row: int) -> None:
    """The first that waits for the lock has it, and goes on at this instant."""
    box = m[c.BOX_AT]
    host = m[c.HOST_AT]
    now = m[c.NOW]
    at = m[box + row * c.BOX_COLUMNS + c.HOST]
    heir = m[host + at * c.HOST_COLUMNS + c.LOCK_FIRST]
    m[host + at * c.HOST_COLUMNS + c.HOLDER] = heir
    if heir == c.NONE:
        return
    m[host + at * c.HOST_COLUMNS + c.LOCK_FIRST] = m[box + heir * c.BOX_COLUMNS + c.LOCK_AFTER]
    if m[host + at * c.HOST_COLUMNS + c.LOCK_FIRST] == c.NONE:
        m[host + at * c.HOST_COLUMNS + c.LOCK_LAST] = c.NONE
    waited = now - m[box + heir * c.BOX_COLUMNS + c.IDLE_SINCE]
    m[box + heir * c.BOX_COLUMNS + c.LOCK_WAITED] += waited
    add(m, c.SUM_LOCK_WAIT, waited)
    set_timer(m, now, c.GRANTED, heir, m[box + heir * c.BOX_COLUMNS + c.GENERATION])


@compiled
def _work(m: Integers, f: Reals, row: int) -> bool:
    box = m[c.BOX_AT]
    work = scaled(m, f, row, m[m[c.STAGE_AT] + m[box + row * c.BOX_COLUMNS + c.STAGE] * c.STAGE_COLUMNS + c.WORK])
    if work > 0:
        begin_work(m, m[box + row * c.BOX_COLUMNS + c.HOST], work, row)
    return bool(work > 0)
