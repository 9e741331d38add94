"""The ledger of boxes that stay: who holds the host's memory, before them and with them, and what nobody explains."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.host.memory import PARTS, SETTLED_BYTES, read_memory, settled_memory
from bench.host.processes import parent_of
from bench.probes.memory import anon_bytes
from bench.util.clock import Clock
from bench.util.units import format_bytes

_TRIES: Final = 5


@dataclass(frozen=True)
class HostMemory:
    """The host at rest at one moment, bytes."""

    host: Mapping[str, int]
    """As ``bench.host.memory.read_memory`` has it."""
    anon: Mapping[int, int]
    """Anonymous memory by pid, shared pages divided among their holders; of all processes that we may read."""
    moved: int
    """By how much the host still moved."""
    children: frozenset[int] = frozenset()
    """Pids of what this process has started itself: launchers, engines of its own."""


def read_host_memory(clock: Clock, *, rest_ns: int, root: Path = Path("/"), own: int | None = None) -> HostMemory:
    """Wait until the host is at rest, and read it.

    Args:
        own: this process; asked of the system when None.
    """
    host, moved = settled_memory(clock, rest_ns=rest_ns, root=root)
    tries: list[HostMemory] = []
    while len(tries) < _TRIES and not any(one.moved <= SETTLED_BYTES for one in tries):
        before, anon, after = host, _anon(root / "proc"), read_memory(root)
        # Counters and processes are of one moment only when nothing moved while the processes were read.
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
    """What the boxes added to the host, by part; the sum of the parts and ``unexplained`` is ``host.used``, bytes.

    ``part.anon.<component>``: anonymous memory of the boxes' processes, by component; ``part.daemon.<name>`` and
    ``part.harness``: what daemons and this process (its launchers too) hold more than before; ``part.others``: the
    same of every other process that we may read, engines of ours that serve other boxes among them. ``part.<name>`` for
    the kernel's own use and the page cache, from the host's counters. ``host.available`` is what the kernel believes
    that new programs lost.

    Args:
        processes: the pids of all boxes by component.
        own: this process; asked of the system when None.
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
    """Growth of anonymous memory by holder; a process that has ended since gave its memory back."""
    # Launchers come with the boxes; an engine of our own was there before, and goes on by itself.
    names = dict.fromkeys(after.children - before.children, "part.harness")
    names |= {pid: f"part.anon.{component}" for component, pids in processes.items() for pid in pids}
    names |= {pid: f"part.daemon.{name}" for name, pid in daemons.items() if pid != own}
    names[own] = "part.harness"
    grown = dict.fromkeys(sorted(names.values()), 0) | {"part.others": 0}
    for pid in before.anon.keys() | after.anon.keys():
        grown[names.get(pid, "part.others")] += after.anon.get(pid, 0) - before.anon.get(pid, 0)
    return grown


def ledger_doubts(*accounts: HostMemory) -> tuple[str, ...]:
    """``unsettled:1.20 MiB`` for the reading that moved most, if any moved by more than the settle rule allows."""
    most = max((account.moved for account in accounts), default=0)
    return (f"unsettled:{format_bytes(most)}",) if most > SETTLED_BYTES else ()
