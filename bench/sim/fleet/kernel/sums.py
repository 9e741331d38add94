"""Exact sums beyond the range of one integer, as (billions, rest); and counts in logarithmic buckets."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, State

_BILLION = 1_000_000_000
_SPLIT = 2**20


@compiled
def add(total: Integers, row: int, value: int) -> None:
    """Add ``value`` in [0, 2**62)."""
    rest = total[row, 1] + value % _BILLION
    total[row, 0] += value // _BILLION + rest // _BILLION
    total[row, 1] = rest % _BILLION


@compiled
def add_product(total: Integers, row: int, amount: int, span: int) -> None:
    """Add ``amount`` < 2**40 times ``span`` < 2**60, exactly."""
    seconds, part = span // _BILLION, span % _BILLION
    high, low = amount // _SPLIT, amount % _SPLIT
    # amount * part is high * part * 2**20 + low * part, each below 2**50 before the power.
    high *= part
    total[row, 0] += amount * seconds + (high // _BILLION) * _SPLIT
    add(total, row, (high % _BILLION) * _SPLIT + low * part)


@compiled
def count(state: State, row: int, value: int) -> None:
    """Count a value of at least 0 in its bucket."""
    bound = state.bound
    low, high = 0, len(bound)
    while high - low > 1:
        middle = (low + high) // 2
        if bound[middle] <= value:
            low = middle
        else:
            high = middle
    state.histogram[row, low] += 1


@compiled
def pass_time(state: State, now: int) -> None:
    """Move the clock and everything that is summed over time."""
    scalar = state.scalar
    span = now - scalar[c.NOW]
    if span == 0:
        return
    scalar[c.NOW] = now
    add_product(state.total, c.SUM_SYSTEM, scalar[c.IN_SYSTEM], span)
    add_product(state.total, c.SUM_HOSTS, scalar[c.HOSTS_USED], span)
    add_product(state.total, c.SUM_HOSTS_ON, scalar[c.HOSTS_ON] + scalar[c.HOSTS_BOOTING], span)
    add_product(state.total, c.SUM_PAGES, scalar[c.PAGES_USED], span)
