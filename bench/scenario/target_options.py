"""What a scenario may ask of every target: its name, its options and their values, known without the target itself.

The modules of the targets bring client libraries and engines; a scenario is checked where none of them is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from bench.scenario.option_checks import Choice, PathOption, Problem, Value, problems_in

NAMESPACES: Final = ("mount", "pid", "uts", "ipc", "net", "cgroup")
"""All on by default; ``user`` is off, as it is for containers that root starts."""
STORAGE_WORDS: Final = {
    "overlayfs": "overlayfs",
    "native": "native: the whole tree copied for each container, as Docker's vfs does",
}
"""What ``describe`` says of a snapshotter."""
NETWORK_WORDS: Final = {
    "none": "none",
    "host": "the host's: no network namespace",
    "bridge": "a namespace with a veth pair, whose other end is in the engine's bridge",
}
"""What ``describe`` says of a network mode, by its name in Docker's API."""

_DOCKER: Final[Mapping[str, Choice]] = {
    "runtime": ("runc", "crun", "runsc"),
    "seccomp": (True, False),
    "network": tuple(NETWORK_WORDS),
}
# Another build of QEMU. What was left of a box is found by this name.
_EMULATOR: Final = PathOption("program", "qemu-system-*")
# Another kernel than all VM targets' (a bzImage), and its /lib/modules/RELEASE when it has not all built in.
_KERNEL: Final[Mapping[str, Choice]] = {
    "guest_kernel": PathOption("file"),
    "guest_modules": PathOption("directory", needs="guest_kernel"),
}

OPTIONS: Final[Mapping[str, Mapping[str, Choice]]] = {
    "process": {},
    "namespaces": {
        **dict.fromkeys(NAMESPACES, (True, False)),
        "user": (False, True),
        "root": ("pivot", "chroot"),
    },
    "bubblewrap": {},
    "runc": {"program": PathOption("program", "runc")},
    "crun": {"program": PathOption("program", "crun")},
    "gvisor": {
        # How the sentry gets hold of system calls. Not kvm: it needs one that runs whole kernels, and hangs on others.
        "platform": ("systrap", "ptrace"),
        "program": PathOption("program", "runsc"),
    },
    "containerd": {"snapshotter": tuple(STORAGE_WORDS)},
    "docker": _DOCKER,
    "vmm": {
        "via": ("qemu", "libvirt"),
        # ``none`` puts the payload in the firmware's place, ``seabios`` loads it as a kernel.
        "firmware": ("none", "seabios"),
        # ``halt`` uses no CPU until it is told to end, so that its memory can be read; ``exit`` ends.
        "after": ("halt", "exit"),
        # Makes KVM and TCG two cells of one campaign; ``any`` is what was asked for all VM targets.
        "accel": ("any", "kvm", "tcg"),
        "emulator": _EMULATOR,
    },
    "microvm": {
        "kernel": ("compressed", "raw"),
        "firmware": ("seabios", "qboot"),
        # Also those old devices (clock, timer, interrupt controller, serial port) that a guest can do without.
        "legacy": ("off", "on"),
        "emulator": _EMULATOR,
        **_KERNEL,
    },
    "docker-cli": _DOCKER,
    "podman": {"runtime": ("runc", "crun")},
    "libvirt": {
        "machine": ("q35", "pc"),
        "firmware": ("seabios", "ovmf"),
        "kernel": ("compressed", "raw"),
        "console": ("none", "serial"),
        "nic": ("none", "virtio"),
        "disk_format": ("qcow2", "raw"),
        "disk_cache": ("writeback", "none", "unsafe"),
        "emulator": _EMULATOR,
        **_KERNEL,
    },
    "libvirt-full": {
        "firmware": ("seabios", "ovmf"),
        "console": ("none", "serial"),
        "machine": ("q35", "pc"),
        "emulator": _EMULATOR,
    },
    # ``cold``: the request is for VM and container; ``warm``: the VM and its engine are up, the container is requested.
    "vm-docker": {"mode": ("cold", "warm")},
}
"""The options of every target. The first value of each is the default; one at a time shows what one part costs."""


def why_no_target(name: str) -> Problem | None:
    """None when there is such a target, else what to say."""
    if name in OPTIONS:
        return None
    return Problem(
        (), f"there is no target {name!r}", f"the targets are: {', '.join(OPTIONS)}; `boxbench targets` explains them"
    )


def problems_of(target: str, given: Mapping[str, Value]) -> Iterator[Problem]:
    """What is wrong with a target as a scenario asks for it; whether this host has a file is not asked."""
    unknown = why_no_target(target)
    if unknown is None:
        yield from problems_in(target, given, OPTIONS[target], on_host=False)
    else:
        yield unknown
