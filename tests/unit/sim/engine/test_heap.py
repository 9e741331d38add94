"""The heap gives entries back in one order, whatever the order in which they came."""

from __future__ import annotations

import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sim.engine.arrays import zeros
from bench.sim.engine.heap import STRIDE, pop, push
from bench.sim.engine.jit import pure

# Few keys, so that most of them are ties.
OPERATIONS = st.lists(st.one_of(st.integers(0, 3), st.integers(-(2**62), 2**62), st.none()), max_size=80)


@pytest.mark.parametrize("lists", [True, False])
@given(operations=OPERATIONS, base=st.sampled_from([0, 4, 40]))
def test_it_is_a_priority_queue_with_ties_by_order(lists: bool, operations: list[int | None], base: int) -> None:
    """None takes the first entry out; a number puts one in. The oracle is ``heapq``."""
    put, take = (pure(push), pure(pop)) if lists else (push, pop)
    heap = zeros(base + 81 * STRIDE, lists=lists)
    oracle: list[tuple[int, int]] = []
    for order, key in enumerate(operations):
        if key is not None:
            put(heap, base, len(oracle), key, order, 7 * order, -order)
            heapq.heappush(oracle, (key, order))
        elif oracle:
            first, number = heapq.heappop(oracle)
            assert list(heap[base : base + STRIDE]) == [first, number, 7 * number, -number]
            take(heap, base, len(oracle) + 1)
    assert not any(heap[:base])
