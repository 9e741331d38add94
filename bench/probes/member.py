"""What one box of many used, from its own counters; shared helpers of it are in the trial's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.host.cgroup import BoxCgroup, cgroup_of
from bench.probes.cpu import box_cpu_ns, monitor_group, own_total
from bench.probes.disk import own_pids, read_by, written_by
from bench.probes.memory import MEMORY_TRIES, memory_of
from bench.probes.waits import queues_ns
from bench.targets.base import Box


@dataclass
class MemberValues:
    """The fields have the names of a member's record, but for the last two."""

    cpu_ns: dict[str, int] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)
    disk_bytes: dict[str, int] = field(default_factory=dict)
    waits_ns: dict[str, int] = field(default_factory=dict)
    processes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Its pids by component."""
    group: BoxCgroup | None = None
    """Its control group, if it has one of its own."""


def read_use(box: Box, before: Mapping[str, int]) -> MemberValues:
    """Read what a box that is up has used so far: CPU time, and time in which it waited. Empty when it has ended.

    Args:
        before: CPU time of what ran before the request, by component.
    """
    pid, processes = box.main_pid(), box.processes()
    group = cgroup_of(pid) if pid is not None else None
    if not processes:
        return MemberValues()
    used = {**box_cpu_ns(processes, group, monitor_group(processes)), **box.spent_ns()}
    used = {name: max(0, value - before.get(name, 0)) for name, value in used.items()}
    throttled = None if group is None else group.throttled_ns()
    return MemberValues(
        cpu_ns=used | own_total(used),
        waits_ns=queues_ns(processes) | ({} if throttled is None else {"throttled": throttled}),
        processes=processes,
        group=group,
    )


def read_space(box: Box, seen: MemberValues) -> MemberValues:
    """``seen`` with the memory and disk space that the box holds now, and its I/O so far. Empty stays empty."""
    if not seen.processes:
        return seen
    # A server may have forked workers meanwhile, and a shell script forks all the time.
    for _ in range(MEMORY_TRIES):
        processes = box.processes()
        memory = memory_of(processes, seen.group)
        if "pss.total" in memory or not processes:
            break
    return replace(seen, memory_bytes=memory, disk_bytes={**box.disk_bytes(), **_io_of(processes)})


def _io_of(processes: Mapping[str, Sequence[int]]) -> dict[str, int]:
    pids = own_pids(processes)
    both = {"box.read": read_by(pids), "box.written": written_by(pids)}
    return {name: value for name, value in both.items() if value is not None}
