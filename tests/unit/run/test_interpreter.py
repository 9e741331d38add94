"""The interpreter while boxes are measured: old objects are not collected, threads switch fast."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from bench.run.interpreter import fast_thread_switch, frozen_heap


@pytest.fixture
def _freezes_nothing() -> Iterator[None]:
    """Undo what tests/conftest.py froze, all modules and tests, for the time of a test."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("_freezes_nothing")
def test_what_was_there_is_left_alone_within() -> None:
    before = [[number] for number in range(1000)]
    with frozen_heap():
        assert gc.get_freeze_count() > len(before)
        assert not any(one is before for one in gc.get_objects())
        after = [[0]]
        assert any(one is after for one in gc.get_objects())
    assert gc.get_freeze_count() == 0


@pytest.mark.usefixtures("_freezes_nothing")
def test_an_error_ends_it_too() -> None:
    with pytest.raises(KeyError), frozen_heap():
        raise KeyError
    assert gc.get_freeze_count() == 0


@fast_thread_switch()
def _many_trials() -> None:
    for _ in range(200):
        with fast_thread_switch():
            assert sys.getswitchinterval() == pytest.approx(0.0001)
    assert sys.getswitchinterval() == pytest.approx(0.0001)
    raise KeyError


def test_threads_switch_fast_within_and_as_before_afterwards() -> None:
    before = sys.getswitchinterval()
    assert before > 0.001
    with pytest.raises(KeyError):
        _many_trials()
    assert sys.getswitchinterval() == before
