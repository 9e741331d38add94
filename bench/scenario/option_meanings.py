"""What each option of a target changes, in words, for `boxbench targets --json` and the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.scenario.target_table import NETWORKS, SNAPSHOTTERS

_NAMESPACE: Final = "whether the box has its own {} namespace"

MEANINGS: Final[Mapping[str, str]] = {
    "mount": _NAMESPACE.format("mount"),
    "pid": _NAMESPACE.format("process"),
    "uts": _NAMESPACE.format("UTS (host name)"),
    "ipc": _NAMESPACE.format("IPC"),
    "net": _NAMESPACE.format("network") + "; without one it shares the ports of the host",
    "cgroup": _NAMESPACE.format("control group"),
    "user": _NAMESPACE.format("user"),
    "root": "how the box gets its root directory: `pivot_root`, or `chroot`",
    "runtime": "the OCI runtime that the engine starts",
    "seccomp": "whether the engine's filter of system calls is on",
    "network": f"`none`: a namespace without a connection; `host`: {NETWORKS['host']}; `bridge`: {NETWORKS['bridge']}",
    "snapshotter": f"how the image becomes a root directory: overlayfs, or {SNAPSHOTTERS['native']}",
    "platform": "how the sentry gets hold of system calls",
    "via": "whether Boxbench starts QEMU itself, or libvirt does",
    "vmm.firmware": "`none`: the payload is in the firmware's place; `seabios`: it is loaded as a kernel",
    "microvm.firmware": "the firmware that loads the kernel",
    "firmware": "the firmware: a BIOS, or UEFI",
    "after": "`halt` uses no CPU until the box is stopped, so that its memory can be read; `exit` ends at once",
    "accel": "makes KVM and TCG two cells of one campaign; `any` is the accelerator of all VM targets",
    "kernel": "whether the guest kernel's file is compressed",
    "legacy": "`on` adds old devices that a guest can do without: clock, timer, interrupt controller, serial port",
    "machine": "QEMU's type of machine",
    "console": "whether the kernel writes to a serial port",
    "nic": "`virtio`: a network card whose link is down",
    "disk_format": "the format of the disk's file",
    "disk_cache": "QEMU's cache mode of the disk",
    "mode": "`cold`: VM and container are requested; `warm`: the VM and its engine run, the container is requested",
    "emulator_cpus": "the host CPUs of the VMM's threads that are no virtual CPUs: all of Boxbench's, or the box's",
    "program": "another build of the target's program",
    "emulator": "another build of QEMU",
    "guest_kernel": "another guest kernel, a bzImage",
    "guest_modules": "its /lib/modules/RELEASE, unless all is built in",
}
"""By option; an option that means something else for one target stands under ``TARGET.OPTION`` too."""


def option_meaning(target: str, option: str) -> str:
    """What an option of a target changes; nothing for an option that none of Boxbench's own targets has."""
    return MEANINGS.get(f"{target}.{option}", MEANINGS.get(option, ""))
