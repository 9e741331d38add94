"""The rule that charges every instant of a start to exactly one step.

The rule considers all activities of the box's process tree at an instant:
1. Active threads have priority over threads that wait for a CPU. Active means on a CPU, in a traced system call, or in
   uninterruptible sleep.
2. Of several active threads, the innermost in the chain client -> engine -> containerd -> shim -> runtime -> agent ->
   application is charged. Outer ones wait for it, or do work for which the start does not wait.
3. Within a process, a traced system call has priority over plain computation.
4. While a guest runs, its phase between two marks of the host is charged, whatever else the host does.
5. When nothing in the tree is active, the time is unattributed.

So no time is counted twice, and the steps add up to the total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.anatomy.activity import Activity
from bench.anatomy.steps import DEPTH, UNATTRIBUTED
from bench.records.record import Endpoint

_GUEST = -1
"""The thread id of a guest's phases, which belong to no thread of the host."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the start and the step to which it is charged. Times are ns since the request."""

    begin_ns: int
    end_ns: int
    step: str

    @property
    def length_ns(self) -> int:
        """The length, ns."""
        return self.end_ns - self.begin_ns


def sweep(activities: Iterable[Activity], *, begin_ns: int, end_ns: int) -> tuple[Segment, ...]:
    """Charge all of [begin_ns, end_ns]. The segments start at 0, have no gaps, and end at the total."""
    changes: list[tuple[int, int, tuple[bool, bool, int, bool, str]]] = []
    for activity in activities:
        begin, end = max(activity.begin_ns, begin_ns), min(activity.end_ns, end_ns)
        if begin < end:
            rank = _rank(activity)
            changes += [(begin, 1, rank), (end, -1, rank)]
    changes.sort(key=lambda change: change[0])
    active: dict[tuple[bool, bool, int, bool, str], int] = {}
    segments: list[Segment] = []
    reached = begin_ns
    for at, change, rank in changes:
        if at > reached:
            _charge(segments, reached - begin_ns, at - begin_ns, max(active)[-1] if active else UNATTRIBUTED)
            reached = at
        active[rank] = active.get(rank, 0) + change
        if not active[rank]:
            del active[rank]
    if end_ns > reached:
        _charge(segments, reached - begin_ns, end_ns - begin_ns, UNATTRIBUTED)
    return tuple(segments)


def _rank(activity: Activity) -> tuple[bool, bool, int, bool, str]:
    kind = activity.kind
    return kind == "guest", kind != "runnable", DEPTH[activity.step], kind == "call", activity.step


def _charge(segments: list[Segment], begin: int, end: int, step: str) -> None:
    if segments and segments[-1].step == step:
        segments[-1] = Segment(segments[-1].begin_ns, end, step)
    else:
        segments.append(Segment(begin, end, step))


def totals(segments: Sequence[Segment]) -> dict[str, int]:
    """Time by step, ns, outermost step first. Steps without time are absent."""
    found: dict[str, int] = {}
    for segment in segments:
        found[segment.step] = found.get(segment.step, 0) + segment.length_ns
    return dict(sorted(found.items(), key=lambda item: DEPTH[item[0]]))


def guest_phases(
    marks: Mapping[Endpoint, int], goal: Endpoint, *, first_kvm_entry_ns: int | None, agent_seen: bool
) -> tuple[Activity, ...]:
    """The phases that the host's events do not cover, from the marks; empty when the events cover everything.

    A guest begins at the first KVM entry, if there is one. Under emulation it begins at the later of two instants: the
    VMM's first mark, and the return of the start call, which releases the guest's CPUs last.

    Args:
        marks: absolute times, ns.
        agent_seen: whether the agent is a process of the host. It is not in a VM or under gVisor.
    """
    if Endpoint.VMM in marks:
        return _phases(_guest_begin(marks, goal, first_kvm_entry_ns), marks, _guest_chain(marks, goal))
    if agent_seen or Endpoint.INIT not in marks:
        return ()
    return _phases(marks[Endpoint.INIT], marks, ((Endpoint.EXEC, "agent"), (goal, "application")))


def _guest_begin(marks: Mapping[Endpoint, int], goal: Endpoint, first_kvm_entry_ns: int | None) -> int:
    first_mark = min(marks[name] for name in (Endpoint.KERNEL, Endpoint.INIT, goal) if name in marks)
    begun = max(marks[Endpoint.VMM], marks.get(Endpoint.START_RETURNED, 0))
    if first_kvm_entry_ns is not None:
        begun = first_kvm_entry_ns
    return begun if begun < first_mark else marks[Endpoint.VMM]


def _guest_chain(marks: Mapping[Endpoint, int], goal: Endpoint) -> tuple[tuple[Endpoint, str], ...]:
    if Endpoint.INIT not in marks and Endpoint.EXEC not in marks:
        # No agent and no system: all time until the payload's byte is the machine's own.
        return ((goal, "firmware"),)
    return (
        (Endpoint.KERNEL, "firmware"),
        (Endpoint.INIT, "kernel" if Endpoint.KERNEL in marks else "boot"),
        (Endpoint.ROOT, "initramfs"),
        (Endpoint.EXEC, "agent"),
        (goal, "application"),
    )


def _phases(begin: int, marks: Mapping[Endpoint, int], chain: Sequence[tuple[Endpoint, str]]) -> tuple[Activity, ...]:
    found, at = [], begin
    for mark, step in chain:
        if mark in marks and marks[mark] > at:
            found.append(Activity(at, marks[mark], step, _GUEST, 0, kind="guest"))
            at = marks[mark]
    return tuple(found)
