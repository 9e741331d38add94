"""The members of a tar archive, without their contents.

The standard library reads 25,000 members a second, which is seconds for the tree of an image. Headers in the plain
form, which engines write for nearly all of them, are read here, and all others by the standard library. The result is
the same. The archive is untrusted input.
"""

from __future__ import annotations

import mmap
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_BLOCK: Final = 512
_END: Final = bytes(_BLOCK)
_FIELDS: Final = struct.Struct("100s8s8s8s12s12s8sc100s72x16s155s12x")
_NO_DEVICE: Final = (b"0000000\0" * 2, bytes(16))
_TYPES: Final = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE)
_PADDING: Final = b"\0 "
_MODULUS: Final = 65521
"""Of Adler-32, whose lower half is one more than the sum of all bytes."""


def members(tar: Path, ended: Callable[[int], object] = lambda _offset: None) -> Iterator[tarfile.TarInfo]:
    """The members in their order. Names of users and groups, and checksums, are left out of those in the plain form.

    Args:
        ended: called after the last one with where it ends, which is where further ones can be written.

    Raises:
        tarfile.TarError, EOFError, OverflowError, ValueError: it is no tar, or a damaged one.
        OSError: the file cannot be read.
    """
    with tar.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        # It reads the first member.
        archive = tarfile.TarFile(fileobj=data)
        first = archive.next()
        if first is not None:
            yield first
        while (member := _next(data, archive)) is not None:
            yield member
            # It keeps every member that it has read.
            archive.members.clear()  # type: ignore[attr-defined]
        ended(archive.offset)


def _next(data: mmap.mmap, archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    offset = archive.offset
    # A global header changes all members that follow.
    member = None if archive.pax_headers else plain_member(data[offset : offset + _BLOCK])
    if member is None:
        data.seek(offset)
        return archive.next()
    member.offset, member.offset_data = offset, offset + _BLOCK
    length = -(-member.size // _BLOCK) * _BLOCK if member.type == tarfile.REGTYPE else 0
    archive.offset = member.offset_data + length
    return member


def plain_member(header: bytes) -> tarfile.TarInfo | None:
    """The member of a header in the plain form; None: the header has another form, or is damaged.

    In the plain form all is ASCII, numbers are octal digits, and the type is a file, directory or link.
    """
    if len(header) != _BLOCK or not header.isascii() or header == _END:
        return None
    name, mode, uid, gid, size, mtime, checksum, kind, link, device, prefix = _FIELDS.unpack(header)
    if kind not in _TYPES or device not in _NO_DEVICE:
        return None
    texts = [field.rstrip(_PADDING) for field in (mode, uid, gid, size, mtime, checksum)]
    try:
        numbers = [int(text, 8) for text in texts if text.isdigit()]
    except ValueError:  # 8 or 9
        return None
    if len(numbers) < len(texts) or not _is_sum(numbers.pop(), header, checksum):
        return None
    member = tarfile.TarInfo(_text(name))
    member.mode, member.uid, member.gid, member.size, member.mtime = numbers
    member.type, member.linkname = kind, _text(link)
    if kind == tarfile.DIRTYPE:
        member.name = member.name.rstrip("/")
    if start := _text(prefix):
        member.name = f"{start}/{member.name}"
        if kind == tarfile.DIRTYPE:
            member.name = member.name.rstrip("/")
    return member


def _is_sum(number: int, header: bytes, checksum: bytes) -> bool:
    """Whether ``number`` is the sum of the header's bytes, with blanks in place of the sum itself."""
    # ASCII: the sum of all bytes is below the modulus, so it is known exactly.
    return (zlib.adler32(header) & 0xFFFF) - 1 == number - len(checksum) * ord(" ") + sum(checksum)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii")
