"""A full VM through libvirt: QEMU, virtio disk and channels, direct kernel boot. Options change one part each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Final

from bench.agent.channel import ListeningSocket
from bench.engines.lazy import Engines
from bench.image.model import Disk, Image
from bench.image.vm.disk import new_overlay, new_raw_copy
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.scenario.options import Value, check_options, path_option, with_defaults
from bench.scenario.target_table import TARGETS
from bench.targets.base import Order
from bench.targets.vms.accel import choose_accel
from bench.targets.vms.domain import COMMAND_LINE, SERIAL_COMMAND_LINE, Boot, DiskFile, Domain, Machine
from bench.targets.vms.domain_box import DomainBox, agent_ports, describe_libvirt, own_ids
from bench.targets.vms.guest import Guest, VmFiles
from bench.targets.vms.marker_socket import ConsoleWatch
from bench.targets.vms.pinning import describe_pinning, emulator_cpus
from bench.targets.vms.qemu import describe_cpu, machine_for
from bench.util.errors import BoxbenchError

FIRMWARE_NAMES: Final = {"seabios": "SeaBIOS", "ovmf": "OVMF"}
KERNEL_BANNER: Final = b"Linux version"


class LibvirtTarget:
    """VMs that are one transient domain per box."""

    name: ClassVar[str] = "libvirt"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        check_options(self.name, options, TARGETS[self.name].options)
        self._options = with_defaults(options, TARGETS[self.name].options)
        self._emulator = path_option(options, "emulator")
        self._engines = engines
        nic = self._options["nic"] == "virtio"
        self._guest = Guest(
            modules=("virtio_net",) if nic else (),
            firmware=self._options["firmware"],
            raw_kernel=self._options["kernel"] == "raw",
            named=path_option(options, "guest_kernel"),
            named_modules=path_option(options, "guest_modules"),
        )
        machine, emulator = self._options["machine"], self._emulator
        self.accel = choose_accel(accel, lambda: self._guest.kernel, machine=machine, emulator=emulator)

    def why_unavailable(self) -> str | None:
        """Needs libvirt with QEMU, and a guest kernel."""
        try:
            self._engines.libvirt.require_emulator(self._emulator, self._options["machine"])
            self._engines.libvirt.require_firmware(self._options["firmware"], self._options["machine"], self._emulator)
            _ = self._guest.kernel_file
        except BoxbenchError as error:
            return f"libvirt: {error.advice}"
        return None

    def describe(self) -> dict[str, str]:
        """Everything needed to interpret a VM's numbers."""
        chosen = self._options
        network = "no NIC" if chosen["nic"] == "none" else "virtio-net with its link down, driver loaded"
        console = "no serial console" if chosen["console"] == "none" else "serial console, kernel messages on it"
        layer = "qcow2 overlay on a raw ext4 base" if chosen["disk_format"] == "qcow2" else "own raw copy of ext4"
        return {
            **describe_libvirt(self._engines.libvirt, self._emulator),
            **describe_pinning(chosen["emulator_cpus"]),
            "accelerator": self.accel,
            "machine": f"{chosen['machine']}, no default devices, {network}, {console}, no balloon",
            "cpu model": describe_cpu(self.accel, emulator=self._emulator),
            "boot": f"direct kernel boot through {FIRMWARE_NAMES[chosen['firmware']]}, "
            f"command line: {self._command_line}",
            "guest kernel": self._guest.describe(),
            "disk": f"virtio-blk, {layer}, cache={chosen['disk_cache']}",
            "event channel": "virtio-serial",
            "request": "virDomainCreateXML",
        }

    @property
    def _command_line(self) -> str:
        return COMMAND_LINE if self._options["console"] == "none" else SERIAL_COMMAND_LINE

    def daemons(self) -> dict[str, int]:
        """The pid of libvirt's daemon."""
        return self._engines.libvirt.daemon_pids()

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the disk and the initramfs."""
        return self._guest.prepare(image, resources, ready)

    def vm_files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        """What a host needs of the image to boot it."""
        return self._guest.files(image, resources, ready)

    @contextmanager
    def provision(self, order: Order) -> Iterator[DomainBox]:
        """Listen for the VMM. The domain and its disk are part of the request."""
        with ExitStack() as stack:
            domain, disk = self.domain(order), self._guest.disk(order.image, order.resources)
            ends = ListeningSocket(domain.ports[0].path, lambda: order.mark(Endpoint.VMM))
            stack.callback(ends.close)
            if domain.serial is not None:
                watch = ConsoleWatch(domain.serial, KERNEL_BANNER, lambda: order.mark(Endpoint.KERNEL))
                stack.callback(watch.close)
            patience_s = order.ready.timeout / 1e9
            box = DomainBox(
                order, ends, self._engines.libvirt, domain, lambda: self._new_disk(disk, domain), patience_s=patience_s
            )
            stack.enter_context(box.removed_at_end())
            yield box

    def _new_disk(self, disk: Disk, domain: Domain) -> None:
        make = new_overlay if self._options["disk_format"] == "qcow2" else new_raw_copy
        make(disk, domain.disks[0].path)

    def domain(self, order: Order) -> Domain:
        """The domain of one box."""
        chosen = self._options
        form = chosen["disk_format"]
        return Domain(
            name=order.tag,
            machine=self._machine(),
            vcpus=order.resources.cpus,
            cpus=order.cpus,
            emulator_cpus=emulator_cpus(self._options["emulator_cpus"], order.cpus),
            memory_bytes=order.resources.memory,
            owner=own_ids(),
            boot=Boot(
                self._guest.kernel_of(order.image),
                self._guest.initramfs(order.image, order.ready),
                self._command_line,
            ),
            disks=(DiskFile(order.storage / f"disk.{form}", form, chosen["disk_cache"]),),
            ports=agent_ports(order),
            serial=order.directory / "serial" if chosen["console"] == "serial" else None,
        )

    def _machine(self) -> Machine:
        chosen = self._options
        return machine_for(
            self.accel,
            kind=chosen["machine"],
            firmware=chosen["firmware"],
            nic=chosen["nic"] == "virtio",
            emulator=self._emulator,
        )
