"""A trace that stays in memory: a question runs the same invocations many times, and a file of counts takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from bench.sim.traces.trace import MOST, Integers, Trace, TraceSource, joined, rechunked

MOST_KEPT: Final = 2**21
"""Invocations that are kept: 50 MB. A longer trace is read, or made from its law, by every run anew."""


class Kept:
    """A ``TraceSource`` with the invocations of another one, of which it keeps those of the latest seed.

    Args:
        source: where they come from.
        most: invocations that are kept at most.
    """

    def __init__(self, source: TraceSource, *, most: int = MOST_KEPT) -> None:
        self.source = source
        self._most = most
        self._kept: tuple[int, Trace] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """As in ``TraceSource``."""
        return self.source.names

    @property
    def memory_bytes(self) -> Integers | None:
        """As in ``TraceSource``."""
        return self.source.memory_bytes

    @property
    def length_ns(self) -> int:
        """As in ``TraceSource``."""
        return self.source.length_ns

    @property
    def rules(self) -> tuple[str, ...]:
        """As in ``TraceSource``."""
        return self.source.rules

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        """As in ``TraceSource``."""
        kept = self._kept
        if kept is not None and kept[0] == seed:
            return rechunked(iter((kept[1],)), most)
        return self._keeping(seed, most)

    def _keeping(self, seed: int, most: int) -> Iterator[Trace]:
        parts: list[Trace] = []
        count = 0
        for part in self.source.chunks(seed=seed, most=most):
            count += len(part)
            if count <= self._most:
                parts.append(part)
            else:
                parts.clear()
            yield part
        if count <= self._most:
            self._kept = seed, joined(parts, self.names, self.memory_bytes)
