"""The image's tree as a VM's disk: ext4 made without mounting, and the qcow2 overlay every box gets on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.image.archive import read_index
from bench.image.model import Disk, Image
from bench.image.tree import ensure_tree_dir
from bench.util import cache, proc
from bench.util.errors import BuildError, HostUnfitError, ProcessError
from bench.util.units import format_bytes

RECIPE: Final = "1"
"""Part of the cache key: raise it when what follows makes another file system."""

# Inode tables, journal and a little room; measured on empty disks of 64 MiB to 2 GiB.
_OVERHEAD_BYTES: Final = 16 * 2**20
_BYTES_PER_INODE: Final = 16384  # mke2fs's own default
_BLOCK: Final = 4096
_FULL: Final = "Could not allocate"
"""What mke2fs says when the file system it makes is full; a full disk of the host has other words."""
_TIMEOUT_S: Final = 600.0


def ensure_disk(image: Image, size_bytes: int) -> Disk:
    """A raw ext4 disk holding the tree of ``image``, and an empty overlay on it, cached by content.

    Args:
        size_bytes: the disk's size as the guest sees it; the file is sparse.

    Raises:
        BuildError: the tree does not fit.
        HostUnfitError: no mke2fs or qemu-img, or a mke2fs that reads no tar and we are not root.
    """
    directory = cache.cache_dir() / "disk"
    # The overlay names its base by an absolute path, so a cache that was moved makes its disks again.
    key = cache.content_key(RECIPE, image.content, str(size_bytes), str(directory))
    final = directory / key
    entry = cache.ensure("disk", key, lambda partial: _make(partial, final, image, size_bytes))
    raw = entry / "disk.raw"
    about = raw.stat()
    return Disk(
        raw=raw,
        overlay_template=entry / "overlay.qcow2",
        logical_bytes=about.st_size,
        allocated_bytes=about.st_blocks * 512,
    )


def new_overlay(disk: Disk, path: Path) -> None:
    """Put a fresh overlay at ``path``: a copy of the empty one, holes kept, so that growth can be seen.

    This is in the timed path of a box: a few hundred KiB, no process.
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
    """Put a copy of the whole disk at ``path``, holes kept: the price of a disk without an overlay, also timed."""
    with disk.raw.open("rb") as source, path.open("wb") as target:
        size = os.fstat(source.fileno()).st_size
        os.truncate(target.fileno(), size)
        end = 0
        while (start := _next_data(source.fileno(), end)) is not None:
            end = os.lseek(source.fileno(), start, os.SEEK_HOLE)
            while start < end:
                # The kernel copies, by sharing blocks where the file system can.
                start += os.copy_file_range(source.fileno(), target.fileno(), end - start, start, start)


def _next_data(fd: int, after: int) -> int | None:
    try:
        return os.lseek(fd, after, os.SEEK_DATA)
    except OSError:  # ENXIO: nothing but a hole until the end
        return None


def _make(directory: Path, final: Path, image: Image, size_bytes: int) -> None:
    index = read_index(image.tree_tar)
    needed = index.block_bytes() + _OVERHEAD_BYTES
    if size_bytes < needed:
        raise _too_small(image, size_bytes, needed)
    directory.mkdir()
    inodes = max(size_bytes // _BYTES_PER_INODE, len(index.members) * 5 // 4 + 1024)
    try:
        _make_ext4(directory / "disk.raw", image, size_bytes, inodes)
    except ProcessError as error:
        if _FULL in error.stderr_tail:
            raise _too_small(image, size_bytes, needed) from None
        raise
    # -u: the base is not at its final place yet, so it cannot be looked at; its size is given instead.
    tool = proc.require_tool("qemu-img", package="qemu-utils")
    base, overlay = str(final / "disk.raw"), str(directory / "overlay.qcow2")
    words = [tool, "create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", base, overlay, str(size_bytes)]
    proc.run(words, timeout_s=30)


def _make_ext4(raw: Path, image: Image, size_bytes: int, inodes: int) -> None:
    tool = proc.require_tool("mke2fs", package="e2fsprogs")
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, image.content))
    common = [tool, "-q", "-F", "-t", "ext4", "-m", "0", "-L", "boxbench", "-U", name, "-N", str(inodes)]
    # The file is new and reads as zeros, so nothing need be zeroed: not by us, and not by the guest's kernel later.
    extended = ["-E", f"hash_seed={name},root_owner=0:0,assume_storage_prezeroed=1"]
    older = ["-E", f"hash_seed={name},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"]
    attempts = [(extended, image.tree_tar), (extended, None), (older, None)]
    for number, (options, source) in enumerate(attempts, start=1):
        if source is None and os.geteuid() != 0:
            raise HostUnfitError(
                "this mke2fs cannot read a tar archive, and without root there is no other way to keep owners",
                hint="install e2fsprogs 1.47.1 or newer with libarchive13, or run as root",
            )
        raw.unlink(missing_ok=True)
        with raw.open("wb") as file:
            file.truncate(size_bytes)
        try:
            _run_mke2fs([*common, *options], source or ensure_tree_dir(image), raw)
            return
        except ProcessError as error:
            if number == len(attempts) or _FULL in error.stderr_tail:
                raise


def _run_mke2fs(words: Sequence[str], source: Path, raw: Path) -> None:
    # A fixed date: two disks of one tree are the same disk.
    fixed = {"SOURCE_DATE_EPOCH": "1", "E2FSPROGS_FAKE_TIME": "1"}
    proc.run([*words, "-d", str(source), str(raw)], timeout_s=_TIMEOUT_S, env=fixed)


def _too_small(image: Image, size_bytes: int, needed: int) -> BuildError:
    return BuildError(
        f"image {image.name}: a disk of {format_bytes(size_bytes)} cannot hold its tree, which needs about"
        f" {format_bytes(needed)}",
        hint="raise resources.disk in the scenario; the file is sparse, free space costs nothing",
    )
