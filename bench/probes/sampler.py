"""Repeated readings of a box's counters: samples while it is ready, and last values while it stops."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.host.cgroup import BoxCgroup
from bench.host.processes import process_cpu_ns
from bench.host.read import HOST_ROOT, read_text
from bench.probes.cpu import is_whole_vmm
from bench.records.component import Component
from bench.records.record import Samples
from bench.util.clock import Clock
from bench.util.threads import WatchedThread

MOST_SAMPLES: Final = 1200
"""At this number every second sample is dropped, except the one with the largest memory. The interval is doubled."""
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

Read = Callable[[], tuple[int, int] | None]
"""Returns memory, bytes, and CPU time so far, ns; None when the box is gone."""


def reader(processes: Mapping[str, Sequence[int]], group: BoxCgroup | None, *, root: Path = HOST_ROOT) -> Read | None:
    """How to sample a box: its control group's counters, or its VMM's resident memory. None: it cannot be sampled.

    PSS is not used: the kernel walks all page tables of a process for it, which would slow a VM.
    """
    if is_whole_vmm(processes):
        pids = tuple(processes[Component.VMM])
        return lambda: _of_processes(pids, root)
    return None if group is None else lambda: _of_group(group)


def _of_processes(pids: Sequence[int], root: Path) -> tuple[int, int] | None:
    memory, used = 0, 0
    for pid in pids:
        columns, cpu = (read_text(root, f"proc/{pid}/statm") or "").split(), process_cpu_ns(pid)
        if len(columns) < 2 or cpu is None:
            return None
        memory, used = memory + int(columns[1]) * _PAGE_BYTES, used + cpu
    return memory, used


def _of_group(group: BoxCgroup) -> tuple[int, int] | None:
    memory, used = group.usage_bytes(), group.cpu_ns()
    return None if memory is None or used is None else (memory, used)


class Sampler:
    """Takes samples on a thread until ``close``."""

    def __init__(self, read: Read, clock: Clock, *, interval_ns: int, most: int = MOST_SAMPLES) -> None:
        self._read = read
        self._clock = clock
        self._interval_ns = interval_ns
        self._most = most
        self._begun_ns = clock.now_ns()
        self._samples: list[tuple[int, int, int]] = []
        self._largest: tuple[int, int, int] | None = None
        self._done = threading.Event()
        self._thread = WatchedThread(self._run, name="sampler")
        self._thread.start()

    def close(self) -> Samples | None:
        """End the thread and return the samples; None without samples. May be called again."""
        self._done.set()
        self._thread.join()
        if self._largest is None:
            return None
        at, memory, used = zip(*sorted({*self._samples, self._largest}), strict=True)
        return Samples(at_ns=at, memory_bytes=memory, cpu_ns=tuple(value - used[0] for value in used))

    def why_ended(self) -> str | None:
        """The error because of which later samples are missing; None without one."""
        return self._thread.why_ended()

    def _run(self) -> None:
        while True:
            found = self._read()
            if found is None:
                return
            sample = (self._clock.now_ns() - self._begun_ns, *found)
            self._samples.append(sample)
            if self._largest is None or sample[1] > self._largest[1]:
                self._largest = sample
            if len(self._samples) >= self._most:
                self._samples = self._samples[::2]
                self._interval_ns *= 2
            # The next sample's time does not depend on the duration of this one.
            rest_ns = self._interval_ns - (self._clock.now_ns() - self._begun_ns) % self._interval_ns
            if self._done.wait(rest_ns / 1e9):
                return


LAST_INTERVAL_S: Final = 0.005
"""The time between two readings while a box stops. CPU time that the box uses after the last reading is lost: at most
this much on each of its CPUs. A reading takes about 0.1 ms, which costs the harness 2 % of one CPU and boxes nothing.
"""


class LastValues:
    """Reads counters on a thread until ``close``, and keeps the largest value of each."""

    def __init__(self, read: Callable[[], Mapping[str, int]], *, interval_s: float = LAST_INTERVAL_S) -> None:
        self._read = read
        self._interval_s = interval_s
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = WatchedThread(self._run, name="last-values")
        self.take()
        self._thread.start()

    def take(self) -> None:
        """Read now. A counter keeps its last value when it disappears, or when a part of it does."""
        with self._lock:
            for name, value in self._read().items():
                self._last[name] = max(value, self._last.get(name, 0))

    def close(self) -> Mapping[str, int]:
        """End the thread and return the last values. May be called again."""
        self._done.set()
        self._thread.join()
        return self._last

    def why_ended(self) -> str | None:
        """The error because of which later readings are missing; None without one."""
        return self._thread.why_ended()

    def _run(self) -> None:
        while not self._done.wait(self._interval_s):
            self.take()
