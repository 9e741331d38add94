"""Waiting for a process of ours to come up."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from bench.engines.startup import becomes, why_not_up


class _Process:
    """Lives for so many questions; None: for ever."""

    def __init__(self, questions: int | None) -> None:
        self._left = questions

    def poll(self) -> int | None:
        if self._left is None:
            return None
        self._left -= 1
        return None if self._left >= 0 else 1


def _answers(*answers: bool | OSError) -> Callable[[], bool]:
    left: Iterator[bool | OSError] = iter(answers)

    def ask() -> bool:
        answer = next(left)
        if isinstance(answer, OSError):
            raise answer
        return answer

    return ask


@pytest.mark.parametrize(
    ("lives", "answers", "timeout_s", "result"),
    [
        (None, (False, OSError("no such socket"), True), 1000, True),
        (2, (False, False), 1000, False),
        (0, (), 1000, False),
        (None, (), 0, False),
    ],
)
def test_it_asks_until_it_is_so_or_nobody_can_answer(
    lives: int | None, answers: tuple[bool | OSError, ...], timeout_s: float, result: bool
) -> None:
    process = cast("subprocess.Popen[bytes]", _Process(lives))
    assert becomes(process, _answers(*answers), timeout_s=timeout_s, poll_s=0) is result


def test_another_error_is_not_taken_for_an_answer() -> None:
    def fails() -> bool:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        becomes(cast("subprocess.Popen[bytes]", _Process(None)), fails, timeout_s=1000, poll_s=0)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "a daemon did not start within 60 s"),
        (3, "a daemon ended with status 3 before it was up"),
        (-9, "a daemon ended with signal 9 before it was up"),
    ],
)
def test_a_daemon_that_has_ended_did_not_take_too_long(status: int | None, said: str) -> None:
    process = cast("subprocess.Popen[bytes]", SimpleNamespace(poll=lambda: status))
    assert why_not_up("a daemon", process, timeout_s=60) == said
