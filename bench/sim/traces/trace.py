"""What every reader and every generator gives: invocations of functions in order of time, in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.util.errors import UsageError

MOST: Final = 2**18
"""Invocations in a chunk, unless the caller asks for another number. A chunk of this length takes 6 MiB."""

Integers = NDArray[np.int64]


class TraceError(UsageError):
    """A trace file is missing, malformed, or has values that cannot be."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Invocations in order of time: a whole trace, or a chunk of one.

    Attributes:
        at_ns: (invocations,) When each invocation arrives, since the trace began. Ascending; equal times are in the
            order in which the reader or generator defines them, which is the same in every run.
        function: (invocations,) The index of its function in ``names``.
        duration_ns: (invocations,) How long it computes in a box that is ready, without the box's start.
        names: (functions,) Of the whole trace, also in a chunk.
        memory_bytes: (functions,) What a box of the function holds while it lives, beside what its target adds; None:
            the trace does not say.
    """

    at_ns: Integers
    function: Integers
    duration_ns: Integers
    names: tuple[str, ...]
    memory_bytes: Integers | None = None

    def __len__(self) -> int:
        return len(self.at_ns)

    def part(self, begin: int, end: int) -> Trace:
        """The invocations from ``begin`` to before ``end``."""
        return Trace(
            at_ns=self.at_ns[begin:end],
            function=self.function[begin:end],
            duration_ns=self.duration_ns[begin:end],
            names=self.names,
            memory_bytes=self.memory_bytes,
        )


class TraceSource(Protocol):
    """Where invocations come from: a file or a generator. It is read as often as needed."""

    @property
    def names(self) -> tuple[str, ...]:
        """(functions,) Names of the functions."""

    @property
    def memory_bytes(self) -> Integers | None:
        """(functions,) As in ``Trace``."""

    @property
    def length_ns(self) -> int:
        """The span that the trace describes, from 0. A rule can put single invocations behind its end."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Sentences for the reader of an answer: what was assumed, and what was left out and how often."""

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:
        """The invocations in order of time, over all chunks.

        Args:
            seed: of what the trace leaves open, such as the times within a minute. The same seed gives the same
                invocations, whatever ``most`` is.
            most: the largest length of a chunk.

        Raises:
            TraceError: the file is wrong. Readers check what they can when they are made, before the first chunk.
        """


def whole(source: TraceSource, *, seed: int) -> Trace:
    """All invocations of a source at once, for short traces."""
    return joined(list(source.chunks(seed=seed)), source.names, source.memory_bytes)


def joined(parts: list[Trace], names: tuple[str, ...], memory_bytes: Integers | None) -> Trace:
    """Chunks in order as one trace; empty when there are none."""
    empty = np.zeros(0, dtype=np.int64)
    return Trace(
        at_ns=np.concatenate([empty, *(part.at_ns for part in parts)]),
        function=np.concatenate([empty, *(part.function for part in parts)]),
        duration_ns=np.concatenate([empty, *(part.duration_ns for part in parts)]),
        names=names,
        memory_bytes=memory_bytes,
    )


def rechunked(parts: Iterator[Trace], most: int) -> Iterator[Trace]:
    """The same invocations in chunks of exactly ``most``, and a shorter last one."""
    if most < 1:
        raise ValueError(f"a chunk has at least one invocation, not {most}")
    held: list[Trace] = []
    count = 0
    for part in parts:
        if not len(part):
            continue
        held.append(part)
        count += len(part)
        if count >= most:
            long = joined(held, part.names, part.memory_bytes)
            full = count - count % most
            yield from (long.part(begin, begin + most) for begin in range(0, full, most))
            held, count = [long.part(full, count)], count - full
    if count:
        yield joined(held, held[0].names, held[0].memory_bytes)


def same_traces(one: Iterator[Trace], other: Iterator[Trace]) -> bool:
    """Whether two sources give the same invocations, chunk by chunk of the same length."""
    return all(
        first is not None and second is not None and _same(first, second) for first, second in zip_longest(one, other)
    )


def _same(one: Trace, other: Trace) -> bool:
    return (
        np.array_equal(one.at_ns, other.at_ns)
        and np.array_equal(one.function, other.function)
        and np.array_equal(one.duration_ns, other.duration_ns)
    )


@dataclass(frozen=True, kw_only=True)
class MemoryTrace:
    """Invocations that are in memory already, as a source."""

    trace: Trace
    length_ns: int
    rules: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """As in ``TraceSource``."""
        return self.trace.names

    @property
    def memory_bytes(self) -> Integers | None:
        """As in ``TraceSource``."""
        return self.trace.memory_bytes

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:  # noqa: ARG002 - nothing is left open
        """As in ``TraceSource``."""
        return rechunked(iter((self.trace,)), most)


def check_trace(trace: Trace) -> None:
    """Refuse invocations that cannot be. Raises TraceError: out of order, before 0, an unknown function."""
    if not len(trace.at_ns) == len(trace.function) == len(trace.duration_ns):
        raise TraceError(
            f"{len(trace.at_ns)} arrivals, {len(trace.function)} functions and {len(trace.duration_ns)} durations",
            hint="give one of each per invocation",
        )
    if not len(trace):
        return
    backwards = np.flatnonzero(np.diff(trace.at_ns) < 0)
    if backwards.size:
        place = int(backwards[0])
        early, late = trace.at_ns[place + 1], trace.at_ns[place]
        raise TraceError(
            f"invocation {place + 2} arrives at {early} ns, before the one in front of it at {late} ns",
            hint="sort the invocations by time",
        )
    for name, values, most in (
        ("arrival", trace.at_ns, None),
        ("duration", trace.duration_ns, None),
        ("function", trace.function, len(trace.names)),
    ):
        wrong = np.flatnonzero((values < 0) | (False if most is None else values >= most))
        if wrong.size:
            place = int(wrong[0])
            limit = "" if most is None else f"; the trace has {most} functions"
            raise TraceError(
                f"invocation {place + 1} has the {name} {values[place]}{limit}", hint="correct the invocations"
            )
