"""Our own garbage: what was there before is not walked again."""

from __future__ import annotations

import gc

import pytest

from bench.run.interpreter import set_aside


def test_what_was_there_is_left_alone_within() -> None:
    before = [[number] for number in range(1000)]
    with set_aside():
        assert gc.get_freeze_count() > len(before)
        assert not any(one is before for one in gc.get_objects())
        after = [[0]]
        assert any(one is after for one in gc.get_objects())
    assert gc.get_freeze_count() == 0


def test_an_error_ends_it_too() -> None:
    with pytest.raises(KeyError), set_aside():
        raise KeyError
    assert gc.get_freeze_count() == 0
