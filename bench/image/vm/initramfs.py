"""The initramfs of a guest: the agent as /init, kernel modules, and for each box a second archive with its box.conf.

Both archives are uncompressed newc, and the kernel unpacks one after the other. The first is 1 MiB. Compressed with
gzip it booted 1 % faster under TCG (2.216 against 2.240 s of virtual time under icount), but under KVM inflating it
costs time. Without compression, the second archive is simply appended.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.image.model import GuestKernel
from bench.util import cache

RECIPE: Final = "2"
"""Part of the cache key. Raise it when a change of this module makes other archives."""

_PAGE: Final = 4096
_ALIGNMENT: Final = 4
_TRAILER: Final = "TRAILER!!!"
_DIRECTORIES: Final = ("dev", "proc", "sys", "modules", "newroot", "run", "tmp")


@dataclass(frozen=True)
class CpioEntry:
    """One entry of an archive in the newc format."""

    name: str
    mode: int
    """Type and permissions, as in ``st_mode``."""
    content: bytes = b""
    device: tuple[int, int] = (0, 0)
    owner: tuple[int, int] = (0, 0)
    """User and group."""
    inode: int = 0
    """0 assigns a new number. Entries with one number are links to one file, and the first of them has its content."""
    links: int = 0
    """Number of hard links; 0 stands for that of an entry without further links."""


def ensure_initramfs(kernel: GuestKernel, agent: Path) -> Path:
    """The initramfs of ``kernel`` with ``agent`` as /init, without a box.conf. Cached by content."""
    contents = [(f"modules/{path.name}", path.read_bytes()) for path in kernel.modules]
    init = agent.read_bytes()
    key = cache.content_key(RECIPE, init, *(part for name, content in contents for part in (name, content)))
    entries = [CpioEntry(name, stat.S_IFDIR | 0o755) for name in _DIRECTORIES]
    # The kernel opens it as descriptors 0, 1 and 2 of /init, before a devtmpfs is mounted.
    entries.append(CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    entries.append(CpioEntry("init", stat.S_IFREG | 0o755, init))
    entries += [CpioEntry(name, stat.S_IFREG | 0o644, content) for name, content in contents]
    listing = "".join(f"/{name}\n" for name, _ in contents)
    entries.append(CpioEntry("modules.list", stat.S_IFREG | 0o644, listing.encode("ascii")))
    return cache.ensure("initramfs", f"{key}.cpio", lambda path: _write(path, newc(entries)))


def with_conf(base: Path, conf: bytes, out: Path) -> None:
    """Write ``base``, followed by a second archive with /box.conf, to ``out``."""
    second = newc([CpioEntry("box.conf", stat.S_IFREG | 0o600, conf)])
    out.write_bytes(clear_of_tables(base.read_bytes() + second))


def newc(entries: Iterable[CpioEntry]) -> bytes:
    """A cpio archive in the newc format. Its length is a multiple of 4 and all times are 0."""
    parts = [_header(entry, number) for number, entry in enumerate(entries, start=1)]
    parts.append(_header(CpioEntry(_TRAILER, 0), 0))
    return b"".join(parts)


def clear_of_tables(archive: bytes) -> bytes:
    """An archive with zeros at its end, so that QEMU's firmware does not overwrite it.

    QEMU loads it so high that it ends in the last page of the memory. On microvm the firmware writes its ACPI tables
    into the last 500 bytes of that page, before or after: then either the tables or the archive are damaged, and the
    kernel hangs. With a length just above a multiple of a page, nearly the whole last page is free. Zeros after the
    trailer are allowed.
    """
    return archive + bytes(-len(archive) % _PAGE + _ALIGNMENT)


def _header(entry: CpioEntry, inode: int) -> bytes:
    name = entry.name.encode("utf-8") + b"\0"
    links = entry.links or (2 if stat.S_ISDIR(entry.mode) else 1)
    # ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    fields = (
        entry.inode or inode, entry.mode, *entry.owner, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0,
    )  # fmt: skip
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return _padded(head) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
