"""Retrying a removal. An engine may still create a container after our request was interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.util.clock import MonotonicClock

_TRIES: Final = 20
_PAUSE_S: Final = 0.1


def removal_attempts(*, pending: bool) -> Iterator[int]:
    """Number the attempts to remove a box, with a pause between two.

    Args:
        pending: the engine has not confirmed the box's creation, so the box may appear later. There are 20 attempts
            in 2 s; otherwise there is one.
    """
    for attempt in range(_TRIES if pending else 1):
        if attempt:
            MonotonicClock().sleep(_PAUSE_S)
        yield attempt
