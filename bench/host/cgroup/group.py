"""One control group and what the kernel accounts to it. Missing is absent, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from bench.host.read import parse_keyed, read_int, read_text

UNIFIED: Final = "unified"

# Name to file and, where the file has ``key value`` lines, the keys to look for, best first.
_Source = tuple[str, tuple[str, ...]]
_MEMORY_V1: Final[dict[str, _Source]] = {
    "usage": ("memory.usage_in_bytes", ()),
    "peak": ("memory.max_usage_in_bytes", ()),
    # total_ counts the groups below too, as v2 always does.
    "anon": ("memory.stat", ("total_rss", "rss")),
    "file": ("memory.stat", ("total_cache", "cache")),
    "kernel": ("memory.kmem.usage_in_bytes", ()),
    # Of the kernel's part v1 tells TCP's buffers alone; page tables and stacks are in it without a name.
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
    # Parts of the kernel's, but for the sockets' buffers, which are beside it.
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
    """A control group, by controller; every reading leaves out what the kernel does not offer."""

    version: Literal["v1", "v2"]
    directories: Mapping[str, Path]
    """Controller to directory: on v1 those of ``memory``, ``cpu``, ``cpuacct``, ``blkio`` where the group is not
    shared with the harness; on v2 the one directory, as ``unified``."""

    def memory_bytes(self) -> dict[str, int]:
        """``usage``, ``peak``, ``anon``, ``file`` (page cache, tmpfs too), ``kernel``, ``sock``, ``shmem``, ``swap``.

        v2 also splits the kernel's part: ``slab``, ``pagetables``, ``kernel_stack``, ``percpu``, ``vmalloc``.
        """
        sources = _MEMORY_V1 if self.version == "v1" else _MEMORY_V2
        readings = {name: self._reading("memory", file, keys) for name, (file, keys) in sources.items()}
        return {name: value for name, value in readings.items() if value is not None}

    def usage_bytes(self) -> int | None:
        """``usage`` alone: one small file."""
        file, keys = (_MEMORY_V1 if self.version == "v1" else _MEMORY_V2)["usage"]
        return self._reading("memory", file, keys)

    def cpu_ns(self) -> int | None:
        """CPU time of all that ever ran in the group and below, ns."""
        if self.version == "v1":
            return self._reading("cpuacct", "cpuacct.usage")
        return _us_to_ns(self._reading("cpu", "cpu.stat", ("usage_usec",)))

    def throttled_ns(self) -> int | None:
        """Time in which the group was held back by its own CPU limit, ns."""
        if self.version == "v1":
            return self._reading("cpu", "cpu.stat", ("throttled_time",))
        return _us_to_ns(self._reading("cpu", "cpu.stat", ("throttled_usec",)))

    def oom_kills(self) -> int | None:
        """Tasks killed because the group was out of memory."""
        return self._reading("memory", "memory.oom_control" if self.version == "v1" else "memory.events", ("oom_kill",))

    def pids(self) -> tuple[int, ...]:
        """The processes in the group and in the groups below it."""
        found: set[int] = set()
        for directory in set(self.directories.values()):
            for file in directory.rglob("cgroup.procs"):
                found.update(int(word) for word in (read_text(file.parent, file.name) or "").split())
        return tuple(sorted(found))

    def _text(self, controller: str, file: str) -> str | None:
        directory = self.directories.get(controller if self.version == "v1" else UNIFIED)
        return None if directory is None else read_text(directory, file)

    def _reading(self, controller: str, file: str, keys: tuple[str, ...] = ()) -> int | None:
        directory = self.directories.get(controller if self.version == "v1" else UNIFIED)
        if directory is None:
            return None
        if not keys:
            return read_int(directory, file)
        values = parse_keyed(read_text(directory, file) or "")
        return next((values[key] for key in keys if key in values), None)


def _us_to_ns(value_us: int | None) -> int | None:
    return None if value_us is None else value_us * 1000
