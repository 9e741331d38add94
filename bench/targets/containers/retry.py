"""Engines that were asked for a box and were not waited for: they make it all the same, a moment later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.util.clock import MonotonicClock

_TRIES: Final = 20
_PAUSE_S: Final = 0.1


def removal_attempts(*, pending: bool) -> Iterator[int]:
    """How often to try to remove a box, with pauses between: once, or for a while where the engine did not answer."""
    for attempt in range(_TRIES if pending else 1):
        if attempt:
            MonotonicClock().sleep(_PAUSE_S)
        yield attempt
