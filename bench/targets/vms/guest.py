"""The parts of every VM with a Linux guest: kernel, initramfs with its box.conf, disk, least memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from bench.agent.boxconf import render_boxconf
from bench.agent.compile import agent_binary
from bench.image.model import Disk, GuestKernel, Image
from bench.image.vm.disk import ensure_disk
from bench.image.vm.initramfs import ensure_initramfs, with_conf
from bench.image.vm.kernel import find_guest_kernel, named_kernel, with_modules
from bench.image.vm.raw_kernel import ensure_raw_kernel
from bench.scenario.model import Ready, Resources
from bench.scenario.target_table import DIRECT_BOOT_MEMORY_BYTES
from bench.util.cache import content_key, ensure
from bench.util.errors import UsageError
from bench.util.units import format_bytes

"""
By firmware, which shares the memory: what a scenario must give. A margin above the edge, which moves with the kernel
(`boxbench floor` found 89 MiB below SeaBIOS): near it a start may fail, or be slow because memory is short.
"""
ROOT: Final = "/dev/vda ext4"
_SECTOR_BYTES: Final = 512


@dataclass(frozen=True)
class VmFiles:
    """The files from which a VMM boots a box. Disks are the bases of the box's own."""

    disk: Disk
    """With the image's tree."""
    kernel: Path | None = None
    """None: the system's disk has it; so has it the initramfs then."""
    initramfs: Path | None = None
    system: Disk | None = None
    """The disk of a whole system; None when the box boots the image's tree."""


@dataclass(frozen=True)
class Guest:
    """The properties of a target's guests."""

    poweroff: str = "acpi"
    """``acpi``, or ``reboot`` for machines without ACPI."""
    modules: tuple[str, ...] = ()
    """Kernel modules in addition to those that every guest needs."""
    root: str = ROOT
    """Device and file system type of the root."""
    firmware: str = "seabios"
    raw_kernel: bool = False
    """Whether to boot an unpacked vmlinux instead of the compressed image."""
    named: Path | None = None
    """A bzImage that the user has chosen; None: the result of ``find_guest_kernel``."""
    named_modules: Path | None = None
    """The chosen kernel's /lib/modules/RELEASE."""

    @cached_property
    def kernel(self) -> GuestKernel:
        """The guest kernel. Raises HostUnfitError when there is none."""
        found = named_kernel(self.named, self.named_modules) if self.named else find_guest_kernel()
        return with_modules(found, self.modules)

    @property
    def kernel_file(self) -> Path:
        """The file that the VMM loads. Raises HostUnfitError when the kernel cannot be unpacked."""
        return ensure_raw_kernel(self.kernel) if self.raw_kernel else self.kernel.image

    def kernel_of(self, image: Image) -> Path:
        """The file that the VMM loads for a box of ``image``: one that has come for it, else ``kernel_file``."""
        arrived = image.arrived.kernel if image.arrived is not None else None
        return arrived or self.kernel_file

    def describe(self) -> str:
        """The kernel's release, source and packing."""
        packing = "unpacked vmlinux" if self.raw_kernel else "compressed"
        return f"{self.kernel.release} ({self.kernel.source}), {packing}"

    def initramfs(self, image: Image, ready: Ready) -> Path:
        """An initramfs with agent, modules and box.conf, cached by content, or one that has come for the box."""
        if image.arrived is not None and image.arrived.initramfs is not None:
            return image.arrived.initramfs
        return self.initramfs_with(render_boxconf(image.config, ready, root=self.root, poweroff=self.poweroff))

    def initramfs_with(self, conf: bytes) -> Path:
        """An initramfs with the given box.conf."""
        base = ensure_initramfs(self.kernel, agent_binary())
        return ensure("initramfs-conf", content_key(str(base), conf), lambda path: with_conf(base, conf, path))

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make the disk and the initramfs. Raises UsageError when the scenario gives boxes too little memory."""
        check_memory(
            image.name,
            resources.memory,
            least_bytes=DIRECT_BOOT_MEMORY_BYTES[self.firmware],
            where=f"with {self.firmware} firmware",
        )
        disk = self.disk(image, resources)
        self.initramfs(image, ready)
        _ = self.kernel_file
        return {"disk_logical": disk.logical_bytes, "disk_allocated": disk.allocated_bytes}

    def files(self, image: Image, resources: Resources, ready: Ready) -> VmFiles:
        """Kernel, initramfs and disk of a box of ``image``."""
        disk = self.disk(image, resources)
        return VmFiles(disk, kernel=self.kernel_of(image), initramfs=self.initramfs(image, ready))

    def disk(self, image: Image, resources: Resources) -> Disk:
        """The disk with the image's tree, of the scenario's size."""
        return ensure_disk(image, resources.disk)


def conf_disk(conf: bytes) -> Path:
    """A raw disk that holds a box.conf, cached by content; for guests whose system is shared by many boxes.

    Newlines fill the last sector.
    """

    def make(path: Path) -> None:
        path.write_bytes(conf + b"\n" * (-len(conf) % _SECTOR_BYTES))

    return ensure("conf-disk", content_key(conf), make)


def check_memory(scenario: str, memory_bytes: int, *, least_bytes: int, where: str) -> None:
    """Raise UsageError when a scenario gives its boxes less memory than a target needs.

    Args:
        scenario: the scenario's name.
        where: the circumstances in which a box needs ``least_bytes``, such as "with ovmf firmware".
    """
    if memory_bytes < least_bytes:
        raise UsageError(
            f"{scenario}: resources.memory is {format_bytes(memory_bytes)}; {where} a scenario needs at least "
            f"{format_bytes(least_bytes)}",
            hint="give every box more memory, or leave out this VM target with -t; `boxbench floor` finds the real "
            "limit, which is lower",
        )
