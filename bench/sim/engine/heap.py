"""A 4-ary heap with an exact total order, as a kernel on a flat array.

An entry is four integers: ``key`` (a time, or a virtual time), ``order``, ``item`` and ``extra``. Entries come out by
(key, order). No two entries of a heap have the same order, so the sequence does not depend on how the heap was built.
Several heaps may share an array; ``base`` is where a heap begins and ``size`` how many entries it has.
"""

from __future__ import annotations

from typing import Final

from bench.sim.engine.arrays import Ints
from bench.sim.engine.jit import inlined

STRIDE: Final = 4
"""Integers of an entry: 32 bytes, so that two entries share a line of the CPU's cache."""
KEY: Final = 0
ORDER: Final = 1
ITEM: Final = 2
EXTRA: Final = 3

_WAYS: Final = 4


@inlined
def push(heap: Ints, base: int, size: int, key: int, order: int, item: int, extra: int) -> None:
    """Add an entry to a heap of ``size`` entries; the array must have room for one more."""
    place = size
    while place > 0:
        above = (place - 1) // _WAYS
        at = base + above * STRIDE
        if heap[at] < key or (heap[at] == key and heap[at + 1] < order):
            break
        below = base + place * STRIDE
        heap[below] = heap[at]
        heap[below + 1] = heap[at + 1]
        heap[below + 2] = heap[at + 2]
        heap[below + 3] = heap[at + 3]
        place = above
    at = base + place * STRIDE
    heap[at] = key
    heap[at + 1] = order
    heap[at + 2] = item
    heap[at + 3] = extra


@inlined
def pop(heap: Ints, base: int, size: int) -> None:
    """Remove the first entry, which is at ``base``, from a heap of ``size`` entries."""
    left = size - 1
    if left == 0:
        return
    last = base + left * STRIDE
    key = heap[last]
    order = heap[last + 1]
    item = heap[last + 2]
    extra = heap[last + 3]
    place = 0
    while True:
        below = _least_below(heap, base, place, left)
        if below == 0:
            break
        at = base + below * STRIDE
        if key < heap[at] or (key == heap[at] and order < heap[at + 1]):
            break
        to = base + place * STRIDE
        heap[to] = heap[at]
        heap[to + 1] = heap[at + 1]
        heap[to + 2] = heap[at + 2]
        heap[to + 3] = heap[at + 3]
        place = below
    at = base + place * STRIDE
    heap[at] = key
    heap[at + 1] = order
    heap[at + 2] = item
    heap[at + 3] = extra


@inlined
def _before(heap: Ints, one: int, other: int) -> int:
    """1: the entry at ``one`` comes before that at ``other``. Without branches, which the CPU could not foresee."""
    return int((heap[one] < heap[other]) | ((heap[one] == heap[other]) & (heap[one + 1] < heap[other + 1])))


@inlined
def _least_below(heap: Ints, base: int, place: int, size: int) -> int:
    """The least of the entries below ``place``; 0 when there is none."""
    first = place * _WAYS + 1
    if first >= size:
        return 0
    if first + _WAYS <= size:
        at = base + first * STRIDE
        left = _before(heap, at + STRIDE, at)
        right = 2 + _before(heap, at + 3 * STRIDE, at + 2 * STRIDE)
        return first + left + (right - left) * _before(heap, at + right * STRIDE, at + left * STRIDE)
    least = first
    for other in range(first + 1, size):
        if _before(heap, base + other * STRIDE, base + least * STRIDE):
            least = other
    return least
