"""A guest without an operating system: a few dozen bytes that write one byte to the debug console and halt or exit.

There are two forms of the same program. The ROM replaces the firmware, so that it has the CPU's first instruction and
only the hypervisor is measured. The PVH ELF is loaded by QEMU like a kernel, after the firmware.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from bench.util import cache

WORD: Final = b"R"
"""The byte that the payload writes to port 0xE9."""
EXIT_STATUS: Final = 7
"""QEMU's exit status when the payload writes 3 to a debug-exit device: (3 << 1) | 1."""

_ROM_BYTES: Final = 64 * 1024
_ROM_START: Final = 0xFF00
_RESET_VECTOR: Final = 0xFFF0
_ELF_BASE: Final = 0x100000
# xen/include/public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY, the address of a 32-bit entry point.
_PHYS32_ENTRY: Final = 18


def ensure_rom(*, exits: bool) -> Path:
    """The payload as a firmware image in the cache; ``exits`` as for ``program``."""
    return _ensure("rom", rom(exits=exits))


def ensure_elf(*, exits: bool) -> Path:
    """The payload as a kernel in the cache; ``exits`` as for ``program``."""
    return _ensure("elf", elf(exits=exits))


def _ensure(suffix: str, content: bytes) -> Path:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return cache.ensure("payload", f"{cache.content_key(content)}.{suffix}", make)


def program(*, bits: int, exits: bool) -> bytes:
    """The position-independent machine code.

    Args:
        bits: 16 for the CPU's mode after a reset, 32 for the mode in which PVH starts a kernel.
        exits: True ends the machine. False halts it for good, without using the CPU: interrupts are off after a reset.
    """
    say = bytes.fromhex("b052e6e9")  # mov al, 'R'; out 0xe9, al: the debug console
    halt = bytes.fromhex("f4ebfd")  # hlt; jmp to it
    if not exits:
        return say + halt
    # `mov dx, imm` has an immediate of the mode's width. The other instructions are the same in both modes.
    reset_port = bytes.fromhex("baf90c" if bits == 16 else "baf90c0000")
    return b"".join(
        (
            say,
            bytes.fromhex("b003e6f4"),  # mov al, 3; out 0xf4, al: isa-debug-exit, where the machine has it
            reset_port,  # mov dx, 0xcf9
            bytes.fromhex("b006ee"),  # mov al, 6; out dx, al: a reset, which ends QEMU when it runs with -no-reboot
            bytes.fromhex("b0fee664"),  # mov al, 0xfe; out 0x64, al: the same for machines without 0xcf9
            halt,
        )
    )


def rom(*, exits: bool) -> bytes:
    """The firmware image: 64 KiB that end at 4 GiB. The CPU starts 16 bytes before the end."""
    image = bytearray(b"\xff" * _ROM_BYTES)
    code = program(bits=16, exits=exits)
    image[_ROM_START : _ROM_START + len(code)] = code
    distance = (_ROM_START - (_RESET_VECTOR + 3)) & 0xFFFF
    image[_RESET_VECTOR : _RESET_VECTOR + 3] = b"\xe9" + struct.pack("<H", distance)
    return bytes(image)


def elf(*, exits: bool) -> bytes:
    """The kernel: a 32-bit ELF with one loaded segment and the note with its PVH entry point."""
    code = program(bits=32, exits=exits)
    headers = 52 + 2 * 32
    note_bytes = 12 + 4 + 4
    entry = _ELF_BASE + headers + note_bytes
    total = headers + note_bytes + len(code)
    note = struct.pack("<III", 4, 4, _PHYS32_ENTRY) + b"Xen\0" + struct.pack("<I", entry)
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    # Executable, x86, version 1, entry, program headers after this one, no sections.
    header = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 2, 0, 0, 0)
    load = struct.pack("<IIIIIIII", 1, 0, _ELF_BASE, _ELF_BASE, total, total, 7, 0x1000)
    at = _ELF_BASE + headers
    noted = struct.pack("<IIIIIIII", 4, headers, at, at, note_bytes, note_bytes, 4, 4)
    return header + load + noted + note + code
