"""The Azure Functions trace of 2021: one line per invocation, written when it ended."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.traces import text
from bench.sim.traces.cold import Durations, without_cold_starts
from bench.sim.traces.text import fields_of, number_of, read_rows
from bench.sim.traces.trace import MOST, Integers, Trace, TraceError, rechunked
from bench.util.units import format_ns

HEAD: Final = ("app", "func", "end_timestamp", "duration")
MOST_ROWS: Final = 50_000_000
"""Invocations of a file: each takes 24 bytes of memory, and twice as much while the file is read."""
MOST_END: Final = 1e10
"""The largest time of an end, in s: times since 1970 are below it, and ns since then are not."""
_S_NS: Final = 10**9
_SECONDS: Final = "correct or remove the line; times are in seconds"

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Azure2021:
    """The invocations of a file as a ``TraceSource``; see ``read_azure_2021``."""

    trace: Trace
    length_ns: int
    rules: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """``app/func`` of each function, in the order of their first lines."""
        return self.trace.names

    @property
    def memory_bytes(self) -> None:
        """The format has no memory."""
        return

    def chunks(self, *, seed: int, most: int = MOST) -> Iterator[Trace]:  # noqa: ARG002 - nothing is left open
        """As in ``TraceSource``."""
        return rechunked(iter((self.trace,)), most)


def read_azure_2021(file: Path, *, durations: Durations = "check") -> Azure2021:
    """The invocations of a file. An invocation arrived at ``end_timestamp - duration``.

    Where the first one arrived later than the time from then to the last end, as in a part of a longer trace or with
    times since 1970, the trace begins with it: averages over time would else be those of the empty time before it.

    Args:
        durations: whether they contain cold starts; see ``without_cold_starts``.

    Raises:
        TraceError: a wrong head, a line with other columns, NaN, a time or duration below zero, ends out of order, no
            invocation within the trace, a span of more than ``text.MOST`` seconds, durations with cold starts.
    """
    names, function, end_s, duration_s = _columns(file)
    origin_s, shifted = _origin(file, end_s, duration_s)
    end_ns, duration_ns = (np.rint(values * _S_NS).astype(np.int64) for values in (end_s - origin_s, duration_s))
    at_ns = end_ns - duration_ns
    if shifted:
        # Exactly: the origin is a float.
        end_ns, at_ns = end_ns - at_ns.min(), at_ns - at_ns.min()
    order = np.argsort(at_ns, kind="stable")
    # Where the trace began, all that was running would otherwise arrive at once.
    kept = order[at_ns[order] >= 0]
    if not len(kept):
        raise TraceError(f"{file}: every invocation began before the trace", hint="name a longer trace")
    at_ns, function, duration_ns = at_ns[kept], function[kept], duration_ns[kept]
    duration_ns, about = without_cold_starts(at_ns, function, duration_ns, mode=durations, where=str(file))
    rules = [*shifted, *about]
    if early := len(order) - len(kept):
        rules.append(f"{early} of {len(order)} invocations are left out: they began before the trace.")
    rules.append("The trace has no memory: functions take no memory of their own.")
    return Azure2021(
        trace=Trace(at_ns=at_ns, function=function, duration_ns=duration_ns, names=names),
        length_ns=int(max(end_ns.max(), at_ns[-1] + 1)),
        rules=tuple(rules),
    )


def _origin(file: Path, end_s: Floats, duration_s: Floats) -> tuple[float, tuple[str, ...]]:
    """The time of the file at which the trace begins, s, and a sentence when that is not 0. Raises TraceError."""
    first, last = float((end_s - duration_s).min()), float(end_s[-1])
    shift = first > last - first
    if last - (first if shift else 0.0) > text.MOST:
        raise TraceError(
            f"{file}: the trace lasts from {first:.12g} to {last:.12g} s, more than {text.MOST:.12g} s",
            hint="name a part of it",
        )
    if not shift:
        return 0.0, ()
    return first, (
        f"The file's times begin at {first:.12g} s, and all of it lasts {format_ns((last - first) * _S_NS)}: the trace "
        "begins with its first invocation.",
    )


def _columns(file: Path) -> tuple[tuple[str, ...], Integers, Floats, Floats]:
    """Names, and of each line the function, the end and the duration, s. Raises TraceError."""
    index: dict[tuple[str, str], int] = {}
    function, ends, lengths = array("q"), array("d"), array("d")
    for number, line in read_rows(file, HEAD):
        app, name, end, length = fields_of(file, number, line, HEAD)
        end_s = number_of(file, number, "end_timestamp", end, most=MOST_END, hint=_SECONDS)
        if ends and end_s < ends[-1]:
            raise TraceError(
                f"{file}:{number}: end_timestamp {end} is before {ends[-1]:.12g} in the line in front of it",
                hint="sort the lines behind the head by their third column",
            )
        if len(ends) == MOST_ROWS:
            raise TraceError(f"{file}:{number}: more than {MOST_ROWS} invocations", hint="name a part of the trace")
        function.append(index.setdefault((app, name), len(index)))
        ends.append(end_s)
        lengths.append(number_of(file, number, "duration", length, hint=_SECONDS))
    names = tuple("/".join(key) for key in index)
    return names, np.array(function, dtype=np.int64), np.array(ends), np.array(lengths)
