"""A partition table (GPT), written without tools, mounts or loop devices."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

SECTOR: Final = 512
FIRST_USABLE: Final = 34
"""The first sector after protective MBR, header and 32 sectors of entries."""

BIOS_BOOT: Final = uuid.UUID("21686148-6449-6e6f-744e-656564454649")
EFI_SYSTEM: Final = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX: Final = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

_ENTRIES: Final = 128
_ENTRY_BYTES: Final = 128


@dataclass(frozen=True)
class Partition:
    """A partition. Its number is its place in the table, counted from 1."""

    kind: uuid.UUID
    first: int
    """The first sector."""
    sectors: int
    name: str


def write_gpt(disk: BinaryIO, partitions: Sequence[Partition], *, sectors: int, seed: uuid.UUID) -> None:
    """Write both copies of the table and the protective MBR. The code area of the MBR is not changed.

    Args:
        disk: open for reading and writing, ``sectors`` long.
        seed: identifiers of disk and partitions are derived from it, so that the same input gives the same disk.
    """
    entries = b"".join(_entry(partition, uuid.uuid5(seed, partition.name)) for partition in partitions)
    entries = entries.ljust(_ENTRIES * _ENTRY_BYTES, b"\0")
    last = sectors - 1
    tables = len(entries) // SECTOR
    identity = uuid.uuid5(seed, "disk")
    usable = last - tables - 1

    def header(here: int, other: int, table: int, crc: int) -> bytes:
        head = b"EFI PART" + struct.pack("<IIII", 0x00010000, 92, crc, 0)
        head += struct.pack("<QQQQ", here, other, FIRST_USABLE, usable) + identity.bytes_le
        return head + struct.pack("<QIII", table, _ENTRIES, _ENTRY_BYTES, zlib.crc32(entries))

    for here, other, table in ((1, last, 2), (last, 1, last - tables)):
        disk.seek(table * SECTOR)
        disk.write(entries)
        disk.seek(here * SECTOR)
        # The header's checksum is computed with 0 in its own field.
        disk.write(header(here, other, table, zlib.crc32(header(here, other, table, 0))))
    disk.seek(446)
    # One entry of type 0xEE over the whole disk keeps tools that do not know GPT from writing to it.
    disk.write(struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(last, 0xFFFFFFFF)).ljust(64, b"\0"))
    disk.write(b"\x55\xaa")


def _entry(partition: Partition, identity: uuid.UUID) -> bytes:
    last = partition.first + partition.sectors - 1
    ids = partition.kind.bytes_le + identity.bytes_le
    return ids + struct.pack("<QQQ", partition.first, last, 0) + partition.name.encode("utf-16-le").ljust(72, b"\0")
