"""Traces that stay in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.sim.traces.kept import Kept
from bench.sim.traces.spec import open_trace
from bench.sim.traces.trace import MOST, MemoryTrace, Trace, TraceSource, whole

LAW = "bursts:rate=5,functions=3,duration=20ms,length=5min,on=10s,off=20s,memory=64MiB"


class Counted(MemoryTrace):
    """A trace that counts how often it is read."""

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        READ.append(seed)
        return super().chunks(seed=seed, most=most)


READ: list[int] = []


@pytest.fixture(autouse=True)
def _unread() -> None:
    READ.clear()


def source() -> TraceSource:
    law = open_trace(LAW)
    return Counted(trace=whole(law, seed=3), length_ns=law.length_ns, rules=law.rules)


def lists(trace: Trace) -> list[list[int]]:
    return [trace.at_ns.tolist(), trace.function.tolist(), trace.duration_ns.tolist()]


def test_a_kept_trace_is_the_same_in_chunks_of_any_length() -> None:
    kept = Kept(source())
    first = [lists(one) for one in kept.chunks(seed=1, most=64)]
    assert READ == [1]
    assert [lists(one) for one in kept.chunks(seed=1, most=64)] == first
    assert lists(whole(kept, seed=1)) == lists(whole(source(), seed=1))
    assert kept.rules == source().rules
    assert kept.length_ns == source().length_ns
    assert kept.names == ("f0", "f1", "f2")
    assert READ == [1, 1]  # the second one by ``source`` itself


def test_another_seed_is_another_trace_and_takes_the_place_of_the_first() -> None:
    kept = Kept(source())
    for seed in (1, 2, 2, 1):
        whole(kept, seed=seed)
    assert READ == [1, 2, 1]


def test_a_run_that_is_not_read_to_its_end_keeps_nothing() -> None:
    kept = Kept(source())
    next(kept.chunks(seed=1, most=8))
    whole(kept, seed=1)
    assert READ == [1, 1]


def test_long_traces_are_read_each_time() -> None:
    kept = Kept(source(), most=100)
    found = [lists(whole(kept, seed=1)) for _ in range(2)]
    assert READ == [1, 1]
    assert found[0] == found[1]
    assert len(found[0][0]) > 100


def test_laws_and_files_are_kept() -> None:
    assert isinstance(open_trace(LAW), Kept)
    assert isinstance(open_trace("sample:azure-2021"), Kept)
