"""The partition table, read back by the rules of the UEFI specification, 5.3."""

from __future__ import annotations

import io
import struct
import uuid
import zlib

import pytest

from bench.image.vm.gpt import BIOS_BOOT, EFI_SYSTEM, LINUX, SECTOR, Partition, write_gpt

SECTORS = 20_000
PARTS = (
    Partition(BIOS_BOOT, 2048, 2048, "bios"),
    Partition(EFI_SYSTEM, 4096, 4096, "efi"),
    Partition(LINUX, 8192, SECTORS - 8192 - 33, "root"),
)
SEED = uuid.UUID(int=7)


@pytest.fixture
def disk() -> bytes:
    file = io.BytesIO(b"\xaa" * 446 + bytes(SECTORS * SECTOR - 446))
    write_gpt(file, PARTS, sectors=SECTORS, seed=SEED)
    return file.getvalue()


def header(disk: bytes, sector: int) -> dict[str, int]:
    names = ("revision", "size", "crc", "zero", "here", "other", "first", "last")
    raw = disk[sector * SECTOR : sector * SECTOR + 92]
    assert raw[:8] == b"EFI PART"
    found = dict(zip(names, struct.unpack_from("<IIIIQQQQ", raw, 8), strict=True))
    found["table"], found["count"], found["each"], found["entries_crc"] = struct.unpack_from("<QIII", raw, 72)
    assert found["crc"] == zlib.crc32(raw[:16] + bytes(4) + raw[20:])
    return found


def test_both_headers_are_valid_and_point_to_each_other(disk: bytes) -> None:
    first, second = header(disk, 1), header(disk, SECTORS - 1)
    assert (first["here"], first["other"]) == (1, SECTORS - 1)
    assert (second["here"], second["other"]) == (SECTORS - 1, 1)
    assert (first["first"], first["last"]) == (second["first"], second["last"]) == (34, SECTORS - 34)


def test_both_tables_are_the_same_and_outside_the_partitions(disk: bytes) -> None:
    tables = []
    for sector in (1, SECTORS - 1):
        about = header(disk, sector)
        table = disk[about["table"] * SECTOR :][: about["count"] * about["each"]]
        assert zlib.crc32(table) == about["entries_crc"]
        tables.append(table)
    assert tables[0] == tables[1]
    last = max(part.first + part.sectors - 1 for part in PARTS)
    assert last <= header(disk, 1)["last"] < header(disk, SECTORS - 1)["table"]


def test_the_entries_are_the_partitions(disk: bytes) -> None:
    for number, part in enumerate(PARTS):
        raw = disk[2 * SECTOR + number * 128 :][:128]
        assert uuid.UUID(bytes_le=raw[:16]) == part.kind
        assert struct.unpack_from("<QQ", raw, 32) == (part.first, part.first + part.sectors - 1)
        assert raw[56:].decode("utf-16-le").rstrip("\0") == part.name


def test_the_boot_code_is_kept_and_the_mbr_is_protective(disk: bytes) -> None:
    assert disk[:446] == b"\xaa" * 446
    assert disk[450] == 0xEE
    assert struct.unpack_from("<II", disk, 454) == (1, SECTORS - 1)
    assert disk[510:512] == b"\x55\xaa"


def test_one_seed_gives_one_disk(disk: bytes) -> None:
    again, other = io.BytesIO(disk), io.BytesIO(disk)
    write_gpt(again, PARTS, sectors=SECTORS, seed=SEED)
    write_gpt(other, PARTS, sectors=SECTORS, seed=uuid.UUID(int=8))
    assert again.getvalue() == disk != other.getvalue()
