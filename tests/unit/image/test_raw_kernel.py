"""Unpacking the ELF from a bzImage."""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable

import pytest

from bench.image.vm.raw_kernel import unpack_kernel
from bench.util.errors import HostUnfitError

ELF = b"\x7fELF" + bytes(range(256)) * 40


def bzimage(payload: bytes, *, sectors: int = 3) -> bytes:
    head = bytearray(1024)
    head[0x1F1] = sectors
    head[0x202:0x206] = b"HdrS"
    offset = 0x40
    struct.pack_into("<II", head, 0x248, offset, len(payload))
    real_mode = bytes(head).ljust(((sectors or 4) + 1) * 512, b"\0")
    return real_mode + bytes(offset) + payload + b"what follows the payload"


def with_size(packed: bytes) -> bytes:
    return packed + struct.pack("<I", len(ELF))


def xz(data: bytes) -> bytes:
    return with_size(lzma.compress(data))


@pytest.mark.parametrize("pack", [xz, gzip.compress])
@pytest.mark.parametrize("sectors", [0, 3, 39])
def test_the_elf_is_unpacked_completely(pack: Callable[[bytes], bytes], sectors: int) -> None:
    assert unpack_kernel(bzimage(pack(ELF), sectors=sectors), "vmlinuz") == ELF


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"\x7fELF" * 400, "it is not a bzImage"),
        (bzimage(b"\x04\x22\x4d\x18 lz4 has this magic"), "starts with 04 22 4d 18"),
        (bzimage(xz(b"MZ no kernel")), "its content is not an ELF"),
        (bzimage(with_size(lzma.compress(ELF)[:-40])), "its content is damaged"),
        (bzimage(gzip.compress(ELF)[:60]), "its content is damaged"),
    ],
)
def test_the_error_for_another_image_has_its_reason(image: bytes, why: str) -> None:
    with pytest.raises(HostUnfitError, match=why) as caught:
        unpack_kernel(image, "vmlinuz-test")
    assert "vmlinuz-test" in caught.value.message
    assert "kernel=raw" in caught.value.hint
