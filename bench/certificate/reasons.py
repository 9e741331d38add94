"""The known reason for the value of a fact in each kind of box. Nothing is explained by guessing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.scenario.allowed_differences import FactName
from bench.scenario.target_table import Kind

UNEXPLAINED: Final = "no known reason"

_HOST_KERNEL: Final = "the host's own kernel"
_HOST_CGROUP: Final = "what the host has mounted"
_HOST_CLOCK: Final = "the host's own clock"
_HOST_MEMORY: Final = "the host's: a control group limits use, which /proc/meminfo does not show"
_SAME_NAME: Final = "the name that all boxes with a UTS namespace get"
_KEEPS: Final = "a plain process keeps all capabilities"
_VM_FENCE: Final = "all capabilities are kept: the VM is the isolation"
_UML_FENCE: Final = "all capabilities are kept, in the guest: its kernel is the isolation"
_DROPS: Final = "the runtime drops capabilities"
_CAPABILITIES: Final[Mapping[Kind, str]] = {
    "process": _KEEPS,
    "namespaces": "namespaces alone drop no capabilities",
    "container": _DROPS,
    "gvisor": _DROPS,
    "uml": _UML_FENCE,
    "vm": _VM_FENCE,
    "nested": _DROPS,
}

_WHY: Final[Mapping[FactName, Mapping[Kind, str]]] = {
    "memory": {
        "gvisor": "gVisor shows the limit as the machine's memory",
        "uml": "user-mode Linux has no memory map of a firmware; of mem= only what its kernel leaves is seen",
        "vm": "the size in the firmware's memory map, less what the firmware keeps",
    },
    "memory_usable": {
        "process": _HOST_MEMORY,
        "namespaces": _HOST_MEMORY,
        "container": _HOST_MEMORY,
        "gvisor": "gVisor's kernel shows the limit",
        "uml": "the guest tax: what the guest kernel leaves of mem=",
        "vm": "the guest tax: what the guest kernel leaves of the VM's size",
        "nested": "what the guest kernel leaves of the outer VM's size",
    },
    "kernel": {
        "process": _HOST_KERNEL,
        "namespaces": _HOST_KERNEL,
        "container": _HOST_KERNEL,
        "gvisor": "gVisor's own kernel, which reports the Linux version that it emulates",
        "uml": "user-mode Linux is a kernel of its own",
        "vm": "a VM runs its own kernel",
        "nested": "the kernel of the VM around the container",
    },
    "hostname": {
        "process": "the host's name: there is no UTS namespace",
        "namespaces": _SAME_NAME,
        "container": _SAME_NAME,
        "gvisor": _SAME_NAME,
        "uml": _SAME_NAME,
        "vm": _SAME_NAME,
        "nested": _SAME_NAME,
    },
    "cgroup_version": {
        "process": _HOST_CGROUP,
        "namespaces": _HOST_CGROUP,
        "container": _HOST_CGROUP,
        "gvisor": "what gVisor's kernel emulates",
        "uml": "the guest mounts version 2",
        "vm": "the guest mounts version 2",
        "nested": "what the VM around the container has mounted",
    },
    "clocksource": {
        "process": _HOST_CLOCK,
        "namespaces": _HOST_CLOCK,
        "container": _HOST_CLOCK,
        "uml": "the guest kernel's clock is a timer of the host",
        "vm": "the guest kernel chooses among the clocks that its VM has",
        "nested": "the guest kernel chooses among the clocks that its VM has",
    },
    "mounts": {
        "process": "its root, /proc and volumes: mounts outside of a chroot are invisible",
        "namespaces": "a mount namespace of its own",
        "container": "the runtime mounts /proc, /sys and /dev, and masks parts of them",
        "gvisor": "gVisor's own mounts",
        "uml": "a disk and the kernel's file systems, and nothing to mask",
        "vm": "a disk and the kernel's file systems, and nothing to mask",
        "nested": "the runtime mounts /proc, /sys and /dev, and masks parts of them",
    },
    "cap_eff": _CAPABILITIES,
    "cap_bnd": _CAPABILITIES,
    "seccomp": {
        "process": "no filter",
        "namespaces": "no filter",
        "container": "as the runtime sets it; engines set a filter by default",
        "gvisor": "gVisor filters its own calls to the host, not the workload's to it",
        "uml": "no filter: the workload has a kernel of its own",
        "vm": "no filter: the workload has a kernel of its own",
        "nested": "as the runtime sets it; engines set a filter by default",
    },
    "no_new_privs": {
        "process": "not set: setuid programs work",
        "namespaces": "as the launcher sets it",
        "container": "as the runtime sets it",
        "gvisor": "as the runtime sets it",
        "uml": "not set: setuid programs work",
        "vm": "not set: setuid programs work",
        "nested": "as the runtime sets it",
    },
}


def why(fact: FactName, kind: Kind) -> str:
    """The reason as one clause; UNEXPLAINED when none is known."""
    return _WHY.get(fact, {}).get(kind, UNEXPLAINED)
