"""CPU time of a box and its helpers, of daemons and of the whole host: counters and their differences."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.host.cgroup import BoxCgroup, EngineAccount, cpu_group_of
from bench.host.counters import parse_cpu_line
from bench.host.processes import process_cpu_ns
from bench.host.read import HOST_ROOT, read_text
from bench.records.component import Component, daemon_component, is_daemon, is_thread, thread_component
from bench.util import proc
from bench.util.units import decode_number

_TICK_NS: Final = 10**9 // os.sysconf("SC_CLK_TCK")
_PROC: Final = HOST_ROOT / "proc"

# QEMU's thread names with `-name debug-threads=on`.
_ROLES: Final = (
    (Component.VCPU, re.compile(r"CPU \d+/.*|ALL CPUs/.*")),
    (Component.IO, re.compile(r"IO .*|worker|vhost-.*")),
)


def thread_cpu_ns(pid: int, *, root: Path = _PROC) -> dict[Component, int]:
    """CPU time, ns, of a VMM's living threads by role: ``vcpu``, ``io``, ``main``. Other threads are left out."""
    found: dict[Component, int] = {}
    try:
        tasks = list((root / str(pid) / "task").iterdir())
    except OSError:
        return {}
    for task in tasks:
        try:
            role = _role((task / "comm").read_text(encoding="utf-8", errors="replace").strip(), task.name == str(pid))
            used = int((task / "schedstat").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            continue  # the thread has ended; the process's clock includes its time
        if role is not None:
            found[role] = found.get(role, 0) + used
    return found


def _role(name: str, is_main: bool) -> Component | None:
    if is_main:
        return Component.MAIN
    return next((role for role, pattern in _ROLES if pattern.fullmatch(name)), None)


def ended_children_ns(pid: int, *, root: Path = _PROC) -> int | None:
    """CPU time, ns, of a process's children that it has waited for, and of theirs. The resolution is a tick."""
    return _stat_ns(pid, (13, 14), root)


def guest_ns(pid: int, *, root: Path = _PROC) -> int | None:
    """Time, ns, that a VMM's virtual CPUs spent in the guest. The resolution is a tick. None without KVM."""
    return _stat_ns(pid, (40,), root) or None


def _stat_ns(pid: int, positions: Sequence[int], root: Path) -> int | None:
    # The name, in brackets, may hold spaces and brackets. Positions count from the state, which follows it.
    fields = (read_text(root, f"{pid}/stat") or "").rpartition(")")[2].split()
    try:
        return sum(int(fields[position]) for position in positions) * _TICK_NS
    except (IndexError, ValueError):
        return None


def guest_busy_ns(facts: Mapping[str, str]) -> int | None:
    """CPU time, ns, that a guest has counted since its clock began; None when the facts are incomplete.

    This is the time of all its CPUs minus their idle time. Idle time is exact, while the other columns of /proc/stat
    are sampled. Firmware and decompression run before the kernel's clock and are not counted.

    Args:
        facts: the agent's facts ``cpus``, ``uptime_ns`` and ``cpu_stat`` (the sums of /proc/stat); untrusted.
    """
    columns = facts.get("cpu_stat", "").split()
    decoded = [decode_number(text) for text in (*columns[3:5], facts.get("cpus", ""), facts.get("uptime_ns", ""))]
    numbers = [number for number in decoded if number is not None]
    if len(numbers) < 4:
        return None
    idle, waiting, cpus, uptime_ns = numbers
    # /proc/stat counts in steps of 10 ms, whatever the kernel's own tick is.
    return max(0, cpus * uptime_ns - (idle + waiting) * 10_000_000)


def daemon_cpu_ns(pids: Mapping[str, int]) -> dict[str, int]:
    """CPU time so far, ns, by daemon. A daemon that cannot be read is absent."""
    readings = {name: process_cpu_ns(pid) for name, pid in pids.items()}
    return {name: value for name, value in readings.items() if value is not None}


def children_cpu_ns(pids: Mapping[str, int]) -> dict[str, int]:
    """``ended_children_ns`` by name of the parent. A parent that cannot be read is absent."""
    readings = {name: ended_children_ns(pid) for name, pid in pids.items()}
    return {name: value for name, value in readings.items() if value is not None}


def is_whole_vmm(processes: Mapping[str, Sequence[int]]) -> bool:
    """Whether a box is a VMM with its guest inside. In user-mode Linux the guest's processes are the host's."""
    return Component.VMM in processes and Component.WORKLOAD not in processes


def monitor_group(processes: Mapping[str, Sequence[int]]) -> BoxCgroup | None:
    """The control group of a box's monitor, which is beside the box's; None without one.

    podman's monitor runs the runtime in it, and podman when the container has ended.
    """
    return next(map(cpu_group_of, processes.get(Component.MONITOR, ())), None)


def box_cpu_ns(
    processes: Mapping[str, Sequence[int]], group: BoxCgroup | None, monitors: BoxCgroup | None = None
) -> dict[str, int]:
    """CPU time, ns, since the box began, by component.

    ``box`` is the counter of the control group, which includes ended processes; it is absent for VMs whose guest is
    inside the VMM's process. ``vmm``, ``shim`` and ``monitor`` are processes. ``threads.<role>`` are parts of ``vmm``,
    and ``guest`` is the part that KVM spent in the guest.

    Args:
        monitors: the monitor's control group, as ``monitor_group`` finds it: ``monitor`` is all that ever ran in it.
    """
    found: dict[str, int] = {}
    whole_vmm = is_whole_vmm(processes)
    if group is not None and not whole_vmm:
        total = group.cpu_ns()
        if total is not None:
            found[Component.BOX] = total
    for component in ((Component.VMM,) if whole_vmm else ()) + (Component.SHIM, Component.MONITOR):
        readings = [process_cpu_ns(pid) for pid in processes.get(component, ())]
        whole = [reading for reading in readings if reading is not None]
        if readings and len(whole) == len(readings):
            found[component] = sum(whole)
    with_children = None if monitors is None else monitors.cpu_ns()
    if with_children is not None:
        found[Component.MONITOR] = with_children
    if Component.VMM in found:
        found |= _inside_vmm(processes[Component.VMM])
    return found


def _inside_vmm(pids: Sequence[int]) -> dict[str, int]:
    roles: dict[Component, int] = {}
    for pid in pids:
        for role, used in thread_cpu_ns(pid).items():
            roles[role] = roles.get(role, 0) + used
    found = {thread_component(role): used for role, used in roles.items()}
    in_guest = [guest_ns(pid) for pid in pids]
    if None not in in_guest:
        found[Component.GUEST] = sum(value for value in in_guest if value is not None)
    return found


@dataclass(frozen=True)
class CpuReading:
    """Counters at one instant, ns. A counter that could not be read is absent or None."""

    at_ns: int
    harness: int
    """The harness process, including libvirt's in-process driver."""
    idle: int | None
    """Time in which the host's CPUs were idle, waited for I/O, or were stolen by a hypervisor; the sum of all CPUs."""
    cpus: int
    box: Mapping[str, int] = field(default_factory=dict)
    """As ``box_cpu_ns``, and CPU time of programs that started the box and have exited."""
    daemons: Mapping[str, int] = field(default_factory=dict)
    children: Mapping[str, int] = field(default_factory=dict)
    """CPU time of ended children, by daemon and of the box's ``shim``."""
    ran: int = 0
    """CPU time of all programs that Boxbench has run to their end."""
    engine: int | None = None
    """CPU time of daemons, shims and all programs that they started, where they have an account of their own."""


def read_cpu(
    at_ns: int,
    *,
    box: Mapping[str, int],
    daemons: Mapping[str, int],
    account: EngineAccount | None = None,
    shim: int | None = None,
    root: Path = HOST_ROOT,
) -> CpuReading:
    """Read all counters now.

    Args:
        at_ns: the time now, on the clock that all readings of a box share.
        daemons: pids by name.
        account: of the engine that has these daemons, if it has one.
        shim: the pid of the box's shim, if it has one.
    """
    stat = read_text(root, "proc/stat") or ""
    times = parse_cpu_line(stat, tick_ns=_TICK_NS)
    parents = {**daemons, Component.SHIM: shim} if shim is not None else daemons
    return CpuReading(
        at_ns=at_ns,
        harness=time.process_time_ns(),
        ran=proc.ran_ns(),
        idle=times["total_ns"] - times["busy_ns"] if times else None,
        cpus=sum(line.startswith("cpu") for line in stat.splitlines()) - 1,
        box=box,
        engine=None if account is None else account.cpu_ns(),
        daemons=daemon_cpu_ns(daemons),
        children=children_cpu_ns(parents),
    )


def cpu_between(before: CpuReading, after: CpuReading, *, ended: bool = False) -> dict[str, int]:
    """CPU time, ns, between two readings, by component.

    The components are those of the box, ``daemon.<name>``, and ``runtime``: programs that started the box and have
    exited. Where the engine has an account, ``runtime`` is what the account has beyond daemons and shim. Otherwise, if
    there is a shim, it has the ended children of shim and daemons, in ticks. ``total`` is the sum of all these; it is
    absent when the box's own part could not be read. Not part of it are ``harness``, ``helpers`` (programs that were
    run for neither start nor stop) and ``host_busy``, the busy time of all CPUs of the host. A component that is
    missing in ``before`` counts from its beginning.

    Args:
        ended: the box had ended before the first reading, so that its own part is nothing.
    """
    spent = sum(after.box.get(name, 0) - before.box.get(name, 0) for name in (Component.CLIENT, Component.RUNTIME))
    # When a thread ends, its role's sum shrinks, so a difference may be negative.
    parts = {name: max(0, value - before.box.get(name, 0)) for name, value in after.box.items()}
    for name, value in after.daemons.items():
        if name in before.daemons:
            parts[daemon_component(name)] = value - before.daemons[name]
    if before.engine is not None and after.engine is not None:
        beyond = max(0, after.engine - before.engine - _of_daemons_and_shim(parts))
        parts[Component.RUNTIME] = parts.get(Component.RUNTIME, 0) + beyond
    elif Component.SHIM in after.box:
        parts[Component.RUNTIME] = parts.get(Component.RUNTIME, 0) + _of_ended_children(before, after)
    if Component.VMM in parts:
        # Threads without a role, ended threads, and the time of running threads since the last tick.
        named = sum(value for name, value in parts.items() if is_thread(name))
        parts[thread_component(Component.OTHER)] = max(0, parts[Component.VMM] - named)
    parts |= own_total(parts, ended=ended)
    parts[Component.HARNESS] = after.harness - before.harness
    parts[Component.HELPERS] = max(0, after.ran - before.ran - spent)
    if before.idle is not None and after.idle is not None:
        # Computed from idle time, which is exact to the microsecond, while busy time is sampled by the tick.
        parts[Component.HOST_BUSY] = max(0, after.cpus * (after.at_ns - before.at_ns) - (after.idle - before.idle))
    return parts


def own_total(parts: Mapping[str, int], *, ended: bool = False) -> dict[str, int]:
    """``total``: the sum of components. Threads and the guest are part of their VMM.

    Empty without the box's own part: a box that ended before it was read would look cheap, with its helpers alone.

    Args:
        ended: as for ``cpu_between``.
    """
    if not ended and not has_own_part(parts):
        return {}
    own = [value for name, value in parts.items() if not is_thread(name) and name != Component.GUEST]
    return {Component.TOTAL: sum(own)} if own else {}


def has_own_part(parts: Mapping[str, int]) -> bool:
    """Whether CPU time by component has the part of the box itself, and not only that of what serves it."""
    return Component.BOX in parts or Component.VMM in parts


def _of_daemons_and_shim(parts: Mapping[str, int]) -> int:
    return sum(value for name, value in parts.items() if is_daemon(name) or name == Component.SHIM)


def _of_ended_children(before: CpuReading, after: CpuReading) -> int:
    # A shim is younger than the first reading. A daemon without a first reading is left out.
    known = {Component.SHIM: 0, **before.children}
    return sum(max(0, value - known[name]) for name, value in after.children.items() if name in known)
