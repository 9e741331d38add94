"""The guest without an operating system, read as the CPU and QEMU read it."""

from __future__ import annotations

import struct

import pytest

from bench.image.vm import payload

SAY = bytes([0xB0, ord("R"), 0xE6, 0xE9])


@pytest.mark.parametrize("bits", [16, 32])
def test_the_program_writes_its_byte_first(bits: int) -> None:
    for exits in (True, False):
        code = payload.program(bits=bits, exits=exits)
        assert code.startswith(SAY)
        assert code.endswith(bytes([0xF4, 0xEB, 0xFD])), "halt, and a jump back to the halt"


def test_a_halting_program_writes_to_no_port_but_the_console() -> None:
    assert payload.program(bits=16, exits=False) == SAY + bytes([0xF4, 0xEB, 0xFD])


def test_the_exit_status_is_that_of_the_debug_exit_device() -> None:
    code = payload.program(bits=16, exits=True)
    word = code[code.index(bytes([0xE6, 0xF4])) - 1]
    assert (word << 1 | 1) == payload.EXIT_STATUS


def test_the_port_of_the_reset_is_a_word_in_both_modes() -> None:
    assert bytes([0xBA, 0xF9, 0x0C, 0xB0]) in payload.program(bits=16, exits=True)
    assert bytes([0xBA, 0xF9, 0x0C, 0x00, 0x00, 0xB0]) in payload.program(bits=32, exits=True)


def test_the_reset_vector_of_the_rom_jumps_to_the_program() -> None:
    rom = payload.rom(exits=True)
    assert len(rom) == 65536
    vector = len(rom) - 16
    opcode, distance = struct.unpack_from("<Bh", rom, vector)
    assert opcode == 0xE9
    assert rom[vector + 3 + distance :].startswith(payload.program(bits=16, exits=True))


def test_the_elf_has_its_load_address_and_entry_point() -> None:
    elf = payload.elf(exits=False)
    entry, table = struct.unpack_from("<II", elf, 24)
    kind, offset, virtual, physical, in_file, in_memory = struct.unpack_from("<IIIIII", elf, table)
    assert (kind, offset, in_file, in_memory) == (1, 0, len(elf), len(elf))
    assert virtual == physical
    assert elf[entry - physical :] == payload.program(bits=32, exits=False)


def test_the_elf_has_the_note_for_pvh() -> None:
    elf = payload.elf(exits=False)
    entry, table = struct.unpack_from("<II", elf, 24)
    kind, offset = struct.unpack_from("<II", elf, table + 32)
    assert kind == 4
    assert struct.unpack_from("<III4sI", elf, offset) == (4, 4, 18, b"Xen\0", entry)
