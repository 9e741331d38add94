"""The classic VM: firmware, boot loader, the distribution's kernel and initrd, systemd, and the workload as a unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.boxconf import render_boxconf
from bench.agent.channel import ListeningSocket
from bench.engines.lazy import Engines
from bench.image.model import Disk, Image
from bench.image.vm.boot_disk import check_tools
from bench.image.vm.disk import ensure_disk, new_overlay
from bench.image.vm.kernel import find_guest_kernel
from bench.image.vm.system import CLASSIC_PACKAGES, ensure_classic_disk
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, path_option, with_defaults
from bench.scenario.target_table import TARGETS, WHOLE_SYSTEM_MEMORY_BYTES
from bench.targets.base import Order
from bench.targets.vms.accel import choose_accel
from bench.targets.vms.domain import DiskFile, Domain
from bench.targets.vms.domain_box import DomainBox, agent_ports, describe_libvirt, own_ids
from bench.targets.vms.guest import VmFiles, check_memory, conf_disk
from bench.targets.vms.libvirt import FIRMWARE_NAMES, KERNEL_BANNER
from bench.targets.vms.marker_socket import ConsoleWatch
from bench.targets.vms.pinning import describe_pinning, emulator_cpus
from bench.targets.vms.qemu import describe_cpu, machine_for
from bench.util.errors import BoxbenchError, UsageError
from bench.util.units import format_ns

# A boot takes 25 s on a quiet host, twice that on a busy one, and more with OVMF.
# A shorter time-out would cut boots off.
TCG_PATIENCE_NS: Final = 120 * 10**9
_COMMAND_LINE: Final = {"none": "quiet panic=-1", "serial": "console=ttyS0 panic=-1"}


class LibvirtFullTarget:
    """VMs that are one transient domain per box and boot from a disk."""

    name: ClassVar[str] = "libvirt-full"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        check_options(self.name, options, TARGETS[self.name].options)
        self._options = with_defaults(options, TARGETS[self.name].options)
        self._emulator = path_option(options, "emulator")
        self._engines = engines
        # The kernel of direct boot stands for the distribution's: it is the same, or close enough for this question.
        machine, emulator = self._options["machine"], self._emulator
        self.accel = choose_accel(accel, find_guest_kernel, machine=machine, emulator=emulator)

    def why_unavailable(self) -> str | None:
        """Needs libvirt with QEMU, and the tools that make a bootable disk."""
        try:
            self._engines.libvirt.require_emulator(self._emulator, self._options["machine"])
            self._engines.libvirt.require_firmware(self._options["firmware"], self._options["machine"], self._emulator)
            check_tools()
        except BoxbenchError as error:
            return f"libvirt-full: {error.advice}"
        return None

    def describe(self) -> dict[str, str]:
        """Everything needed to interpret a VM's numbers."""
        chosen = self._options
        console = "no serial console" if chosen["console"] == "none" else "serial console"
        return {
            **describe_libvirt(self._engines.libvirt, self._emulator),
            **describe_pinning(chosen["emulator_cpus"]),
            "accelerator": self.accel,
            "machine": f"{chosen['machine']}, no default devices, no NIC, {console}, no balloon",
            "cpu model": describe_cpu(self.accel, emulator=self._emulator),
            "boot": f"{FIRMWARE_NAMES[chosen['firmware']]}, GRUB from the disk, distribution kernel and initrd "
            f"(initramfs-tools), systemd; command line: {_COMMAND_LINE[chosen['console']]}",
            "system": ", ".join(CLASSIC_PACKAGES),
            "workload": "a systemd unit of multi-user.target, the image's tree on a second disk as its root; `init` is "
            "the agent's start in it",
            "disk": "two virtio-blk disks, qcow2 overlays on raw ext4 bases, cache=writeback",
            "event channel": "virtio-serial",
            "request": "virDomainCreateXML",
            "stop": "the agent stops the workload; the end of its unit makes systemd power off",
        }

    def daemons(self) -> dict[str, int]:
        """The pid of libvirt's daemon."""
        return self._engines.libvirt.daemon_pids()

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the disks of the system, of the image's tree, and of the box.conf."""
        check_memory(
            image.name,
            resources.memory,
            least_bytes=WHOLE_SYSTEM_MEMORY_BYTES,
            where="with a whole system in the box",
        )
        self._check_patience(image, ready)
        system, own = self._system(image), ensure_disk(image, resources.disk)
        _conf_disk(image, ready)
        return {
            "system_logical": system.logical_bytes,
            "system_allocated": system.allocated_bytes,
            "disk_logical": own.logical_bytes,
            "disk_allocated": own.allocated_bytes,
        }

    def _check_patience(self, image: Image, ready: Ready) -> None:
        if self.accel == "tcg" and ready.timeout < TCG_PATIENCE_NS:
            raise UsageError(
                f"{image.name}: ready.timeout is {format_ns(ready.timeout)}, but a whole system on an "
                f"emulated CPU takes up to {format_ns(TCG_PATIENCE_NS)} to boot",
                hint="raise ready.timeout, leave out libvirt-full with -t, or use a host with working KVM",
            )

    def _system(self, image: Image) -> Disk:
        if image.arrived is not None and image.arrived.system is not None:
            return image.arrived.system
        return ensure_classic_disk(_COMMAND_LINE[self._options["console"]])

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        """What a host needs of the image to boot it. The system has its kernel on its disk."""
        del ready
        return VmFiles(ensure_disk(image, resources.disk), system=self._system(image))

    @contextmanager
    def provision(self, order: Order) -> Iterator[DomainBox]:
        """Listen for the VMM. The domain and its overlays are part of the request."""
        with ExitStack() as stack:
            domain = self.domain(order)
            ends = ListeningSocket(domain.ports[0].path, lambda: order.mark(Endpoint.VMM))
            stack.callback(ends.close)
            if domain.serial is not None:
                watch = ConsoleWatch(domain.serial, KERNEL_BANNER, lambda: order.mark(Endpoint.KERNEL))
                stack.callback(watch.close)
            system, own = self._system(order.image), ensure_disk(order.image, order.resources.disk)

            def new_disks() -> None:
                new_overlay(system, domain.disks[0].path)
                new_overlay(own, domain.disks[1].path)

            patience_s = order.ready.timeout / 1e9
            box = DomainBox(order, ends, self._engines.libvirt, domain, new_disks, patience_s=patience_s)
            stack.enter_context(box.removed_at_end())
            yield box

    def domain(self, order: Order) -> Domain:
        """The domain of one box."""
        chosen = self._options
        return Domain(
            name=order.tag,
            machine=machine_for(
                self.accel, kind=chosen["machine"], firmware=chosen["firmware"], emulator=self._emulator
            ),
            vcpus=order.resources.cpus,
            cpus=order.cpus,
            emulator_cpus=emulator_cpus(self._options["emulator_cpus"], order.cpus),
            memory_bytes=order.resources.memory,
            owner=own_ids(),
            disks=(
                DiskFile(order.storage / "system.qcow2"),
                DiskFile(order.storage / "disk.qcow2"),
                DiskFile(_conf_disk(order.image, order.ready), "raw", read_only=True),
            ),
            ports=agent_ports(order),
            serial=order.directory / "serial" if chosen["console"] == "serial" else None,
        )


def _conf_disk(image: Image, ready: Ready) -> Path:
    return conf_disk(render_boxconf(image.config, ready))
