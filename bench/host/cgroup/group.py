"""Readings of one control group. A reading that the kernel does not offer is absent, never zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.host.read import parse_keyed, read_int, read_text
from bench.util.tree import walk_directories
from bench.util.units import decode_number

UNIFIED: Final = "unified"

# The file of a reading and, if it has ``key value`` lines, the keys to look for, best first.
_Source = tuple[str, tuple[str, ...]]
_MEMORY_V1: Final[dict[str, _Source]] = {
    "usage": ("memory.usage_in_bytes", ()),
    "peak": ("memory.max_usage_in_bytes", ()),
    # total_ includes the groups below, as all v2 counters do.
    "anon": ("memory.stat", ("total_rss", "rss")),
    "file": ("memory.stat", ("total_cache", "cache")),
    "kernel": ("memory.kmem.usage_in_bytes", ()),
    # The only part of kernel memory that v1 reports separately is TCP's buffers.
    "sock": ("memory.kmem.tcp.usage_in_bytes", ()),
    "shmem": ("memory.stat", ("total_shmem", "shmem")),
    "swap": ("memory.stat", ("total_swap", "swap")),
}
_MEMORY_V2: Final[dict[str, _Source]] = {
    "usage": ("memory.current", ()),
    "peak": ("memory.peak", ()),
    "anon": ("memory.stat", ("anon",)),
    "file": ("memory.stat", ("file",)),
    "kernel": ("memory.stat", ("kernel",)),
    # These are parts of ``kernel``, except ``sock``, which is not included in it.
    "slab": ("memory.stat", ("slab",)),
    "pagetables": ("memory.stat", ("pagetables",)),
    "kernel_stack": ("memory.stat", ("kernel_stack",)),
    "percpu": ("memory.stat", ("percpu",)),
    "vmalloc": ("memory.stat", ("vmalloc",)),
    "sock": ("memory.stat", ("sock",)),
    "shmem": ("memory.stat", ("shmem",)),
    "swap": ("memory.swap.current", ()),
}


@dataclass(frozen=True)
class BoxCgroup:
    """The control group of a box, in every hierarchy that has one."""

    version: Literal["v1", "v2"]
    directories: Mapping[str, Path]
    """The directory of each controller. On v1 the keys are those of ``memory``, ``cpu``, ``cpuacct`` and ``blkio``
    whose group is not shared with Boxbench; on v2 the only key is ``unified``."""

    def memory_bytes(self) -> dict[str, int]:
        """``usage``, ``peak``, ``anon``, ``file`` (page cache, tmpfs too), ``kernel``, ``sock``, ``shmem``, ``swap``.

        v2 also reports parts of ``kernel``: ``slab``, ``pagetables``, ``kernel_stack``, ``percpu``, ``vmalloc``.
        """
        sources = _MEMORY_V1 if self.version == "v1" else _MEMORY_V2
        readings = {name: self._reading("memory", file, keys) for name, (file, keys) in sources.items()}
        return {name: value for name, value in readings.items() if value is not None}

    def usage_bytes(self) -> int | None:
        """Only ``usage``, from one small file; None if it cannot be read."""
        file, keys = (_MEMORY_V1 if self.version == "v1" else _MEMORY_V2)["usage"]
        return self._reading("memory", file, keys)

    def peak_bytes(self) -> int | None:
        """Only ``peak``, the largest ``usage`` so far, from one small file; None if it cannot be read."""
        file, keys = (_MEMORY_V1 if self.version == "v1" else _MEMORY_V2)["peak"]
        return self._reading("memory", file, keys)

    def cpu_ns(self) -> int | None:
        """CPU time in ns of all tasks that ever ran in the group and the groups below it; None if unknown."""
        if self.version == "v1":
            return self._reading("cpuacct", "cpuacct.usage")
        return _us_to_ns(self._reading("cpu", "cpu.stat", ("usage_usec",)))

    def throttled_ns(self) -> int | None:
        """Time in ns during which the CPU limit throttled the group; None if unknown."""
        if self.version == "v1":
            return self._reading("cpu", "cpu.stat", ("throttled_time",))
        return _us_to_ns(self._reading("cpu", "cpu.stat", ("throttled_usec",)))

    def oom_kills(self) -> int | None:
        """How many tasks were killed because the group was out of memory; None if unknown."""
        return self._reading("memory", "memory.oom_control" if self.version == "v1" else "memory.events", ("oom_kill",))

    def pids(self) -> tuple[int, ...]:
        """The processes in the group and in the groups below it."""
        return tuple(sorted({pid for directory in set(self.directories.values()) for pid, _ in listed_pids(directory)}))

    def _reading(self, controller: str, file: str, keys: tuple[str, ...] = ()) -> int | None:
        directory = self.directories.get(controller if self.version == "v1" else UNIFIED)
        if directory is None:
            return None
        if not keys:
            return read_int(directory, file)
        values = parse_keyed(read_text(directory, file) or "")
        return next((values[key] for key in keys if key in values), None)


def listed_pids(directory: Path) -> Iterator[tuple[int, Path]]:
    """Every process in a group and in the groups below it, with the directory of its group."""
    try:
        for fd, inner in walk_directories(directory):
            for word in (read_text(Path(f"/proc/self/fd/{fd}"), "cgroup.procs") or "").split():
                if (pid := decode_number(word)) is not None:
                    yield pid, inner
    except OSError:
        return  # the group has been removed


def _us_to_ns(value_us: int | None) -> int | None:
    return None if value_us is None else value_us * 1000
