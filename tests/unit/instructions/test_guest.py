"""Guests of images that differ in size: their memory; and where their archive ends."""

from __future__ import annotations

import pytest

from bench.image.vm.initramfs import clear_of_tables, newc
from bench.instructions.guest import container_memory

MIB = 2**20


@pytest.mark.parametrize("has_engine", [False, True])
@pytest.mark.parametrize("size", [0, 1, 1_900_000, 107 * MIB, 255 * MIB])
def test_images_that_differ_by_a_byte_get_equal_guests(has_engine: bool, size: int) -> None:
    """A guest of 138 bytes more had 276 bytes more memory, and so another clock."""
    sizes = {container_memory(has_engine=has_engine, room_bytes=size + more) for more in (0, 1, 138, 2**16)}
    assert len(sizes) == 1


@pytest.mark.parametrize("has_engine", [False, True])
def test_memory_grows_in_few_steps_and_always_has_room(has_engine: bool) -> None:
    base = container_memory(has_engine=has_engine, room_bytes=0) - 512 * MIB
    sizes = [number * MIB for number in range(0, 4096, 7)]
    found = [container_memory(has_engine=has_engine, room_bytes=size) for size in sizes]
    assert found == sorted(found)
    assert len(set(found)) == 5
    assert all(memory - base >= 2 * size for memory, size in zip(found, sizes, strict=True))
    assert container_memory(has_engine=has_engine, room_bytes=256 * MIB) == base + 512 * MIB
    assert container_memory(has_engine=has_engine, room_bytes=256 * MIB + 1) == base + 1024 * MIB


@pytest.mark.parametrize("length", [0, 4, 512, 3600, 3664, 4088, 4092, 4096, 4100, 10**6])
def test_the_last_page_of_the_memory_is_left_to_the_firmware(length: int) -> None:
    """A tenth of all lengths ended within the firmware's tables, and the guest's kernel then never reached PID 1."""
    archive = newc([])[: length % 4] + bytes(length)
    padded = clear_of_tables(archive)
    assert padded.startswith(archive)
    assert set(padded[len(archive) :]) <= {0}
    assert len(padded) % 4 == 0
    assert 4096 - len(padded) % 4096 >= 4000
    assert len(padded) - len(archive) <= 4100
