"""Clocks: the monotonic one is the kernel's, the virtual one moves only when told to."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.util.clock import Clock, MonotonicClock, VirtualClock


def test_monotonic_clock_is_clock_monotonic() -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    now = MonotonicClock().now_ns()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    assert before <= now <= after


def test_monotonic_sleep_lets_time_pass() -> None:
    clock = MonotonicClock()
    start = clock.now_ns()
    clock.sleep(0.002)
    assert clock.now_ns() - start >= 2_000_000


def test_virtual_clock_stands_still() -> None:
    clock = VirtualClock(start_ns=5)
    assert clock.now_ns() == clock.now_ns() == 5


@given(steps=st.lists(st.integers(min_value=0, max_value=10**15)))
def test_virtual_clock_adds_up_exactly(steps: list[int]) -> None:
    clock = VirtualClock()
    for step in steps:
        clock.advance_ns(step)
    assert clock.now_ns() == sum(steps)


@given(ms=st.integers(min_value=0, max_value=10**7))
def test_virtual_sleep_is_exact_to_the_ns(ms: int) -> None:
    clock = VirtualClock()
    clock.sleep(ms / 1000)
    assert clock.now_ns() == ms * 10**6


def test_virtual_clock_refuses_to_go_back() -> None:
    clock = VirtualClock(10)
    with pytest.raises(ValueError, match="go back by 3 ns"):
        clock.advance_ns(-3)
    assert clock.now_ns() == 10


def test_both_are_clocks() -> None:
    clocks: list[Clock] = [MonotonicClock(), VirtualClock()]
    assert all(isinstance(clock.now_ns(), int) for clock in clocks)
