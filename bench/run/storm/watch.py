"""What a storm does to the host and to ourselves: how busy it is, and how late our own clock work gets."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from statistics import median
from typing import Final

from bench.host.counters import Counters, difference
from bench.util.clock import Clock

TICK_NS: Final = 5 * 10**6
"""How often the harness wakes up to see how late it is: 200 times a second cost about 1 % of one CPU."""
SATURATED: Final = 0.95
"""From this share of all CPU time on, boxes wait for each other, and we for them."""
LATE_STAMPS_NS: Final = 5 * 10**6
"""Stamps that come so late in one of 20 cases are a doubt."""

LATE_SHARE: Final = 0.1
"""A request that left later than this part of what the boxes took is a doubt, even below the limit."""


class Watch:
    """A thread that sleeps and notes how much later than asked it wakes: that late, too, may any stamp be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end = threading.Event()
        self._late_ns: list[int] = []
        self._thread = threading.Thread(target=self._run, name="boxbench-watch", daemon=True)

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

    def seen_ns(self) -> dict[str, int]:
        """``wake.median``, ``wake.p95``, ``wake.max``; empty when the storm was over before the first tick."""
        return wake_ns(self._late_ns)


def wake_ns(lateness_ns: Sequence[int]) -> dict[str, int]:
    """The same from the numbers."""
    if not lateness_ns:
        return {}
    ordered = sorted(lateness_ns)
    p95 = ordered[-(-19 * len(ordered) // 20) - 1]
    return {"wake.median": round(median(ordered)), "wake.p95": p95, "wake.max": ordered[-1]}


def host_ns(before: Counters, after: Counters) -> dict[str, int]:
    """CPU time of the whole host during the storm: ``host.busy``, and ``host.all`` with the idle part."""
    change = difference(before, after)
    if change.busy_ns is None or change.total_ns is None:
        return {}
    return {"host.busy": change.busy_ns, "host.all": change.total_ns}


def storm_doubts(seen_ns: dict[str, int]) -> tuple[str, ...]:
    """``saturated:98%`` of all CPU time, ``late-stamps:7.2ms`` in one of 20 cases."""
    marks = []
    if seen_ns.get("host.all"):
        share = seen_ns["host.busy"] / seen_ns["host.all"]
        marks += [f"saturated:{share:.0%}"] if share >= SATURATED else []
    else:
        marks.append("unknown:saturation")
    if seen_ns.get("wake.p95", 0) >= LATE_STAMPS_NS:
        marks.append(f"late-stamps:{seen_ns['wake.p95'] / 1e6:.1f}ms")
    return tuple(marks)


def late_doubts(lateness_ns: int, took_ns: Sequence[int]) -> tuple[str, ...]:
    """``late-requests:1.2ms`` when the worst request was late by a notable part of the median box's time."""
    if not took_ns or lateness_ns <= LATE_SHARE * median(took_ns):
        return ()
    return (f"late-requests:{lateness_ns / 1e6:.1f}ms",)
