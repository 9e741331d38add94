"""The image's tree as a directory, with owners, modes and capabilities, for targets that run from a directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from bench.image.model import Image
from bench.util import cache, proc
from bench.util.errors import HostUnfitError
from bench.util.steps import measured_by
from bench.util.tree import remove_tree

# Engines put these into /dev of every container. In a chroot, /dev has only what is in the tree.
_DEVICES: Final = (
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
)
_LINKS: Final = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
)
UNPACK: Final = ("tar", "-x", "-p", "--numeric-owner", "--xattrs", "--xattrs-include=security.capability")
"""The beginning of tar's command line. GNU tar refuses names with `..`, strips leading slashes and makes links that
point outside last."""


def ensure_tree_dir(image: Image) -> Path:
    """The unpacked tree of ``image``, with device nodes in /dev. It is cached by content and must not be written to.

    That of a first start on a fresh host is the box's own, and is there only when it has arrived.

    Raises:
        HostUnfitError: this process is not root and cannot set owners.
        ProcessError: tar failed; the disk may be full.
    """
    if image.arrived is not None and image.arrived.tree is not None:
        return image.arrived.tree
    if os.geteuid() != 0:
        raise HostUnfitError(
            f"unpacking the tree of {image.name!r} with its owners needs root, this is user {os.geteuid()}",
            hint="run as root, or leave out the targets that run from a directory",
        )
    return cache.ensure("tree", image.content, lambda partial: _unpack(image.tree_tar, partial))


def _unpack(tar: Path, directory: Path) -> None:
    # It is the box's `/`, so every user of the box may enter it. No user of the host may enter the cache.
    directory.mkdir()
    directory.chmod(0o755)
    with tar.open("rb") as source:
        total = tar.stat().st_size
        # tar has the same open file, so the place in it is how far tar has come.
        measured_by(lambda: os.lseek(source.fileno(), 0, os.SEEK_CUR), total_bytes=total)
        proc.run([*UNPACK, "-f", "-", "-C", directory], timeout_s=600, keep=proc.NO_VARIABLES, stdin=source)
        measured_by(lambda: total)
    fill_dev(directory / "dev")


def fill_dev(directory: Path) -> None:
    """Make the device nodes and links of a container's /dev. A link in the place of the directory is not followed."""
    if directory.is_symlink():  # the image decides where it points, so it is not followed
        return
    directory.mkdir(mode=0o755, exist_ok=True)
    for name, major, minor in _DEVICES:
        node = directory / name
        remove_tree(node)
        os.mknod(node, stat.S_IFCHR, os.makedev(major, minor))
        node.chmod(0o666)
    for name, target in _LINKS:
        link = directory / name
        remove_tree(link)
        link.symlink_to(target)
