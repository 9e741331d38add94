"""The libvirt domain of a VM target, as XML. It has no device that the target does not need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as Xml

EVENTS_PORT: Final = "boxbench.events"
STDOUT_PORT: Final = "boxbench.stdout"
STDERR_PORT: Final = "boxbench.stderr"

TCG_CPU: Final = "qemu64"
"""With `max`, TCG emulates wide vectors and guests use them, which makes memory copies ten times slower."""

# No console, since each line on an emulated serial port costs time. `panic=-1`: a guest that panics ends at once.
# `no_timer_check`: under emulation on a loaded host, the kernel's timer test can fail and panic. Under KVM the kernel
# skips the test by itself.
COMMAND_LINE: Final = "quiet panic=-1 no_timer_check"
SERIAL_COMMAND_LINE: Final = "console=ttyS0 panic=-1 no_timer_check"


_QEMU: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
Xml.register_namespace("qemu", _QEMU)


@dataclass(frozen=True)
class DiskFile:
    """A virtio disk. The guest names them vda, vdb and so on, in order."""

    path: Path
    format: str = "qcow2"
    cache: str = "writeback"
    read_only: bool = False


@dataclass(frozen=True)
class Port:
    """A virtio-serial port that is connected to a unix socket of ours, or writes to a file."""

    name: str
    path: Path
    to_file: bool = False


@dataclass(frozen=True)
class Machine:
    """A domain's hardware, apart from its disks and ports."""

    accel: str
    kind: str = "q35"
    """The machine type: ``q35`` or ``pc``."""
    firmware: str = "seabios"
    """``seabios`` or ``ovmf``; ignored when there is a ``rom``."""
    rom: Path | None = None
    """A file to use as firmware."""
    nic: bool = False
    without: tuple[str, ...] = ()
    """Features of the host's CPU that are not passed through; KVM only."""
    emulator: Path | None = None
    """A QEMU that the user has chosen; None: libvirt's default."""


@dataclass(frozen=True)
class Boot:
    """Direct kernel boot. A domain without it boots its first disk."""

    kernel: Path
    initramfs: Path | None = None
    command_line: str = ""


@dataclass(frozen=True)
class Domain:
    """One VM."""

    name: str
    machine: Machine
    vcpus: int
    cpus: tuple[int, ...]
    """Host CPUs the vCPUs may run on."""
    emulator_cpus: tuple[int, ...]
    """Host CPUs of QEMU's other threads."""
    memory_bytes: int
    owner: tuple[int, int]
    """The uid and gid of QEMU: ours, since it opens our files."""
    boot: Boot | None = None
    disks: tuple[DiskFile, ...] = ()
    ports: tuple[Port, ...] = ()
    serial: Path | None = None
    """A unix socket of ours for the serial console; None: no console."""
    debug_console: Path | None = None
    """A unix socket of ours for the debug console at port 0xE9; None: no debug console."""

    def xml(self, arguments: Sequence[str] = ()) -> str:
        """The domain's XML for virDomainCreateXML.

        Args:
            arguments: more arguments for QEMU, which libvirt passes on.
        """
        root = Xml.Element("domain", type="kvm" if self.machine.accel == "kvm" else "qemu")
        _text(root, "name", self.name)
        _text(root, "memory", str(self.memory_bytes), unit="b")
        _text(root, "vcpu", str(self.vcpus), placement="static", cpuset=",".join(map(str, self.cpus)))
        # Without this, libvirt binds all of QEMU to the virtual CPUs' set.
        Xml.SubElement(Xml.SubElement(root, "cputune"), "emulatorpin", cpuset=",".join(map(str, self.emulator_cpus)))
        self._os(root)
        features = Xml.SubElement(root, "features")
        Xml.SubElement(features, "acpi")
        Xml.SubElement(features, "apic")
        self._cpu(root)
        for event in ("on_poweroff", "on_reboot", "on_crash"):
            _text(root, event, "destroy")
        self._devices(root)
        label = Xml.SubElement(root, "seclabel", type="static", model="dac", relabel="no")
        _text(label, "label", f"+{self.owner[0]}:+{self.owner[1]}")
        if arguments:
            line = Xml.SubElement(root, f"{{{_QEMU}}}commandline")
            for argument in arguments:
                Xml.SubElement(line, f"{{{_QEMU}}}arg", value=argument)
        return Xml.tostring(root, encoding="unicode")

    def _os(self, root: Xml.Element) -> None:
        machine = self.machine
        boot = Xml.SubElement(root, "os")
        if machine.firmware == "ovmf" and machine.rom is None:
            boot.set("firmware", "efi")
        _text(boot, "type", "hvm", arch="x86_64", machine=machine.kind)
        if boot.get("firmware"):
            # Without this, libvirt may choose firmware whose keys refuse our unsigned boot loader.
            firmware = Xml.SubElement(boot, "firmware")
            Xml.SubElement(firmware, "feature", enabled="no", name="secure-boot")
        if machine.rom is not None:
            _text(boot, "loader", str(machine.rom), readonly="yes", type="rom")
        if self.boot is not None:
            _text(boot, "kernel", str(self.boot.kernel))
            if self.boot.initramfs is not None:
                _text(boot, "initrd", str(self.boot.initramfs))
                _text(boot, "cmdline", self.boot.command_line)

    def _cpu(self, root: Xml.Element) -> None:
        if self.machine.accel == "kvm":
            cpu = Xml.SubElement(root, "cpu", mode="host-passthrough", check="none", migratable="on")
            for feature in self.machine.without:
                Xml.SubElement(cpu, "feature", policy="disable", name=feature)
        else:
            cpu = Xml.SubElement(root, "cpu", mode="custom", match="exact", check="none")
            _text(cpu, "model", TCG_CPU, fallback="forbid")

    def _devices(self, root: Xml.Element) -> None:
        devices = Xml.SubElement(root, "devices")
        if self.machine.emulator is not None:
            _text(devices, "emulator", str(self.machine.emulator))
        for number, disk in enumerate(self.disks):
            _disk(devices, disk, number, bootable=self.boot is None and number == 0)
        # Suppress the devices that libvirt adds by default.
        Xml.SubElement(devices, "controller", type="usb", model="none")
        Xml.SubElement(devices, "memballoon", model="none")
        Xml.SubElement(devices, "audio", id="1", type="none")
        if self.machine.nic:
            _nic(devices)
        for port in self.ports:
            _port(devices, port)
        if self.serial is not None:
            console = Xml.SubElement(devices, "serial", type="unix")
            Xml.SubElement(console, "source", mode="connect", path=str(self.serial))
        if self.debug_console is not None:
            _debug_console(devices, self.debug_console)


def _disk(devices: Xml.Element, file: DiskFile, number: int, *, bootable: bool) -> None:
    disk = Xml.SubElement(devices, "disk", type="file", device="disk")
    Xml.SubElement(disk, "driver", name="qemu", type=file.format, cache=file.cache, discard="unmap")
    Xml.SubElement(disk, "source", file=str(file.path))
    Xml.SubElement(disk, "target", dev=f"vd{chr(ord('a') + number)}", bus="virtio")
    if file.read_only:
        Xml.SubElement(disk, "readonly")
    if bootable:
        Xml.SubElement(disk, "boot", order="1")


def _nic(devices: Xml.Element) -> None:
    # QEMU needs a backend for a NIC. The link is down, so no traffic reaches it.
    nic = Xml.SubElement(devices, "interface", type="user")
    Xml.SubElement(nic, "mac", address="52:54:00:b0:b0:01")
    Xml.SubElement(nic, "model", type="virtio")
    Xml.SubElement(nic, "link", state="down")


def _port(devices: Xml.Element, port: Port) -> None:
    channel = Xml.SubElement(devices, "channel", type="file" if port.to_file else "unix")
    # QEMU connects to us, so its start is an event. If QEMU listened, we would have to poll.
    source = Xml.SubElement(channel, "source", path=str(port.path))
    if not port.to_file:
        source.set("mode", "connect")
    Xml.SubElement(channel, "target", type="virtio", name=port.name)


def _debug_console(devices: Xml.Element, path: Path) -> None:
    console = Xml.SubElement(devices, "serial", type="unix")
    Xml.SubElement(console, "source", mode="connect", path=str(path))
    Xml.SubElement(Xml.SubElement(console, "target", type="isa-debug"), "model", name="isa-debugcon")
    Xml.SubElement(console, "address", type="isa", iobase="0xe9")


def _text(parent: Xml.Element, tag: str, text: str, **attributes: str) -> None:
    Xml.SubElement(parent, tag, attributes).text = text
