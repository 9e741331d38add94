"""The table of targets: one row holds all that is known of a target before its module is imported.

Target modules import client libraries and engines. Scenarios are checked, plans are made and reports are rendered on
hosts where none of them is installed, so everything but the implementation is data here. A new target is one row
and one module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bench.scenario.options import Choice, PathOption, Problem, Value, problems_in
from bench.util.errors import UsageError
from bench.util.text import meant_or_listed

Kind = Literal["process", "namespaces", "container", "gvisor", "uml", "vm", "nested"]
"""What sort of box a target makes. ``uml``: a kernel as a process of the host. ``nested``: a container inside a VM."""

Arrival = Literal["layers", "tree", "disk", "disks"]
"""How an image comes to a fresh host: as layers from a registry, a packed tree, or a packed disk. ``disk``: with a
kernel and an initramfs. ``disks``: with that of a whole system."""

Marker = str | tuple[tuple[float, float], ...]
"""A marker of matplotlib: its code, or the corners of a closed shape."""
_CUP: Final = (
    *((-1.0, 1.0), (-1.0, -0.4), (-0.5, -1.0), (0.5, -1.0), (1.0, -0.4), (1.0, 1.0)),
    *((0.58, 1.0), (0.58, -0.2), (-0.58, -0.2), (-0.58, 1.0), (-1.0, 1.0)),
)
"""A U."""


@dataclass(frozen=True, kw_only=True)
class TargetInfo:
    """One target, as data."""

    implementation: str
    """``module:Class``, imported only when a box is to be made."""
    summary: str
    """One line for `boxbench targets`."""
    needs: str
    """What this host must have for it, in a few words. `boxbench targets` finds out whether it has."""
    kind: Kind
    colours: tuple[str, str]
    """Its colour in figures, ``#rrggbb``: on a light page, on a dark page."""
    marker: Marker
    """Its marker in figures."""
    options: Mapping[str, Choice] = field(default_factory=dict)
    """By name. The first value of each is the default. `bench.scenario.option_meanings` says what each changes."""
    has_agent: bool = True
    """Whether the workload and its agent run in the boxes. Without an agent the target itself reports readiness."""
    host_network: bool | tuple[str, Value] = False
    """Whether boxes use the host's network and so share one set of ports: always, never, or with this option at
    this value."""
    least_memory_bytes: Callable[[Mapping[str, Value]], int | None] = lambda _options: None
    """From the given options: the least memory that a scenario must give a box; None when there is no such bound."""
    caveat: str = ""
    """What readers must know wherever a ratio of this target is the answer, as a sentence; empty for most."""
    most_cpus: int | None = None
    """The most CPUs that a box can have; None when there is no such bound."""
    arrives_as: Arrival | None = None
    """What travels for a first start on a fresh host (``cache=absent``); None: the target cannot do it."""
    counted_as: str | None = None
    """The name under which `boxbench instructions` counts its starts. A name other than the target's own is a close
    relative that can be counted in its place; None when there is neither."""

    @property
    def has_resources(self) -> bool:
        """Whether the boxes get the scenario's CPUs and memory; without a workload they have a size of their own."""
        return self.has_agent

    @property
    def is_vm(self) -> bool:
        """Whether its boxes run under an accelerator (kvm or tcg)."""
        return self.kind in ("vm", "nested")

    @property
    def has_own_kernel(self) -> bool:
        """Whether its boxes are guests: a kernel, memory and a disk of their own."""
        return self.is_vm or self.kind == "uml"

    def shares_network(self, options: Mapping[str, Value]) -> bool:
        """Whether boxes with these options use the host's network."""
        if isinstance(self.host_network, bool):
            return self.host_network
        name, value = self.host_network
        return options.get(name) == value


NAMESPACES: Final = ("mount", "pid", "uts", "ipc", "net", "cgroup")
"""On by default; ``user`` is off, as it is for containers that root starts."""
SNAPSHOTTERS: Final = {
    "overlayfs": "overlayfs",
    "native": "native: the whole tree copied for each container, as Docker's vfs does",
}
"""containerd's snapshotters, and how each is described."""
NETWORKS: Final = {
    "none": "none",
    "host": "the host's: no network namespace",
    "bridge": "a namespace with a veth pair, whose other end is in the engine's bridge",
}
"""Network modes by their names in Docker's API, and how each is described."""
DIRECT_BOOT_MEMORY_BYTES: Final = {"seabios": 96 * 2**20, "ovmf": 160 * 2**20}
"""By firmware: the least memory in which a kernel that is booted directly is sure to work."""
UML_MEMORY_BYTES: Final = 32 * 2**20
"""The least memory in which user-mode Linux is sure to work."""
WHOLE_SYSTEM_MEMORY_BYTES: Final = 256 * 2**20
"""The least memory in which a whole distribution is sure to boot."""

_DOCKER: Final[Mapping[str, Choice]] = {
    "runtime": ("runc", "crun", "runsc"),
    "seccomp": (True, False),
    "network": tuple(NETWORKS),
}
# Another build of QEMU. Cleaning up after a box finds its processes by this name.
_EMULATOR: Final = PathOption("program", "qemu-system-*")
_EMULATOR_CPUS: Final[Mapping[str, Choice]] = {"emulator_cpus": ("all", "box")}
_KERNEL: Final[Mapping[str, Choice]] = {
    "guest_kernel": PathOption("file"),
    "guest_modules": PathOption("directory", needs="guest_kernel"),
}

TARGETS: Final[dict[str, TargetInfo]] = {
    "process": TargetInfo(
        implementation="bench.targets.launcher.process:ProcessTarget",
        summary="the workload as a plain process in a chrooted tree: no isolation, the baseline",
        needs="root",
        kind="process",
        colours=("#7f8796", "#9aa9b3"),
        marker="o",
        host_network=True,
        counted_as="process",
    ),
    "namespaces": TargetInfo(
        implementation="bench.targets.launcher.namespaces:NamespacesTarget",
        summary="the kernel's primitives alone: namespaces, overlay, pivot_root, no runtime",
        needs="root",
        kind="namespaces",
        colours=("#089ec4", "#d2f7fd"),
        marker="v",
        options={
            **dict.fromkeys(NAMESPACES, (True, False)),
            "user": (False, True),
            "root": ("pivot", "chroot"),
        },
        host_network=("net", False),
        counted_as="namespaces",
    ),
    "bubblewrap": TargetInfo(
        implementation="bench.targets.launcher.bubblewrap:BubblewrapTarget",
        summary="bwrap over the same primitives: a second implementation",
        needs="root, bubblewrap 0.11",
        kind="namespaces",
        colours=("#002345", "#358f7d"),
        marker="H",
    ),
    "runc": TargetInfo(
        implementation="bench.targets.containers.oci_runtime:RuncTarget",
        summary="an OCI bundle run by runc: no daemon, no shim, no client",
        needs="root, runc",
        kind="container",
        colours=("#1d905f", "#11cd95"),
        marker="^",
        options={"program": PathOption("program", "runc")},
        arrives_as="tree",
        counted_as="runc",
    ),
    "crun": TargetInfo(
        implementation="bench.targets.containers.oci_runtime:CrunTarget",
        summary="an OCI bundle run by crun",
        needs="root, crun",
        kind="container",
        colours=("#2b6141", "#35f17d"),
        marker="p",
        options={"program": PathOption("program", "crun")},
        arrives_as="tree",
    ),
    "gvisor": TargetInfo(
        implementation="bench.targets.containers.gvisor:GvisorTarget",
        summary="an OCI bundle run by runsc: a kernel in user space handles the system calls",
        needs="root, runsc",
        kind="gvisor",
        colours=("#7f25f0", "#dfbdf4"),
        marker="D",
        options={
            # How the sentry intercepts system calls. Not kvm, which needs a KVM that runs whole kernels and hangs
            # on others.
            "platform": ("systrap", "ptrace"),
            "program": PathOption("program", "runsc"),
        },
    ),
    "containerd": TargetInfo(
        implementation="bench.targets.containers.containerd:ContainerdTarget",
        summary="a container through containerd's API: containerd, shim, runc, no dockerd",
        needs="root, containerd",
        kind="container",
        colours=("#1c7cd3", "#0e6eb4"),
        marker="<",
        options={"snapshotter": tuple(SNAPSHOTTERS)},
        arrives_as="layers",
        counted_as="containerd",
    ),
    "docker": TargetInfo(
        implementation="bench.targets.containers.docker:DockerTarget",
        summary="a container through the Docker Engine API: dockerd, containerd, shim, runc",
        needs="Docker",
        kind="container",
        colours=("#0842b2", "#4e78fc"),
        marker="s",
        options=_DOCKER,
        host_network=("network", "host"),
        arrives_as="layers",
        counted_as="docker",
    ),
    "docker-cli": TargetInfo(
        implementation="bench.targets.containers.docker_cli:DockerCliTarget",
        summary="the same container through the `docker` command: the difference is the client's cost",
        needs="Docker",
        kind="container",
        colours=("#596891", "#5c40fe"),
        marker=">",
        options=_DOCKER,
        host_network=("network", "host"),
        counted_as="docker-cli",
    ),
    "podman": TargetInfo(
        implementation="bench.targets.containers.podman:PodmanTarget",
        summary="a container by podman: an engine without a daemon, conmon beside every container",
        needs="root, podman",
        kind="container",
        colours=("#213576", "#77a4ef"),
        marker="h",
        options={"runtime": ("runc", "crun")},
        arrives_as="layers",
    ),
    "uml": TargetInfo(
        implementation="bench.targets.vms.uml:UmlTarget",
        summary="user-mode Linux: a kernel of its own that runs as a process, without KVM and without emulation",
        needs="root, x86-64, user-mode-linux",
        kind="uml",
        colours=("#8b3163", "#db04bf"),
        marker=_CUP,
        # Another build of the kernel, an executable file. Users call theirs linux, linux.uml or vmlinux.
        options={"program": PathOption("program", "*linux*")},
        least_memory_bytes=lambda _options: UML_MEMORY_BYTES,
        most_cpus=1,
        caveat="uml has no hardware virtualisation: it is no estimate of KVM, and stops programs by ptrace at each of "
        "their system calls.",
    ),
    "vmm": TargetInfo(
        implementation="bench.targets.vms.vmm:VmmTarget",
        summary="a VM with no OS in it: a payload of a few bytes reports ready; the cost of the hypervisor alone",
        needs="QEMU",
        kind="vm",
        colours=("#b58949", "#f9f203"),
        marker="8",
        options={
            "via": ("qemu", "libvirt"),
            "firmware": ("none", "seabios"),
            "after": ("halt", "exit"),
            "accel": ("any", "kvm", "tcg"),
            **_EMULATOR_CPUS,
            "emulator": _EMULATOR,
        },
        has_agent=False,
    ),
    "microvm": TargetInfo(
        implementation="bench.targets.vms.microvm:MicrovmTarget",
        summary="a micro-VM: QEMU microvm without libvirt, virtio-mmio, direct kernel boot",
        needs="QEMU, a kernel",
        kind="vm",
        colours=("#cf780a", "#f7c634"),
        marker="P",
        options={
            "kernel": ("compressed", "raw"),
            "firmware": ("seabios", "qboot"),
            "legacy": ("off", "on"),
            **_EMULATOR_CPUS,
            "emulator": _EMULATOR,
            **_KERNEL,
        },
        # qboot is as small as SeaBIOS.
        least_memory_bytes=lambda _options: DIRECT_BOOT_MEMORY_BYTES["seabios"],
        arrives_as="disk",
        counted_as="microvm",
    ),
    "libvirt": TargetInfo(
        implementation="bench.targets.vms.libvirt:LibvirtTarget",
        summary="a full VM through libvirt: QEMU q35, virtio, direct kernel boot",
        needs="QEMU, libvirt, a kernel",
        kind="vm",
        colours=("#bb3320", "#db6838"),
        marker="X",
        options={
            "machine": ("q35", "pc"),
            "firmware": ("seabios", "ovmf"),
            "kernel": ("compressed", "raw"),
            "console": ("none", "serial"),
            "nic": ("none", "virtio"),
            "disk_format": ("qcow2", "raw"),
            "disk_cache": ("writeback", "none", "unsafe"),
            **_EMULATOR_CPUS,
            "emulator": _EMULATOR,
            **_KERNEL,
        },
        least_memory_bytes=lambda options: DIRECT_BOOT_MEMORY_BYTES[str(options.get("firmware", "seabios"))],
        arrives_as="disk",
        counted_as="q35",
    ),
    "libvirt-full": TargetInfo(
        implementation="bench.targets.vms.libvirt_full:LibvirtFullTarget",
        summary="the classic VM: firmware, GRUB, distribution kernel and initrd, systemd, the workload as a unit",
        needs="QEMU, libvirt, a kernel, GRUB",
        kind="vm",
        colours=("#7c1004", "#a14c2a"),
        marker="d",
        options={
            "firmware": ("seabios", "ovmf"),
            "console": ("none", "serial"),
            "machine": ("q35", "pc"),
            **_EMULATOR_CPUS,
            "emulator": _EMULATOR,
        },
        least_memory_bytes=lambda _options: WHOLE_SYSTEM_MEMORY_BYTES,
        arrives_as="disks",
        counted_as="q35",
    ),
    "vm-docker": TargetInfo(
        implementation="bench.targets.vms.vm_docker:VmDockerTarget",
        summary="Docker Desktop's arrangement: a small VM runs the Docker Engine, the container is inside it",
        needs="QEMU, libvirt, a kernel with overlayfs",
        kind="nested",
        colours=("#5a001b", "#cc2b63"),
        marker="*",
        options={"mode": ("cold", "warm"), **_EMULATOR_CPUS},
    ),
}
"""Every target, in the order of the ladder: from no isolation to a container inside a VM."""


def target_name(label: str) -> str:
    """The target of a label or cell: ``libvirt`` of ``libvirt[console=serial]/tcg``."""
    return label.partition("[")[0].partition("/")[0]


def target_info(name: str) -> TargetInfo:
    """The row of a target. Raises UsageError that names all targets when there is none."""
    if (unknown := why_no_target(name)) is not None:
        raise UsageError(unknown.message, hint=unknown.hint)
    return TARGETS[name]


def has_agent(name: str) -> bool:
    """Whether the workload and its agent run in the boxes of a target. A target without a row, as tests make them, has
    an agent."""
    return name not in TARGETS or TARGETS[name].has_agent


def has_own_kernel(name: str) -> bool:
    """Whether boxes of a target are guests. A target without a row has no kernel of its own."""
    return name in TARGETS and TARGETS[name].has_own_kernel


def why_no_target(name: str) -> Problem | None:
    """None when there is such a target, else the problem."""
    if name in TARGETS:
        return None
    listed = f"the targets are: {', '.join(TARGETS)}; `boxbench targets` explains them"
    return Problem((), f"there is no target {name!r}", meant_or_listed(name, TARGETS, listed))


def problems_of(target: str, given: Mapping[str, Value]) -> Iterator[Problem]:
    """Every problem of a target as a scenario asks for it. Whether this host has the files it names is not checked."""
    unknown = why_no_target(target)
    if unknown is None:
        yield from problems_in(target, given, TARGETS[target].options, on_host=False)
    else:
        yield unknown
