"""Clocks. Code that needs time takes a Clock as an argument, so that tests can pass their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic nanoseconds."""

    def now_ns(self) -> int:
        """Nanoseconds since an arbitrary origin; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass on this clock."""


class MonotonicClock:
    """The host's CLOCK_MONOTONIC, the only clock that measured records are stamped with."""

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, in ns."""
        return time.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)
