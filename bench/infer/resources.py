"""How much memory, disk and CPU a box gets when the user does not say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.infer.reason import Reason
from bench.scenario.factors import format_level
from bench.util.units import format_bytes

MIB: Final = 2**20
GIB: Final = 2**30
LEAST_MEMORY: Final = 256 * MIB
"""A guest kernel and its page tables take some 50 MiB of a VM's memory. A server of a few MiB runs in the rest."""
LEAST_DISK: Final = 2 * GIB
_LARGE_IMAGE: Final = ((2 * GIB, GIB), (512 * MIB, 512 * MIB))
"""Unpacked size of an image, and the least memory of its boxes. What starts from a large image reads much of it."""


@dataclass(frozen=True)
class Sizes:
    """Resources of a box, and why each was chosen."""

    cpus: int
    memory: int
    """Bytes."""
    disk: int
    """Bytes."""
    why: dict[str, Reason]
    """By the key of ``resources``."""


def infer_sizes(size_bytes: int, *, anon_bytes: int | None, host_bytes: int) -> Sizes:
    """Choose resources from the image and, where it was tried, from its memory.

    Args:
        size_bytes: of the image, unpacked.
        anon_bytes: anonymous memory of its processes when it was tried; None when unknown.
        host_bytes: memory of this host. A box gets at most half of it.
    """
    memory, why = _memory(size_bytes, anon_bytes, host_bytes)
    disk = max(LEAST_DISK, -(-(size_bytes + size_bytes // 2 + GIB) // GIB) * GIB)
    image = f"the image has {format_bytes(size_bytes)}" if size_bytes else "the size of the image is unknown"
    return Sizes(
        cpus=1,
        memory=memory,
        disk=disk,
        why={
            "cpus": Reason("1 CPU per box", "--cpus N"),
            "memory": Reason(f"{format_level(memory)} of memory per box: {why}", "--memory SIZE"),
            "disk": Reason(f"{format_level(disk)} of disk per box: {image}; free space costs nothing", "--disk SIZE"),
        },
    )


def _memory(size_bytes: int, anon_bytes: int | None, host_bytes: int) -> tuple[int, str]:
    """Bytes of memory, and why."""
    wanted, why = LEAST_MEMORY, "a VM needs some for its kernel"
    for size, memory in _LARGE_IMAGE:
        if size_bytes >= size:
            wanted, why = memory, f"the image has {format_bytes(size_bytes)}"
            break
    # Twice what it used, so that load and the guest's kernel have room.
    if anon_bytes is not None and (used := _power_of_two(2 * anon_bytes + 64 * MIB)) > wanted:
        wanted, why = used, f"it used {format_bytes(anon_bytes)} when it was tried"
    most = max(LEAST_MEMORY // 2, host_bytes // 2 // MIB * MIB)
    if host_bytes and wanted > most:
        return most, f"half of this host's; {format_level(wanted)} were better, because {why}"
    return wanted, why


def _power_of_two(size_bytes: int) -> int:
    power = LEAST_MEMORY
    while power < size_bytes:
        power *= 2
    return power
