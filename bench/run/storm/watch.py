"""What a storm does to the host and to boxbench itself: CPU time used, and how late our own threads wake up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.host.counters import Counters, difference
from bench.util.clock import Clock
from bench.util.doubts import Doubt
from bench.util.threads import WatchedThread

TICK_NS: Final = 5 * 10**6
"""How often a thread wakes up to measure its lateness: 200 times a second cost about 1 % of one CPU."""
SATURATED: Final = 0.95
"""From this share of all CPU time on, boxes wait for each other, and boxbench waits for them."""
LATE_STAMPS_NS: Final = 5 * 10**6
"""Stamps that are this late in one of 20 cases are a doubt."""

LATE_SHARE: Final = 0.1
"""A request that left later than this share of the median box's time is a doubt, even below the limit."""


class Watch:
    """A thread that sleeps and records how late it wakes up: any stamp may be as late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end = threading.Event()
        self._late_ns: list[int] = []
        self._thread = WatchedThread(self._run, name="boxbench-watch")

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            due_ns = self._clock.now_ns() + TICK_NS
            if self._end.wait(TICK_NS / 1e9):
                return
            self._late_ns.append(self._clock.now_ns() - due_ns)

    def doubts(self) -> tuple[str, ...]:
        """``unknown:late-stamps`` when an error has ended the thread."""
        why = self._thread.why_ended()
        return () if why is None else (Doubt.UNKNOWN.of(f"late-stamps ({why})"),)

    def seen_ns(self) -> dict[str, int]:
        """``wake.median``, ``wake.p95``, ``wake.max``, ns; empty when the storm ended before the first tick."""
        return wake_ns(self._late_ns)


def wake_ns(lateness_ns: Sequence[int]) -> dict[str, int]:
    """As ``Watch.seen_ns``, from the lateness of each wake-up."""
    if not lateness_ns:
        return {}
    ordered = sorted(lateness_ns)
    p95 = ordered[-(-19 * len(ordered) // 20) - 1]
    return {"wake.median": round(median(ordered)), "wake.p95": p95, "wake.max": ordered[-1]}


def host_ns(before: Counters, after: Counters) -> dict[str, int]:
    """CPU time of the whole host during the storm, ns: ``host.busy``, and ``host.all`` with idle time; or empty."""
    change = difference(before, after)
    if change.busy_ns is None or change.total_ns is None:
        return {}
    return {"host.busy": change.busy_ns, "host.all": change.total_ns}


def storm_doubts(seen_ns: dict[str, int]) -> tuple[str, ...]:
    """``saturated:98%`` of all CPU time, ``late-stamps:7.2ms`` in one of 20 cases."""
    marks = []
    if seen_ns.get("host.all"):
        share = seen_ns["host.busy"] / seen_ns["host.all"]
        marks += [Doubt.SATURATED.of(f"{share:.0%}")] if share >= SATURATED else []
    else:
        marks.append(Doubt.UNKNOWN.of("saturation"))
    if seen_ns.get("wake.p95", 0) >= LATE_STAMPS_NS:
        marks.append(Doubt.LATE_STAMPS.of(f"{seen_ns['wake.p95'] / 1e6:.1f}ms"))
    return tuple(marks)


def late_doubts(lateness_ns: int, took_ns: Sequence[int]) -> tuple[str, ...]:
    """``late-requests:1.2ms`` when the worst request was late by more than LATE_SHARE of the median box's time."""
    if not took_ns or lateness_ns <= LATE_SHARE * median(took_ns):
        return ()
    return (Doubt.LATE_REQUESTS.of(f"{lateness_ns / 1e6:.1f}ms"),)
