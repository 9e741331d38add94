"""The copy-on-write file of user-mode Linux, as its kernel reads it: see ``struct cow_header_v3`` there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.image.model import Disk
from bench.image.vm.cow import cow_bytes, hand_to, new_cow

MIB = 2**20


def disk(directory: Path, size: int) -> Disk:
    raw = directory / "disk.raw"
    with raw.open("wb") as file:
        file.truncate(size)
    os.utime(raw, (5, 0x01020304))
    return Disk(raw, directory / "unused", size, 0)


def test_the_header_has_every_field_at_its_place(tmp_path: Path) -> None:
    cow = tmp_path / "root.cow"
    new_cow(disk(tmp_path, 64 * MIB), cow, base="/base")
    content = cow.read_bytes()
    assert content[:4] == b"OOOM"
    assert content[4:8] == bytes((0, 0, 0, 3))
    assert content[8:12] == bytes((1, 2, 3, 4))
    assert content[12:20] == (64 * MIB).to_bytes(8, "big")
    assert [int.from_bytes(content[at : at + 4], "big") for at in (20, 24, 28)] == [512, 4096, 0]
    assert content[32:4128] == b"/base" + bytes(4091)
    # A bitmap without a bit: every sector is the base's.
    assert not any(content[4128:])


def test_its_size_is_header_and_bitmap_until_something_is_written(tmp_path: Path) -> None:
    cow = tmp_path / "root.cow"
    new_cow(disk(tmp_path, 64 * MIB), cow, base="/base")
    # 131072 sectors have a bit each, behind a header that is padded to two pages.
    assert cow.stat().st_size == 8192 + 16384
    assert cow.stat().st_blocks * 512 <= 8192
    assert cow_bytes(64 * MIB) == 8192 + 16384 + 64 * MIB


def test_sizes_that_are_no_multiple_are_rounded_up(tmp_path: Path) -> None:
    cow = tmp_path / "root.cow"
    new_cow(disk(tmp_path, MIB + 512), cow, base="/base")
    assert cow.stat().st_size == 8192 + 4096


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_nobody_but_the_guests_user_can_open_it(tmp_path: Path) -> None:
    cow = tmp_path / "root.cow"
    cow.touch(mode=0o666)
    hand_to(cow, (64321, 64322))
    found = cow.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o600, 64321, 64322)
