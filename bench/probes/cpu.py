"""CPU time of a box, of what works for it, of the daemons and of the whole host: counters, and their differences."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.agent.boxconf import decode_number
from bench.host.cgroup import BoxCgroup
from bench.host.counters import parse_cpu_line
from bench.host.read import HOST_ROOT, read_text

_TICK_NS: Final = 10**9 // os.sysconf("SC_CLK_TCK")
# clock_getcpuclockid(3) as the kernel's interface has it: of a whole process, in scheduler time.
_CLOCK_OF_PROCESS: Final = 2
_PROC: Final = HOST_ROOT / "proc"

# QEMU names its threads so with `-name debug-threads=on`.
_ROLES: Final = (
    ("vcpu", re.compile(r"CPU \d+/.*|ALL CPUs/.*")),
    ("io", re.compile(r"IO .*|worker|vhost-.*")),
)
_INNER: Final = ("threads.", "guest")
"""Components that are parts of another one."""


def process_cpu_ns(pid: int) -> int | None:
    """CPU time of all threads of a process, those that have ended and a zombie's too, ns; None when it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | _CLOCK_OF_PROCESS)
    except OSError:
        return None


def thread_cpu_ns(pid: int, *, root: Path = _PROC) -> dict[str, int]:
    """CPU time of the living threads of a VMM by role, ns: ``vcpu``, ``io``, ``main``; others are not told."""
    found: dict[str, int] = {}
    try:
        tasks = list((root / str(pid) / "task").iterdir())
    except OSError:
        return {}
    for task in tasks:
        try:
            role = _role((task / "comm").read_text(encoding="utf-8", errors="replace").strip(), task.name == str(pid))
            used = int((task / "schedstat").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            continue  # it has ended; the process's own clock keeps its time
        if role is not None:
            found[role] = found.get(role, 0) + used
    return found


def _role(name: str, is_main: bool) -> str | None:
    if is_main:
        return "main"
    return next((role for role, pattern in _ROLES if pattern.fullmatch(name)), None)


def ended_children_ns(pid: int, *, root: Path = _PROC) -> int | None:
    """CPU time of all ended children of a process that it waited for, and of theirs, ns, in steps of a tick."""
    return _stat_ns(pid, (13, 14), root)


def guest_ns(pid: int, *, root: Path = _PROC) -> int | None:
    """Time that a VMM's virtual CPUs spent in the guest, ns, in steps of a tick; None where only KVM could tell."""
    return _stat_ns(pid, (40,), root) or None


def _stat_ns(pid: int, positions: Sequence[int], root: Path) -> int | None:
    # The name, in brackets, may hold blanks and brackets; positions are counted from the state behind it.
    words = (read_text(root, f"{pid}/stat") or "").rpartition(")")[2].split()
    try:
        return sum(int(words[position]) for position in positions) * _TICK_NS
    except (IndexError, ValueError):
        return None


def guest_busy_ns(facts: Mapping[str, str]) -> int | None:
    """CPU time that a guest has used by its own account since its clock began, ns; None when it did not tell.

    All its CPUs' time less what it was idle: idle time is exact, the other columns of /proc/stat are sampled. What ran
    before its kernel had a clock (firmware, decompression) is not in it.

    Args:
        facts: the agent's: ``cpus``, ``uptime_ns`` and ``cpu_stat``, the sums of /proc/stat; hostile.
    """
    words = facts.get("cpu_stat", "").split()
    told = [decode_number(word) for word in (*words[3:5], facts.get("cpus", ""), facts.get("uptime_ns", ""))]
    numbers = [number for number in told if number is not None]
    if len(numbers) < 4:
        return None
    idle, waiting, cpus, uptime_ns = numbers
    # /proc/stat of a guest is in steps of 10 ms whatever its kernel's own tick is.
    return max(0, cpus * uptime_ns - (idle + waiting) * 10_000_000)


def daemon_cpu_ns(pids: Mapping[str, int]) -> dict[str, int]:
    """CPU time so far by daemon, ns; one that cannot be read is absent."""
    readings = {name: process_cpu_ns(pid) for name, pid in pids.items()}
    return {name: value for name, value in readings.items() if value is not None}


def box_cpu_ns(processes: Mapping[str, Sequence[int]], group: BoxCgroup | None) -> dict[str, int]:
    """CPU time since the box began, ns, by component.

    ``box`` is the control group's account (it has ended processes too) where the group holds the workload;
    ``vmm``, ``shim`` and ``monitor`` are processes. ``threads.<role>`` are parts of ``vmm``, and ``guest`` is what
    of it KVM spent in the guest.
    """
    found: dict[str, int] = {}
    if group is not None and "vmm" not in processes:
        total = group.cpu_ns()
        if total is not None:
            found["box"] = total
    for component in ("vmm", "shim", "monitor"):
        readings = [process_cpu_ns(pid) for pid in processes.get(component, ())]
        whole = [reading for reading in readings if reading is not None]
        if readings and len(whole) == len(readings):
            found[component] = sum(whole)
    if "vmm" in found:
        found |= _inside_vmm(processes["vmm"])
    return found


def _inside_vmm(pids: Sequence[int]) -> dict[str, int]:
    roles: dict[str, int] = {}
    for pid in pids:
        for role, used in thread_cpu_ns(pid).items():
            roles[role] = roles.get(role, 0) + used
    found = {f"threads.{role}": used for role, used in roles.items()}
    in_guest = [guest_ns(pid) for pid in pids]
    if None not in in_guest:
        found["guest"] = sum(value for value in in_guest if value is not None)
    return found


@dataclass(frozen=True)
class CpuReading:
    """Counters at one instant, ns each; what could not be read is absent or None."""

    at_ns: int
    harness: int
    """This process: the harness, and the libvirt driver where that runs in it."""
    idle: int | None
    """All CPUs of the host: idle, waiting for I/O, or taken away by the hypervisor."""
    cpus: int
    box: Mapping[str, int] = field(default_factory=dict)
    """As ``box_cpu_ns``, and what programs used that made the box and ended."""
    daemons: Mapping[str, int] = field(default_factory=dict)
    children: Mapping[str, int] = field(default_factory=dict)
    """Ended children by daemon, and of the box's ``shim``."""


def read_cpu(
    at_ns: int,
    *,
    box: Mapping[str, int],
    daemons: Mapping[str, int],
    shim: int | None = None,
    root: Path = HOST_ROOT,
) -> CpuReading:
    """All counters now.

    Args:
        at_ns: now, on the clock that all readings of a box share.
        daemons: pids by name.
        shim: pid of the box's shim.
    """
    stat = read_text(root, "proc/stat") or ""
    times = parse_cpu_line(stat, tick_ns=_TICK_NS)
    parents = {**daemons, "shim": shim} if shim is not None else daemons
    children = {name: ended_children_ns(pid) for name, pid in parents.items()}
    return CpuReading(
        at_ns=at_ns,
        harness=time.process_time_ns(),
        idle=times["total_ns"] - times["busy_ns"] if times else None,
        cpus=sum(line.startswith("cpu") for line in stat.splitlines()) - 1,
        box=box,
        daemons=daemon_cpu_ns(daemons),
        children={name: value for name, value in children.items() if value is not None},
    )


def cpu_between(before: CpuReading, after: CpuReading) -> dict[str, int]:
    """What was used from one reading to the other, ns, by component.

    The box's own components; ``daemon.<name>``; ``runtime``: programs that made the box and ended, where there is a
    shim those of it and of the daemons; ``total``: the sum of these. Beside them: ``harness``, and ``host_busy``: all
    CPUs of the host together. A component that was not there before counts from its beginning.
    """
    # A thread that ended takes its time out of its role; less than nothing was not used.
    parts = {name: max(0, value - before.box.get(name, 0)) for name, value in after.box.items()}
    for name, value in after.daemons.items():
        if name in before.daemons:
            parts[f"daemon.{name}"] = value - before.daemons[name]
    if "shim" in after.box:
        parts["runtime"] = parts.get("runtime", 0) + _of_ended_children(before, after)
    if "vmm" in parts:
        # Of threads without a role, of ended ones, and what a running one has used since the last tick.
        named = sum(value for name, value in parts.items() if name.startswith("threads."))
        parts["threads.other"] = max(0, parts["vmm"] - named)
    own = [value for name, value in parts.items() if not name.startswith(_INNER)]
    if own:
        parts["total"] = sum(own)
    parts["harness"] = after.harness - before.harness
    if before.idle is not None and after.idle is not None:
        # What was not idle: idle time is kept to the microsecond, busy time is sampled by the tick.
        parts["host_busy"] = max(0, after.cpus * (after.at_ns - before.at_ns) - (after.idle - before.idle))
    return parts


def _of_ended_children(before: CpuReading, after: CpuReading) -> int:
    # A shim is younger than the first reading; a daemon that was not there before cannot be told.
    known = {"shim": 0, **before.children}
    return sum(max(0, value - known[name]) for name, value in after.children.items() if name in known)
