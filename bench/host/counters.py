"""Disturbances of the host during a trial: counters before and after, and the doubts that follow from them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.host.read import HOST_ROOT, parse_keyed, read_int, read_text
from bench.util.doubts import Doubt
from bench.util.units import decode_number

# Shares of the trial from which on its numbers are doubtful. The box itself also causes CPU and I/O pressure, so their
# limits are high. Steal and memory pressure always come from outside of the box.
STEAL_LIMIT: Final = 0.01
PRESSURE_LIMITS: Final = {"cpu": 0.25, "memory": 0.01, "io": 0.25}

PRESSURE_NAMES: Final = tuple(PRESSURE_LIMITS)


@dataclass(frozen=True)
class Counters:
    """The host's counters since boot, at one moment. A counter that could not be read is None or absent."""

    busy_ns: int | None = None
    """CPU time of the whole host, without time that was idle, waiting for I/O or stolen."""
    steal_ns: int | None = None
    total_ns: int | None = None
    """All CPU time, idle time included: the number of CPUs times the time."""
    running: int | None = None
    """Runnable tasks at this moment, including Boxbench itself."""
    swap_pages: int | None = None
    """Pages swapped in plus pages swapped out."""
    throttle_events: int | None = None
    """Thermal throttling events of all cores and packages."""
    pressure_ns: dict[str, int] = field(default_factory=dict)
    """Time in which at least one task was stalled, by resource: ``cpu``, ``memory``, ``io``."""
    cpus: int | None = None


@dataclass(frozen=True)
class Disturbance:
    """Differences between two snapshots. None or absent if a counter is missing in either of them."""

    busy_ns: int | None
    steal_ns: int | None
    total_ns: int | None
    swap_pages: int | None
    throttle_events: int | None
    pressure_ns: dict[str, int]


def read_counters(root: Path = HOST_ROOT) -> Counters:
    """Read all counters. Takes well under a millisecond; call it outside of the measured interval."""
    stat = read_text(root, "proc/stat") or ""
    times = parse_cpu_line(stat, tick_ns=10**9 // os.sysconf("SC_CLK_TCK"))
    vmstat = parse_keyed(read_text(root, "proc/vmstat") or "")
    swaps = [vmstat.get(name) for name in ("pswpin", "pswpout")]
    pressure = {name: parse_pressure(read_text(root, f"proc/pressure/{name}") or "") for name in PRESSURE_NAMES}
    return Counters(
        **times,
        running=parse_keyed(stat).get("procs_running"),
        swap_pages=None if None in swaps else sum(pages for pages in swaps if pages is not None),
        throttle_events=_throttle_events(root),
        pressure_ns={name: value for name, value in pressure.items() if value is not None},
        cpus=sum(line.startswith("cpu") for line in stat.splitlines()) - 1 if times else None,
    )


def parse_cpu_line(text: str, *, tick_ns: int) -> dict[str, int]:
    """``busy_ns``, ``steal_ns`` and ``total_ns`` from /proc/stat; empty if its first line is not the sum of CPUs."""
    words = text.split("\n", 1)[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return {}
    # user nice system idle iowait irq softirq steal. The guest time that follows is already part of user.
    ticks = [number for word in words[1:9] if (number := decode_number(word)) is not None]
    if len(ticks) < 8:
        return {}
    idle, steal, total = ticks[3] + ticks[4], ticks[7], sum(ticks)
    return {"busy_ns": (total - idle - steal) * tick_ns, "steal_ns": steal * tick_ns, "total_ns": total * tick_ns}


def parse_pressure(text: str) -> int | None:
    """The ``some`` total of a /proc/pressure file, converted from microseconds to ns; None if it is missing."""
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == "some" and words[-1].startswith("total="):
            total_us = decode_number(words[-1].removeprefix("total="))
            return None if total_us is None else total_us * 1000
    return None


def _throttle_events(root: Path) -> int | None:
    folder = root / "sys/devices/system/cpu"
    files = [
        file
        for kind in ("core", "package")
        for file in folder.glob(f"cpu[0-9]*/thermal_throttle/{kind}_throttle_count")
    ]
    counts = [count for file in files if (count := read_int(root, str(file.relative_to(root)))) is not None]
    return sum(counts) if counts else None


def _minus(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def difference(before: Counters, after: Counters) -> Disturbance:
    """The growth of each counter between two snapshots."""
    return Disturbance(
        busy_ns=_minus(after.busy_ns, before.busy_ns),
        steal_ns=_minus(after.steal_ns, before.steal_ns),
        total_ns=_minus(after.total_ns, before.total_ns),
        swap_pages=_minus(after.swap_pages, before.swap_pages),
        throttle_events=_minus(after.throttle_events, before.throttle_events),
        pressure_ns={
            name: value - before.pressure_ns[name]
            for name, value in after.pressure_ns.items()
            if name in before.pressure_ns
        },
    )


HOST_COUNTERS: Final = ("cpu", "swap", "throttle", "psi")
"""The names behind ``unknown:`` in marks about the host's counters."""


def doubts(before: Counters, after: Counters, *, interval_ns: int) -> tuple[str, ...]:
    """The doubts to mark on a record, most serious first. Empty if all counters were read and nothing happened.

    The marks are ``throttled``, ``swap``, ``steal:3.2%`` (of all CPU time), ``pressure:memory:4.0%`` (of
    ``interval_ns``), ``busy:5`` (other runnable tasks before the start, at least one per CPU), and
    ``unknown:NAME`` for each counter that could not be read (``cpu``, ``swap``, ``throttle``, ``psi``).

    Args:
        interval_ns: the time between the two snapshots.

    Raises:
        ValueError: ``interval_ns`` is not positive.
    """
    if interval_ns <= 0:
        raise ValueError(f"the interval between two snapshots must be positive, not {interval_ns} ns")
    change = difference(before, after)
    marks = []
    if change.throttle_events:
        marks.append(Doubt.THROTTLED.value)
    if change.swap_pages:
        marks.append(Doubt.SWAP.value)
    marks += _steal_marks(change)
    for name, limit in PRESSURE_LIMITS.items():
        share = change.pressure_ns.get(name, 0) / interval_ns
        if share >= limit:
            marks.append(Doubt(f"pressure:{name}").of(f"{share:.1%}"))
    # Boxbench itself is one of the runnable tasks.
    if before.running is not None and before.cpus is not None and before.running - 1 >= before.cpus:
        marks.append(Doubt.BUSY.of(str(before.running - 1)))
    return (*marks, *_unknown(change))


def _steal_marks(change: Disturbance) -> list[str]:
    if not change.steal_ns or not change.total_ns:
        return []
    share = change.steal_ns / change.total_ns
    return [Doubt.STEAL.of(f"{share:.1%}")] if share >= STEAL_LIMIT else []


def _unknown(change: Disturbance) -> tuple[str, ...]:
    missing = {
        "cpu": change.total_ns is None,
        "swap": change.swap_pages is None,
        "throttle": change.throttle_events is None,
        "psi": len(change.pressure_ns) < len(PRESSURE_NAMES),
    }
    return tuple(Doubt.UNKNOWN.of(name) for name, absent in missing.items() if absent)


def unreadable(now: Counters) -> tuple[str, ...]:
    """Those of HOST_COUNTERS that a snapshot lacks, so that no trial can be marked by them."""
    return tuple(mark.removeprefix(Doubt.UNKNOWN.of("")) for mark in _unknown(difference(now, now)))
