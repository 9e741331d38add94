"""Instants that are known beforehand, in order of time and, at one instant, of their making.

Grants of locks come before all others of their instant, as in ``bench.sim.engine.loop``.
"""

from __future__ import annotations

from bench.sim.engine.heap import KEY, pop, push
from bench.sim.engine.jit import compiled
from bench.sim.engine.layout import PRIORITY
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers


@compiled
def set_timer(m: Integers, at: int, kind: int, entity: int, generation: int) -> None:
    """Something is to happen at ``at``. There is room: ``loop.run`` has checked it."""

    order = m[c.SERIAL] if kind == c.GRANTED else PRIORITY + m[c.SERIAL]
    push(m, m[c.TIMER_AT], m[c.TIMERS], at, order, entity * c.TIMER_KINDS + kind, generation)
    m[c.SERIAL] += 1
    m[c.TIMERS] += 1


@compiled
def drop_timer(m: Integers) -> None:
    """Take the first timer out."""
    pop(m, m[c.TIMER_AT], m[c.TIMERS])
    m[c.TIMERS] -= 1


@compiled
def timer_at(m: Integers) -> int:
    """When the first timer ends; NEVER: there is none."""
    return int(m[m[c.TIMER_AT] + KEY]) if m[c.TIMERS] > 0 else c.NEVER
