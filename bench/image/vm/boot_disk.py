"""A bootable disk made from a root file system with a kernel: partitions, and GRUB for BIOS and for EFI.

Nothing is mounted and no loop device is needed. mke2fs fills the root partition from a tar, mtools fills the EFI
partition, and GRUB's boot code is written to the places where GRUB's installer writes it.
"""

from __future__ import annotations

import struct
import tarfile
import uuid
from pathlib import Path
from typing import BinaryIO, Final

from bench.host.scratch import scratch
from bench.image.vm.gpt import BIOS_BOOT, EFI_SYSTEM, LINUX, SECTOR, Partition, write_gpt
from bench.util import proc
from bench.util.cache import start_over
from bench.util.errors import BuildError, HostUnfitError

GRUB: Final = Path("/usr/lib/grub")
ROOT_PARTITION: Final = "/dev/vda3"

_MIB: Final = 2**20 // SECTOR
_BIOS = Partition(BIOS_BOOT, 1 * _MIB, 1 * _MIB, "bios")
_EFI = Partition(EFI_SYSTEM, 2 * _MIB, 34 * _MIB, "efi")
_ROOT_FIRST: Final = 36 * _MIB
_TABLE_SECTORS: Final = 33
# GRUB's boot/i386/pc: offsets of the sector that boot.img loads, and of the list of blocks that diskboot.img loads.
_MBR_CODE_BYTES: Final = 440
_KERNEL_SECTOR: Final = 0x5C
_DRIVE_CHECK: Final = 0x66
_BLOCK_LIST: Final = SECTOR - 12
_PREFIX: Final = "(hd0,gpt3)/boot/grub"
_PACKAGES: Final = {"i386-pc": "grub-pc-bin", "x86_64-efi": "grub-efi-amd64-bin"}
_TOOLS: Final = (
    ("grub-mkimage", "grub-common"),
    ("mformat", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
)
_MODULES: Final = ("part_gpt", "ext2", "normal", "linux", "search")
_GRUB_TIMEOUT_S: Final = 60.0
_TIMEOUT_S: Final = 600.0


def make_bootdisk(tree: Path, disk: Path, *, size_bytes: int, seed: uuid.UUID) -> None:
    """Write a sparse disk of ``size_bytes`` that boots with SeaBIOS and with OVMF.

    Args:
        tree: a tar with a kernel, an initrd and /boot/grub/grub.cfg. It becomes partition 3.
        seed: identifiers of the disk are derived from it, so that the same input gives the same disk.

    Raises:
        HostUnfitError: GRUB's images, mtools or mke2fs are missing.
        BuildError: the tree does not fit.
    """
    sectors = size_bytes // SECTOR
    root = Partition(LINUX, _ROOT_FIRST, sectors - _ROOT_FIRST - _TABLE_SECTORS, "root")
    with disk.open("wb") as file:
        file.truncate(sectors * SECTOR)
    make_ext4(tree, disk, size_bytes=root.sectors * SECTOR, seed=seed, offset=root.first * SECTOR)
    with scratch() as folder, disk.open("r+b") as file:
        write_gpt(file, (_BIOS, _EFI, root), sectors=sectors, seed=seed)
        _write_bios_loader(file, folder)
        file.seek(_EFI.first * SECTOR)
        file.write(_efi_partition(folder))


def check_tools() -> None:
    """Raise HostUnfitError with what this host lacks to make such a disk."""
    for tool, package in _TOOLS:
        proc.require_tool(tool, package=package)
    for form in _PACKAGES:
        _modules_of(form)


def kernel_release(tree: Path) -> str:
    """The release of the only kernel in a root file system. Raises BuildError when there is none or several."""
    with tarfile.open(tree) as archive:
        names = [name.rpartition("/")[2] for name in archive.getnames() if "/boot/vmlinuz-" in f"/{name}"]
    if len(names) != 1:
        raise BuildError(
            f"the system's tree has {len(names)} kernels in /boot: {', '.join(names) or '(none)'}",
            hint=start_over(),
        )
    return names[0].removeprefix("vmlinuz-")


def make_ext4(tree: Path, disk: Path, *, size_bytes: int, seed: uuid.UUID, offset: int = 0) -> None:
    """Write an ext4 file system of ``size_bytes`` with a tar's files at ``offset`` of a file. Raises BuildError."""
    if not disk.exists():
        with disk.open("wb") as file:
            file.truncate(offset + size_bytes)
    tool = proc.require_tool("mke2fs", package="e2fsprogs")
    name = str(uuid.uuid5(seed, "file system"))
    extended = f"offset={offset},hash_seed={name},root_owner=0:0,assume_storage_prezeroed=1"
    words = [tool, "-q", "-F", "-t", "ext4", "-m", "0", "-L", "system", "-U", name, "-E", extended]
    fixed = {"SOURCE_DATE_EPOCH": "1", "E2FSPROGS_FAKE_TIME": "1"}
    words += ["-d", str(tree), str(disk), f"{size_bytes // 1024}k"]
    result = proc.run(words, timeout_s=_TIMEOUT_S, check=False, env=fixed)
    if result.returncode != 0:
        raise BuildError(
            f"the system's file system could not be made: {proc.tail(result.stderr)}",
            hint="install e2fsprogs 1.47.1 or newer with libarchive13, and check that the disk has free space",
        )


def _modules_of(form: str) -> Path:
    directory = GRUB / form
    if not (directory / "normal.mod").is_file():
        raise HostUnfitError(
            f"GRUB's modules for {form} were not found in {directory}",
            hint=f"install the package {_PACKAGES[form]} (it does not change this host's boot loader)",
        )
    return directory


def _mkimage(form: str, modules: tuple[str, ...], out: Path) -> bytes:
    tool = proc.require_tool("grub-mkimage", package="grub-common")
    words: list[str | Path] = [tool, "-d", _modules_of(form), "-O", form, "-p", _PREFIX, "-o", out, *modules]
    proc.run(words, timeout_s=_GRUB_TIMEOUT_S)
    return out.read_bytes()


def _write_bios_loader(disk: BinaryIO, scratch: Path) -> None:
    core = bytearray(_mkimage("i386-pc", ("biosdisk", *_MODULES), scratch / "core.img"))
    if len(core) > _BIOS.sectors * SECTOR:
        raise BuildError(
            f"GRUB's core image has {len(core)} bytes, and its partition {_BIOS.sectors * SECTOR}",
            hint="this version of GRUB is not supported; please report it",
        )
    # The first sector of the core image loads the rest of the image, which follows it.
    struct.pack_into("<Q", core, _BLOCK_LIST, _BIOS.first + 1)
    boot = bytearray((GRUB / "i386-pc" / "boot.img").read_bytes()[:_MBR_CODE_BYTES])
    struct.pack_into("<Q", boot, _KERNEL_SECTOR, _BIOS.first)
    boot[_DRIVE_CHECK : _DRIVE_CHECK + 2] = b"\x90\x90"
    disk.seek(0)
    disk.write(boot)
    disk.seek(_BIOS.first * SECTOR)
    disk.write(core)


def _efi_partition(scratch: Path) -> bytes:
    loader = scratch / "BOOTX64.EFI"
    _mkimage("x86_64-efi", _MODULES, loader)
    image = scratch / "efi.img"
    with image.open("wb") as file:
        file.truncate(_EFI.sectors * SECTOR)
    for tool, *words in (
        ("mformat", "-i", str(image), "-v", "EFI", "-N", "b0b0b0b0", "::"),
        ("mmd", "-i", str(image), "::/EFI", "::/EFI/BOOT"),
        ("mcopy", "-i", str(image), str(loader), "::/EFI/BOOT/BOOTX64.EFI"),
    ):
        proc.run([proc.require_tool(tool, package="mtools"), *words], timeout_s=_GRUB_TIMEOUT_S)
    return image.read_bytes()
