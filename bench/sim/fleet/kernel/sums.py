"""Exact sums beyond the range of one integer, as (billions, rest); and counts in logarithmic buckets."""

from __future__ import annotations

from bench.sim.engine.jit import compiled
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers

_BILLION = 1_000_000_000
_SPLIT = 2**20


@compiled
def add(m: Integers, row: int, value: int) -> None:
    """Add ``value`` in [0, 2**62)."""
    rest = m[row + 1] + value % _BILLION
    m[row] += value // _BILLION + rest // _BILLION
    m[row + 1] = rest % _BILLION


@compiled
def add_product(m: Integers, row: int, amount: int, span: int) -> None:
    """Add ``amount`` < 2**40 times ``span`` < 2**60, exactly."""
    seconds, part = span // _BILLION, span % _BILLION
    high, low = amount // _SPLIT, amount % _SPLIT
    # amount * part is high * part * 2**20 + low * part, each below 2**50 before the power.
    high *= part
    m[row] += amount * seconds + (high // _BILLION) * _SPLIT
    add(m, row, (high % _BILLION) * _SPLIT + low * part)


@compiled
def count(m: Integers, row: int, value: int) -> None:
    """Count a value of at least 0 in its bucket."""
    bound, buckets = m[c.BOUND_AT], m[c.BUCKETS]
    low, high = 0, buckets
    while high - low > 1:
        middle = (low + high) // 2
        if m[bound + middle] <= value:
            low = middle
        else:
            high = middle
    m[m[c.HISTOGRAM_AT] + row * buckets + low] += 1


@compiled
def pass_time(m: Integers, now: int) -> None:
    """Move the clock and everything that is summed over time."""
    span = now - m[c.NOW]
    if span == 0:
        return
    m[c.NOW] = now
    add_product(m, c.SUM_SYSTEM, m[c.IN_SYSTEM], span)
    add_product(m, c.SUM_HOSTS, m[c.HOSTS_USED], span)
    add_product(m, c.SUM_HOSTS_ON, m[c.HOSTS_ON] + m[c.HOSTS_BOOTING], span)
    add_product(m, c.SUM_PAGES, m[c.PAGES_USED], span)
