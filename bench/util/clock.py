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


class VirtualClock:
    """A clock that moves only when it is advanced or slept on: of campaigns that run no box, and of tests.

    Args:
        start_ns: its first instant.
    """

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Virtual nanoseconds."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Advance by ``seconds`` at once."""
        self.advance_ns(round(seconds * 1e9))

    def advance_ns(self, delta_ns: int) -> None:
        """Advance by ``delta_ns``. Raises ValueError below 0."""
        if delta_ns < 0:
            raise ValueError(f"a monotonic clock cannot go back by {-delta_ns} ns")
        self._now_ns += delta_ns
