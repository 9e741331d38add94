"""How fast CPUs work: the one place of the formula, for storms, networks, fleets and SimPy.

- With ``k`` CPUs busy, all pieces of work together get ``k / (1 + inflation * (k - 1))`` of CPU time per time.
- Beside ``s`` boxes in flight on ``c`` CPUs, all work takes ``max(1, s / c) ** crowding`` times as long: what a crowd
  leaves of the speed is one over that.

Both are tables of integers. A speed is in units of work per ns. What a crowd leaves is in parts of ``CROWD_ONE``; it
never rises with the crowd, and is exactly ``CROWD_ONE`` for up to ``c`` boxes. The product is rounded to a unit.
"""

from __future__ import annotations

import math
from typing import Final

from bench.sim.engine.arrays import Ints
from bench.sim.engine.jit import compiled, inlined, pure
from bench.sim.engine.rng import exp, log, to_ns

ROOM_BITS: Final = 62
MOST_SHIFT: Final = 20
LEAST_SHIFT: Final = 8
"""Units of work are between 2**-20 and 2**-8 ns: as fine as 64-bit integers allow."""

CROWD_BITS: Final = 26
"""The speed of ``limits.MOST_CPUS``, in units of 2**-20 ns, times this is below 2**63."""
CROWD_ONE: Final = 1 << CROWD_BITS
_CROWD_HALF: Final = 1 << (CROWD_BITS - 1)
_NOTHING: Final = -40.0
"""e to this is less than one part of ``CROWD_ONE``."""
_ENOUGH: Final = 100.0
"""e to this leaves 64 bits."""


@compiled
def fill_speeds(table: Ints, at: int, cpus: int, inflation: float, shift: int) -> None:
    """Write a node's speeds when 0, 1, ... ``cpus`` CPUs work, in units of 2**-shift ns per ns: (cpus + 1,)."""
    table[at] = 0
    for busy in range(1, cpus + 1):
        table[at + busy] = max(1, to_ns(busy / (1.0 + inflation * (busy - 1)) * (1 << shift)))


@compiled
def fill_crowd(table: Ints, at: int, cpus: int, crowding: float, most: int) -> None:
    """Write what a crowd of 0, 1, ... ``most`` boxes leaves of a node's speed: (most + 1,)."""
    left = CROWD_ONE
    for boxes in range(most + 1):
        if boxes > cpus:
            exponent = -crowding * log(boxes / cpus)
            left = min(left, max(1, to_ns(exp(max(exponent, _NOTHING)) * CROWD_ONE)))
        table[at + boxes] = left


@inlined
def crowded(speed: int, left: int) -> int:
    """A node's speed with what a crowd leaves of it."""
    return max(1, (speed * left + _CROWD_HALF) >> CROWD_BITS)


def speed_table(*, cpus: int, inflation: float, shift: int) -> Ints:
    """``fill_speeds`` as a new list."""
    table = [0] * (cpus + 1)
    pure(fill_speeds)(table, 0, cpus, inflation, shift)
    return table


def crowd_table(*, cpus: int, crowding: float, most: int) -> Ints:
    """``fill_crowd`` as a new list. Without crowding: that of no box, (1,)."""
    most = most if crowding > 0 else 0
    table = [0] * (most + 1)
    pure(fill_crowd)(table, 0, cpus, crowding, most)
    return table


def crowd_factor(*, boxes: int, cpus: int, crowding: float) -> float:
    """How many times as long work takes beside so many boxes; infinity: beyond all integers."""
    exponent = crowding * math.log(boxes / cpus) if boxes > cpus else 0.0
    return math.exp(exponent) if exponent < _ENOUGH else math.inf
