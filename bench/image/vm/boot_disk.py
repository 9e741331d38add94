"""A disk that boots by itself, from a root file system with a kernel in it: partitions, GRUB for BIOS and for EFI.

Nothing is mounted and no loop device is needed: mke2fs fills the root partition from a tar, mtools the EFI one, and
GRUB's boot code is written where its own installer would write it.
"""

from __future__ import annotations

import struct
import tarfile
import tempfile
import uuid
from pathlib import Path
from typing import BinaryIO, Final

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
# boot/i386/pc: where boot.img keeps the first sector of what it loads, and diskboot.img its list of blocks.
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
    """Write a disk of ``size_bytes`` (sparse) that boots by SeaBIOS and by OVMF.

    Args:
        tree: a tar with a kernel, an initrd and /boot/grub/grub.cfg; its root is partition 3.

    Raises:
        HostUnfitError: GRUB's images, mtools or mke2fs are missing.
        BuildError: the tree does not fit.
    """
    sectors = size_bytes // SECTOR
    root = Partition(LINUX, _ROOT_FIRST, sectors - _ROOT_FIRST - _TABLE_SECTORS, "root")
    with disk.open("wb") as file:
        file.truncate(sectors * SECTOR)
    make_ext4(tree, disk, size_bytes=root.sectors * SECTOR, seed=seed, offset=root.first * SECTOR)
    with tempfile.TemporaryDirectory(prefix="boxbench-grub-") as scratch, disk.open("r+b") as file:
        write_gpt(file, (_BIOS, _EFI, root), sectors=sectors, seed=seed)
        _write_bios_loader(file, Path(scratch))
        file.seek(_EFI.first * SECTOR)
        file.write(_efi_partition(Path(scratch)))


def check_tools() -> None:
    """Raise HostUnfitError naming what is missing on this host to make such a disk."""
    for tool, package in _TOOLS:
        proc.require_tool(tool, package=package)
    for form in _PACKAGES:
        _modules_of(form)


def kernel_release(tree: Path) -> str:
    """The release of the kernel in a root file system. Raises BuildError when there is not exactly one."""
    with tarfile.open(tree) as archive:
        names = [name.rpartition("/")[2] for name in archive.getnames() if "/boot/vmlinuz-" in f"/{name}"]
    if len(names) != 1:
        raise BuildError(
            f"the system's tree has {len(names)} kernels in /boot: {', '.join(names) or '(none)'}",
            hint=start_over(),
        )
    return names[0].removeprefix("vmlinuz-")


def make_ext4(tree: Path, disk: Path, *, size_bytes: int, seed: uuid.UUID, offset: int = 0) -> None:
    """Fill ``size_bytes`` at ``offset`` of a file with a file system made from a tar. Raises BuildError."""
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
            hint="e2fsprogs 1.47.1 or newer with libarchive13 is needed; is the disk full?",
        )


def _modules_of(form: str) -> Path:
    directory = GRUB / form
    if not (directory / "normal.mod").is_file():
        raise HostUnfitError(
            f"GRUB's modules for {form} were not found in {directory}",
            hint=f"install the package {_PACKAGES[form]} (it does not touch this host's own boot loader)",
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
            hint="this is another GRUB than was expected; please report it",
        )
    # What the first sector of the core image loads: the rest of it, behind it.
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
