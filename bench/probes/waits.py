"""Time in which a box's threads waited for a CPU, and in which the host was disturbed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.host.counters import Counters, difference
from bench.host.read import HOST_ROOT, read_text
from bench.records.component import Component
from bench.util.units import decode_number

_DELAY_WORD: Final = 1


def queue_ns(pids: Iterable[int], *, root: Path = HOST_ROOT) -> int | None:
    """Run-queue delay, ns: how long living threads of processes were ready to run and had no CPU.

    None when none of them lives, or on a kernel that does not count it. Time of processes and threads that ended is not
    included.
    """
    each = [delay for pid in pids for delay in _delays_of(pid, root)]
    return sum(each) if each else None


def _delays_of(pid: int, root: Path) -> Iterator[int]:
    try:
        tasks = list((root / f"proc/{pid}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        words = (read_text(task, "schedstat") or "").split()
        delay = decode_number(words[_DELAY_WORD]) if len(words) > _DELAY_WORD else None
        if delay is not None:
            yield delay


def queues_ns(processes: Mapping[str, Sequence[int]], *, root: Path = HOST_ROOT) -> dict[str, int]:
    """``queue.<component>``: ``queue_ns`` of each component of a box, and ``queue.total`` when all are known."""
    each = {component: queue_ns(pids, root=root) for component, pids in processes.items() if pids}
    found = {f"queue.{component}": value for component, value in each.items() if value is not None}
    if found and len(found) == len(each):
        found[f"queue.{Component.TOTAL}"] = sum(found.values())
    return found


def disturbance_ns(before: Counters, after: Counters, *, window_ns: int) -> dict[str, int]:
    """What the host's counters say of a trial, ns.

    ``trial.steal``: CPU time that the hypervisor took, summed over CPUs. ``trial.pressure.<resource>``: time in which
    at least one task of the host was stalled. ``trial.window``: the time between the two readings.
    """
    change = difference(before, after)
    found = {f"trial.pressure.{name}": value for name, value in change.pressure_ns.items()}
    if change.steal_ns is not None:
        found["trial.steal"] = change.steal_ns
    return found | {"trial.window": window_ns}
