"""The ledger of resident boxes: the growth of the host's memory by holder, and the unexplained rest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.host.memory import PARTS, SETTLED_BYTES, read_memory, settled_memory
from bench.host.processes import parent_of
from bench.probes.memory import anon_bytes
from bench.records.component import Component, daemon_component
from bench.util.clock import Clock
from bench.util.doubts import Doubt
from bench.util.units import format_bytes

_TRIES: Final = 5


@dataclass(frozen=True)
class HostMemory:
    """The memory of the host at rest, bytes."""

    host: Mapping[str, int]
    """See ``bench.host.memory.read_memory``."""
    anon: Mapping[int, int]
    """Anonymous memory by pid of all readable processes. Shared pages are divided among their holders."""
    moved: int
    """By how much the used memory changed during the reading."""
    children: frozenset[int] = frozenset()
    """Pids of this process's own children: launchers and private engines."""


def read_host_memory(clock: Clock, *, rest_ns: int, root: Path = Path("/"), own: int | None = None) -> HostMemory:
    """Wait until the host's memory is at rest, and read it.

    Args:
        rest_ns: how long to let the host rest first.
        own: the pid of this process; None: ask the system.
    """
    host, moved = settled_memory(clock, rest_ns=rest_ns, root=root)
    tries: list[HostMemory] = []
    while len(tries) < _TRIES and not any(one.moved <= SETTLED_BYTES for one in tries):
        before, anon, after = host, _anon(root / "proc"), read_memory(root)
        # Counters and processes belong together only if the memory did not change while the processes were read.
        moved_now = abs(after.get("used", 0) - before.get("used", 0))
        tries.append(HostMemory(after, anon, moved_now, _children(root, os.getpid() if own is None else own)))
        host = after
    best = min(tries, key=lambda one: one.moved)
    return replace(best, moved=max(best.moved, moved))


def _anon(proc: Path) -> dict[int, int]:
    sizes = {pid: anon_bytes(pid, root=proc) for pid in _pids(proc)}
    return {pid: size for pid, size in sizes.items() if size is not None}


def _pids(proc: Path) -> list[int]:
    return [int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()]


def _children(root: Path, own: int) -> frozenset[int]:
    return frozenset(pid for pid in _pids(root / "proc") if parent_of(pid, root=root) == own)


def ledger(
    before: HostMemory,
    after: HostMemory,
    processes: Mapping[str, Sequence[int]],
    daemons: Mapping[str, int],
    *,
    own: int | None = None,
) -> dict[str, int]:
    """The memory that the boxes added to the host, bytes, by part.

    The parts and ``unexplained`` add up to ``host.used``.

    ``part.anon.<component>``: anonymous memory of the boxes' processes.
    ``part.daemon.<name>``, ``part.harness``: the growth of daemons, and of this process with its launchers.
    ``part.others``: the growth of all other readable processes, including private engines of other boxes.
    ``part.<name>``: the growth of the kernel's own use and of the page cache, from the host's counters.
    ``host.available``: the decrease of the memory that the kernel estimates to be available to new programs.

    Args:
        processes: the pids of all boxes by component.
        own: the pid of this process; None: ask the system.
    """
    found: dict[str, int] = {}
    for name in ("used", "available"):
        if name in before.host and name in after.host:
            sign = -1 if name == "available" else 1
            found[f"host.{name}"] = sign * (after.host[name] - before.host[name])
    found.update(_holders(before, after, processes, daemons, os.getpid() if own is None else own))
    for name in PARTS:
        if name != "anon" and name in before.host and name in after.host:
            found[f"part.{name}"] = after.host[name] - before.host[name]
    if "host.used" in found:
        found["unexplained"] = found["host.used"] - sum(
            value for name, value in found.items() if name.startswith("part.")
        )
    return found


def _holders(
    before: HostMemory, after: HostMemory, processes: Mapping[str, Sequence[int]], daemons: Mapping[str, int], own: int
) -> dict[str, int]:
    """The growth of anonymous memory by holder. A process that has ended counts as negative growth."""
    # New children are the boxes' launchers. A private engine existed before and counts as another process.
    names = dict.fromkeys(after.children - before.children, f"part.{Component.HARNESS}")
    names |= {pid: f"part.anon.{component}" for component, pids in processes.items() for pid in pids}
    names |= {pid: f"part.{daemon_component(name)}" for name, pid in daemons.items() if pid != own}
    names[own] = f"part.{Component.HARNESS}"
    # They share the memory of their VMM, where it is counted.
    shared = processes.get(Component.IO, ())
    grown = dict.fromkeys(sorted(names.values()), 0) | {"part.others": 0}
    for pid in (before.anon.keys() | after.anon.keys()) - set(shared):
        grown[names.get(pid, "part.others")] += after.anon.get(pid, 0) - before.anon.get(pid, 0)
    return grown


def ledger_doubts(*readings: HostMemory) -> tuple[str, ...]:
    """``unsettled:1.20 MiB`` for the reading with the largest change, if it is larger than a settled host may have."""
    most = max((reading.moved for reading in readings), default=0)
    return (Doubt.UNSETTLED.of(format_bytes(most)),) if most > SETTLED_BYTES else ()
