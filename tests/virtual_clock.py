"""A clock for tests, which moves only when a test advances it or the code under test sleeps on it."""

from __future__ import annotations


class VirtualClock:
    """A Clock without a time of its own; ``start_ns`` is its first instant."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns

    def now_ns(self) -> int:
        """Virtual nanoseconds."""
        return self._now_ns

    def sleep(self, seconds: float) -> None:
        """Advance by ``seconds``."""
        self.advance_ns(round(seconds * 1e9))

    def advance_ns(self, delta_ns: int) -> None:
        """Advance by ``delta_ns`` >= 0."""
        if delta_ns < 0:
            raise ValueError(f"a monotonic clock cannot go back by {-delta_ns} ns")
        self._now_ns += delta_ns
