"""The parts of a box, and of the host around it, whose memory and CPU time are kept apart in a record."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Self


class Component(StrEnum):
    """One such part, in the order in which parts are stacked in figures: the box's own first, sums last.

    Threads of a VMM have their role (VCPU, MAIN, IO or OTHER) behind ``threads.``. Daemons have names of their own:
    ``daemon.dockerd`` stands between the last part and the first sum.
    """

    label: str
    """What reports call it."""

    def __new__(cls, value: str, label: str) -> Self:
        """A member with its label."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        return member

    BOX = "box", "box"
    """Everything in the box's control group, where it is not split any further."""
    WORKLOAD = "workload", "workload"
    AGENT = "agent", "agent"
    SENTRY = "sentry", "sentry"
    """gVisor's kernel in user space."""
    GOFER = "gofer", "gofer"
    """gVisor's process for files."""
    VMM = "vmm", "VMM"
    GUEST = "guest", "seen by the guest"
    """CPU time that a VMM spent in its guest; memory as the guest's kernel reports it."""
    VMM_OVERHEAD = "vmm_overhead", "VMM beyond the guest"
    VCPU = "vcpu", "virtual CPUs"
    MAIN = "main", "main loop"
    IO = "io", "I/O"
    """Threads of a VMM; of user-mode Linux processes, which share the memory of its kernel's process."""
    OTHER = "other", "other"
    """Other threads of a VMM; in a stack, what the total has beyond the named parts."""
    CLIENT = "client", "client"
    """The program that asked an engine for the box and ended, such as ``docker`` or ``podman``."""
    RUNTIME = "runtime", "programs that made the box and ended"
    BWRAP = "bwrap", "bwrap"
    """bubblewrap's own process outside of the box."""
    SHIM = "shim", "shim"
    MONITOR = "monitor", "monitor"
    """podman's process beside each container (conmon)."""
    UNMAPPED = "unmapped", "mapped by no process"
    """Memory of the box's control group that none of its processes maps, such as page cache."""
    TOTAL = "total", "total"
    HARNESS = "harness", "Boxbench itself"
    HELPERS = "helpers", "programs that Boxbench ran beside"
    """Programs that were neither part of the box nor of its start or stop, such as `podman inspect`."""
    HOST_OTHER = "host_other", "rest of the host: kernel, interrupts, others"
    HOST_BUSY = "host_busy", "whole host, busy"


TOTALS: Final = frozenset(
    {Component.TOTAL, Component.HARNESS, Component.HELPERS, Component.HOST_OTHER, Component.HOST_BUSY}
)
"""Sums, and what is not the box's."""

_ORDER: Final[dict[str, int]] = {component: position for position, component in enumerate(Component)}
_DAEMON: Final = "daemon."
_THREADS: Final = "threads."


def daemon_component(name: str) -> str:
    """The key of a daemon: ``daemon.dockerd``."""
    return f"{_DAEMON}{name}"


def is_daemon(key: str) -> bool:
    """Whether a key is of a daemon."""
    return key.startswith(_DAEMON)


def thread_component(role: Component) -> str:
    """The key of the VMM's threads with one role: ``threads.vcpu``."""
    return f"{_THREADS}{role}"


def is_thread(key: str) -> bool:
    """Whether a key is of a VMM's threads."""
    return key.startswith(_THREADS)


def component_position(key: str) -> int:
    """Where a key stands in a stack: known parts in their order, then unknown ones, daemons and sums."""
    name = key.removeprefix(_THREADS)
    if name in _ORDER and name not in TOTALS:
        return _ORDER[name]
    return len(_ORDER) + (2 if name in TOTALS else 1 if is_daemon(name) else 0)


def parts_of_total(keys: list[str]) -> tuple[str, ...]:
    """Of the keys of CPU time those that add up to its total: threads stand in for their VMM where they are known."""
    beside = {*TOTALS, Component.GUEST, Component.VMM_OVERHEAD, Component.WORKLOAD}
    if any(map(is_thread, keys)):
        beside.add(Component.VMM)
    return tuple(key for key in keys if key not in beside)
