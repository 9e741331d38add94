"""User-mode Linux's copy-on-write file: a header, a bitmap of the sectors that were written, and those sectors."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from bench.image.model import Disk

SECTOR_BYTES: Final = 512
_ALIGNMENT: Final = 4096
_BACKING_BYTES: Final = 4096
# Version 3: magic, version, the base's time of change, its size, size of a sector, alignment, format (a bitmap), and
# the path of the base. All numbers are big-endian, and nothing is padded.
_HEADER: Final = struct.Struct(f">IIIQIII{_BACKING_BYTES}s")
_MAGIC: Final = 0x4F4F4F4D
_VERSION: Final = 3
_BITMAP: Final = 0


def new_cow(disk: Disk, path: Path, *, base: str) -> None:
    """Write an empty copy-on-write file, as ``uml_mkcow`` does. It is sparse, so that its growth can be measured.

    Args:
        base: the path at which user-mode Linux will find the raw disk.
    """
    status = disk.raw.stat()
    fields = (_MAGIC, _VERSION, int(status.st_mtime), status.st_size, SECTOR_BYTES, _ALIGNMENT, _BITMAP)
    with path.open("wb") as file:
        file.write(_HEADER.pack(*fields, base.encode()))
        file.truncate(cow_bytes(status.st_size) - status.st_size)


def cow_bytes(disk_bytes: int) -> int:
    """The size of a copy-on-write file in which every sector of the disk was written."""
    bitmap = -(-disk_bytes // (8 * SECTOR_BYTES))
    return _aligned(_aligned(_HEADER.size) + bitmap) + disk_bytes


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def hand_to(path: Path, account: tuple[int, int]) -> None:
    """Give a file to the user that runs the guest, and to nobody else."""
    path.chmod(0o600)
    os.chown(path, *account)
