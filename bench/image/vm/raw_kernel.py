"""The kernel as an ELF (vmlinux), unpacked from its bzImage on the host, so that guests need not unpack it."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path
from typing import Final

from bench.image.model import GuestKernel
from bench.util import cache, proc
from bench.util.errors import HostUnfitError

_MAGIC: Final = b"HdrS"
# Linux, Documentation/arch/x86/boot.rst: offsets in the setup header.
_SETUP_SECTORS: Final = 0x1F1
_HEADER_MAGIC: Final = 0x202
_PAYLOAD_OFFSET: Final = 0x248
# The kernel's build appends the unpacked size to the data of most formats.
_SIZE_BYTES: Final = 4


def ensure_raw_kernel(kernel: GuestKernel) -> Path:
    """The unpacked kernel in the cache. Raises HostUnfitError: it is not a bzImage, or its compression is unknown."""
    packed = kernel.image.read_bytes()

    def make(path: Path) -> None:
        path.write_bytes(unpack_kernel(packed, kernel.image.name))

    return cache.ensure("vmlinux", cache.content_key(packed), make)


def unpack_kernel(image: bytes, name: str) -> bytes:
    """The ELF in a bzImage; ``name`` is for errors. Raises HostUnfitError as ``ensure_raw_kernel``."""
    if image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != _MAGIC:
        raise _cannot(name, "it is not a bzImage")
    offset, length = struct.unpack_from("<II", image, _PAYLOAD_OFFSET)
    # The payload's offset counts from the end of the real-mode part. By the boot protocol, 0 sectors mean 4.
    start = ((image[_SETUP_SECTORS] or 4) + 1) * 512 + offset
    elf = _unpack(image[start : start + length], name)
    if not elf.startswith(b"\x7fELF"):
        raise _cannot(name, "its content is not an ELF")
    return elf


def _unpack(payload: bytes, name: str) -> bytes:
    try:
        if payload.startswith(b"\xfd7zXZ"):
            return lzma.decompress(payload[:-_SIZE_BYTES])
        if payload.startswith(b"\x1f\x8b"):
            return gzip.decompress(payload)
        if payload.startswith(b"\x28\xb5\x2f\xfd"):
            tool = proc.require_tool("zstd", package="zstd")
            return proc.run([tool, "-d", "-c"], timeout_s=60, stdin=payload[:-_SIZE_BYTES]).stdout
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise _cannot(name, f"its content is damaged: {error}") from None
    raise _cannot(name, f"its compression is unknown; the data starts with {payload[:4].hex(' ')}")


def _cannot(name: str, why: str) -> HostUnfitError:
    return HostUnfitError(
        f"the kernel {name} cannot be unpacked: {why}",
        hint="leave out the option kernel=raw, or choose another kernel with BOXBENCH_KERNEL",
    )
