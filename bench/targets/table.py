"""The targets, as text, so that no client library is imported before it is needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from bench.engines.lazy import Engines
from bench.scenario.model import TargetSpec
from bench.scenario.option_checks import check_accel
from bench.scenario.target_options import why_no_target
from bench.targets.base import Target
from bench.util.errors import BoxbenchError, UsageError

TARGETS: Final[dict[str, str]] = {
    "process": "bench.targets.launcher.process:ProcessTarget",
    "namespaces": "bench.targets.launcher.namespaces:NamespacesTarget",
    "bubblewrap": "bench.targets.launcher.bubblewrap:BubblewrapTarget",
    "runc": "bench.targets.containers.runc:RuncTarget",
    "crun": "bench.targets.containers.crun:CrunTarget",
    "gvisor": "bench.targets.containers.gvisor:GvisorTarget",
    "containerd": "bench.targets.containers.containerd:ContainerdTarget",
    "docker": "bench.targets.containers.docker:DockerTarget",
    "vmm": "bench.targets.vms.vmm:VmmTarget",
    "microvm": "bench.targets.vms.microvm:MicrovmTarget",
    "docker-cli": "bench.targets.containers.docker_cli:DockerCliTarget",
    "podman": "bench.targets.containers.podman:PodmanTarget",
    "libvirt": "bench.targets.vms.libvirt:LibvirtTarget",
    "libvirt-full": "bench.targets.vms.libvirt_full:LibvirtFullTarget",
    "vm-docker": "bench.targets.vms.vm_docker:VmDockerTarget",
}

AGENTLESS: Final = frozenset({"vmm"})
"""Targets in whose boxes no workload runs and nothing answers: such a box is ready when the target says so."""

_HOST_NETWORK: Final[dict[str, tuple[str, str | bool]]] = {
    "namespaces": ("net", False),
    "docker": ("network", "host"),
    "docker-cli": ("network", "host"),
}
"""The option that leaves out the network namespace, and its value."""

SUMMARIES: Final[dict[str, str]] = {
    "process": "the workload as a plain process in a chrooted tree: no isolation, the base",
    "namespaces": "the kernel's primitives alone: namespaces, overlay, pivot_root, no runtime",
    "bubblewrap": "bwrap over the same primitives: a second implementation",
    "runc": "an OCI bundle run by runc: no daemon, no shim, no client",
    "crun": "an OCI bundle run by crun",
    "gvisor": "an OCI bundle run by runsc: system calls answered by a kernel in user space",
    "containerd": "a container through containerd's API: containerd, shim, runc, no dockerd",
    "docker": "a container through the Docker Engine API: dockerd, containerd, shim, runc",
    "vmm": "a VM with no OS in it: a payload of a few bytes says ready; the price of the hypervisor alone",
    "microvm": "a micro-VM: QEMU microvm started by us, virtio-mmio, direct kernel boot",
    "docker-cli": "the same container through the `docker` command: the difference is the client's price",
    "podman": "a container by podman: an engine without a daemon, conmon beside every container",
    "libvirt": "a full VM through libvirt: QEMU q35, virtio, direct kernel boot",
    "libvirt-full": "the classic VM: firmware, GRUB, distribution kernel and initrd, systemd, the workload as a unit",
    "vm-docker": "Docker Desktop's arrangement: a small VM runs the Docker Engine, the container is inside it",
}


def target_class(name: str) -> Any:
    """The class of a target. Raises UsageError naming all targets."""
    if (unknown := why_no_target(name)) is not None:
        raise UsageError(unknown.message, hint=unknown.hint)
    module, _, attribute = TARGETS[name].partition(":")
    return getattr(import_module(module), attribute)


def make_target(spec: TargetSpec, engines: Engines, *, accel: str) -> Target:
    """A target for this host.

    Args:
        accel: what the user asked of VM targets: ``auto``, ``kvm`` or ``tcg``; others have none.

    Raises:
        UsageError: unknown target, option or accelerator.
        TargetUnavailableError: the accelerator that was asked for does not work here.
    """
    check_accel(accel)
    made: Target = target_class(spec.target)(spec.options, engines, accel=accel)
    return made


def availability(engines: Engines) -> dict[str, str | None]:
    """Every target by name: None when this host can run it, else why not."""
    return {name: _why_unavailable(name, engines) for name in TARGETS}


def _why_unavailable(name: str, engines: Engines) -> str | None:
    try:
        # Asking for no accelerator in particular must not boot anything.
        return make_target(TargetSpec(target=name), engines, accel="tcg").why_unavailable()
    except BoxbenchError as error:
        return error.message


def has_agent(name: str) -> bool:
    """Whether the workload and its agent run in the boxes of a target."""
    return name not in AGENTLESS


def is_vm(name: str) -> bool:
    """Whether a target has an accelerator."""
    return bool(target_class(name).is_vm)


def least_memory_bytes(spec: TargetSpec) -> int | None:
    """What a scenario must give a target with these options at least; None when the target has no such bound."""
    least = getattr(target_class(spec.target), "least_memory", None)
    return None if least is None else int(least(spec.options))


def shares_network(spec: TargetSpec) -> bool:
    """Whether a target's boxes have the host's network, and so one set of ports among them."""
    if spec.target == "process":
        return True
    option, value = _HOST_NETWORK.get(spec.target, ("", None))
    return value is not None and spec.options.get(option) == value


def has_resources(name: str) -> bool:
    """Whether a target's boxes get the scenario's CPUs and memory; a payload without a workload has its own."""
    return has_agent(name)
