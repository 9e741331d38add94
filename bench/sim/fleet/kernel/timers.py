"""Instants that are known beforehand, in order of time and, at one instant, of their making.

Grants of locks come before all others of their instant, as in ``bench.sim.engine.loop``.
"""

from __future__ import annotations

from bench.sim.engine.heap import KEY, pop, push
from bench.sim.engine.jit import compiled
from bench.sim.engine.layout import PRIORITY
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import State


@compiled
def set_timer(state: State, at: int, kind: int, entity: int, generation: int) -> None:
    """Something is to happen at ``at``. There is room: ``loop.run`` has checked it."""
    scalar = state.scalar
    order = scalar[c.SERIAL] if kind == c.GRANTED else PRIORITY + scalar[c.SERIAL]
    push(state.timer, 0, scalar[c.TIMERS], at, order, entity * c.TIMER_KINDS + kind, generation)
    scalar[c.SERIAL] += 1
    scalar[c.TIMERS] += 1


@compiled
def drop_timer(state: State) -> None:
    """Take the first timer out."""
    pop(state.timer, 0, state.scalar[c.TIMERS])
    state.scalar[c.TIMERS] -= 1


@compiled
def timer_at(state: State) -> int:
    """When the first timer ends; NEVER: there is none."""
    return int(state.timer[KEY]) if state.scalar[c.TIMERS] > 0 else c.NEVER
