"""The image's tree as a VM's disk: an ext4 file system made without mounting, and the qcow2 overlays of boxes."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.host.scratch import scratch
from bench.image.archive import read_index
from bench.image.model import Disk, Image
from bench.image.tree import ensure_tree_dir
from bench.image.vm.byte_names import NOT_CONVERTED, with_byte_names
from bench.util import cache, proc
from bench.util.errors import BuildError, HostUnfitError, ProcessError
from bench.util.steps import measured_by
from bench.util.units import format_bytes

RECIPE: Final = "1"
"""Part of the cache key. Raise it when a change of this module makes other file systems."""

# For inode tables and journal, with a margin; measured on empty disks of 64 MiB to 2 GiB.
_OVERHEAD_BYTES: Final = 16 * 2**20
_BYTES_PER_INODE: Final = 16384  # mke2fs's default
_BLOCK: Final = 4096
_FULL: Final = "Could not allocate"
"""mke2fs's error when the file system that it makes is full. A full disk of the host gives another one."""
_TIMEOUT_S: Final = 600.0


def ensure_disk(image: Image, size_bytes: int) -> Disk:
    """A raw ext4 disk with the tree of ``image``, and an empty overlay on it. Cached by content.

    That of a first start on a fresh host is the box's own, and is there only when it has arrived.

    Args:
        size_bytes: the disk's size as the guest sees it; the file is sparse.

    Raises:
        BuildError: the tree does not fit.
        HostUnfitError: mke2fs or qemu-img is missing, or mke2fs cannot read a tar and this process is not root.
    """
    if image.arrived is not None and image.arrived.disk is not None:
        return image.arrived.disk
    directory = cache.cache_dir() / "disk"
    # The overlay names its base by an absolute path, so a cache that was moved makes its disks again.
    key = cache.content_key(RECIPE, image.content, str(size_bytes), str(directory))
    final = directory / key
    entry = cache.ensure("disk", key, lambda partial: _make(partial, final, image, size_bytes))
    return cached_disk(entry)


def cached_disk(entry: Path) -> Disk:
    """The disk in a directory of the cache that has ``disk.raw`` and ``overlay.qcow2``."""
    raw = entry / "disk.raw"
    status = raw.stat()
    return Disk(
        raw=raw,
        overlay_template=entry / "overlay.qcow2",
        logical_bytes=status.st_size,
        allocated_bytes=status.st_blocks * 512,
    )


def make_overlay(base: Path, overlay: Path, size_bytes: int, *, base_format: str = "raw") -> None:
    """Write an empty qcow2 overlay of ``size_bytes``. The base need not exist yet at the path that is given."""
    tool = proc.require_tool("qemu-img", package="qemu-utils")
    # -u: qemu-img does not open the base, so the size must be given.
    words = [tool, "create", "-q", "-u", "-f", "qcow2", "-F", base_format, "-b", str(base)]
    proc.run([*words, str(overlay), str(size_bytes)], timeout_s=30)


def new_overlay(disk: Disk, path: Path) -> None:
    """Copy the empty overlay to ``path``, with its holes, so that its growth can be measured.

    This is in the measured part of a box's start, so it copies a few hundred KiB and starts no process.
    """
    content = disk.overlay_template.read_bytes()
    with path.open("wb") as file:
        for start in range(0, len(content), _BLOCK):
            block = content[start : start + _BLOCK]
            if block.count(0) != len(block):
                file.seek(start)
                file.write(block)
        file.truncate(len(content))


def new_raw_copy(disk: Disk, path: Path) -> None:
    """Copy the whole disk to ``path``, with its holes. In the measured part it is the cost of having no overlay."""
    with disk.raw.open("rb") as source, path.open("wb") as target:
        size = os.fstat(source.fileno()).st_size
        os.truncate(target.fileno(), size)
        end = 0
        while (start := _next_data(source.fileno(), end)) is not None:
            end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            while start < end:
                # The kernel copies, and shares blocks where the file system supports it.
                start += os.copy_file_range(source.fileno(), target.fileno(), end - start, start, start)


def _next_data(fd: int, after: int) -> int | None:
    try:
        return os.lseek(fd, after, os.SEEK_DATA)
    except OSError:  # ENXIO: nothing but a hole until the end
        return None


def _make(directory: Path, final: Path, image: Image, size_bytes: int) -> None:
    entries, block_bytes = _entries_and_bytes(image)
    needed = block_bytes + _OVERHEAD_BYTES
    if size_bytes < needed:
        raise _too_small(image, size_bytes, needed)
    directory.mkdir()
    inodes = max(size_bytes // _BYTES_PER_INODE, entries * 5 // 4 + 1024)
    measured_by(lambda: (directory / "disk.raw").stat().st_blocks * 512, total_bytes=needed)
    try:
        _make_ext4(directory / "disk.raw", image, size_bytes, inodes)
    except ProcessError as error:
        if _FULL in error.stderr_tail:
            raise _too_small(image, size_bytes, needed) from None
        raise
    make_overlay(final / "disk.raw", directory / "overlay.qcow2", size_bytes)


def _entries_and_bytes(image: Image) -> tuple[int, int]:
    if image.entries is not None and image.block_bytes is not None:
        return image.entries, image.block_bytes
    index = read_index(image.tree_tar)
    return len(index.members), index.block_bytes()


def _make_ext4(raw: Path, image: Image, size_bytes: int, inodes: int) -> None:
    tool = proc.require_tool("mke2fs", package="e2fsprogs")
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, image.content))
    common = [tool, "-q", "-F", "-t", "ext4", "-m", "0", "-L", "boxbench", "-U", name, "-N", str(inodes)]
    # The file is new and reads as zeros, so neither mke2fs nor the guest's kernel need write zeros.
    extended = ["-E", f"hash_seed={name},root_owner=0:0,assume_storage_prezeroed=1"]
    older = ["-E", f"hash_seed={name},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"]
    attempts = [(extended, image.tree_tar), (extended, None), (older, None)]
    for number, (options, source) in enumerate(attempts, start=1):
        if source is None and os.geteuid() != 0:
            raise HostUnfitError(
                "this mke2fs cannot read a tar archive, and without root the owners cannot be set in another way",
                hint="install e2fsprogs 1.47.1 or newer with libarchive13, or run as root",
            )
        try:
            _fill([*common, *options], source or ensure_tree_dir(image), raw, size_bytes)
            return
        except ProcessError as error:
            if number == len(attempts) or _FULL in error.stderr_tail:
                raise


def _fill(words: Sequence[str], source: Path, raw: Path, size_bytes: int) -> None:
    try:
        _run_mke2fs(words, source, raw, size_bytes)
    except ProcessError as error:
        if NOT_CONVERTED not in error.stderr_tail or source.is_dir():
            raise
        with scratch() as folder:
            _run_mke2fs(words, with_byte_names(source, folder / "tree.tar"), raw, size_bytes)


def _run_mke2fs(words: Sequence[str], source: Path, raw: Path, size_bytes: int) -> None:
    raw.unlink(missing_ok=True)
    with raw.open("wb") as file:
        file.truncate(size_bytes)
    # With a fixed date, two disks of one tree are identical.
    fixed = {"SOURCE_DATE_EPOCH": "1", "E2FSPROGS_FAKE_TIME": "1"}
    proc.run([*words, "-d", str(source), str(raw)], timeout_s=_TIMEOUT_S, env=fixed)


def _too_small(image: Image, size_bytes: int, needed: int) -> BuildError:
    return BuildError(
        f"image {image.name}: a disk of {format_bytes(size_bytes)} cannot hold its tree, which needs about"
        f" {format_bytes(needed)}",
        hint="raise resources.disk in the scenario; the file is sparse, so free space costs nothing",
    )
