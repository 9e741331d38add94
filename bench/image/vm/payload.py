"""A guest without an OS: a few dozen bytes that say one byte on the debug console, and then halt or end the machine.

Two forms of the same program. As a ROM it stands in place of the firmware: the CPU's first instruction is ours, and
nothing is measured but the hypervisor. As a PVH ELF it is loaded by QEMU like a kernel, and firmware runs before it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from bench.util import cache

WORD: Final = b"R"
"""What the payload says, on port 0xE9."""
EXIT_STATUS: Final = 7
"""QEMU's exit status when a debug-exit device takes the payload's word: (3 << 1) | 1."""

_ROM_BYTES: Final = 64 * 1024
_ROM_START: Final = 0xFF00
_RESET_VECTOR: Final = 0xFFF0
_ELF_BASE: Final = 0x100000
# xen/include/public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY, the address of a 32-bit entry point.
_PHYS32_ENTRY: Final = 18


def ensure_rom(*, exits: bool) -> Path:
    """The payload as a firmware image, cached by content."""
    return _ensure("rom", rom(exits=exits))


def ensure_elf(*, exits: bool) -> Path:
    """The payload as a kernel, cached by content."""
    return _ensure("elf", elf(exits=exits))


def _ensure(suffix: str, content: bytes) -> Path:
    def make(path: Path) -> None:
        path.write_bytes(content)

    return cache.ensure("payload", f"{cache.content_key(content)}.{suffix}", make)


def program(*, bits: int, exits: bool) -> bytes:
    """The machine code, position independent.

    Args:
        bits: 16 for the state after reset, 32 for what PVH enters.
        exits: end the machine; else halt for good, interrupts being off after a reset, without using the CPU.
    """
    say = bytes.fromhex("b052e6e9")  # mov al, 'R'; out 0xe9, al: the debug console
    halt = bytes.fromhex("f4ebfd")  # hlt; jmp to it
    if not exits:
        return say + halt
    # `mov dx, imm` takes an immediate of the mode's width; the other instructions are the same in both.
    reset_port = bytes.fromhex("baf90c" if bits == 16 else "baf90c0000")
    return b"".join(
        (
            say,
            bytes.fromhex("b003e6f4"),  # mov al, 3; out 0xf4, al: isa-debug-exit, where the machine has one
            reset_port,  # mov dx, 0xcf9
            bytes.fromhex("b006ee"),  # mov al, 6; out dx, al: reset, which ends a machine that must not reboot
            bytes.fromhex("b0fee664"),  # mov al, 0xfe; out 0x64, al: the same for machines without 0xcf9
            halt,
        )
    )


def rom(*, exits: bool) -> bytes:
    """64 KiB that end at 4 GiB; the CPU starts 16 bytes before the end."""
    image = bytearray(b"\xff" * _ROM_BYTES)
    code = program(bits=16, exits=exits)
    image[_ROM_START : _ROM_START + len(code)] = code
    distance = (_ROM_START - (_RESET_VECTOR + 3)) & 0xFFFF
    image[_RESET_VECTOR : _RESET_VECTOR + 3] = b"\xe9" + struct.pack("<H", distance)
    return bytes(image)


def elf(*, exits: bool) -> bytes:
    """A 32-bit ELF of one loaded segment and the note that names its PVH entry point."""
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
