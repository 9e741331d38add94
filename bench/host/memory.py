"""The memory of the whole host by use, from the kernel's counters. The ledger is made of these readings.

``MemTotal = free + anon + cache + shmem + slab + page tables + kernel stacks + per-CPU + vmalloc + the rest``, where no
counter names the rest. The growth of ``used`` over a trial is therefore the sum of these parts and a remainder.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.host.read import HOST_ROOT, parse_sizes, read_text
from bench.util.clock import Clock

PARTS: Final = (
    "anon",
    "cache",
    "shmem",
    "slab_reclaimable",
    "slab_unreclaimable",
    "page_tables",
    "kernel_stacks",
    "percpu",
    "vmalloc",
)
"""Parts of ``used``, which do not overlap."""

# Readings of an idle host vary by about this much. A box uses a hundred times as much.
SETTLED_BYTES: Final = 256 * 2**10
SETTLE_WINDOW_NS: Final = 10**9
SETTLE_EVERY_NS: Final = 10**8
SETTLE_LIMIT_NS: Final = 15 * 10**9

_LISTED: Final = re.compile(r"^\s+count:\s+(\d+)$", re.MULTILINE)


def read_memory(root: Path = HOST_ROOT) -> dict[str, int]:
    """One reading, in bytes: ``used``, ``available`` and PARTS. Values that the kernel does not report are absent.

    ``used`` is all memory that is not free. Free pages on the lists of single CPUs count as free, although MemFree
    does not include them. ``available`` is the kernel's estimate of what a new program could get without swapping.
    """
    # CPUs keep counts to themselves for up to a second, together some hundred KiB. Reading this file collects them.
    with suppress(OSError):
        (root / "proc/sys/vm/stat_refresh").read_bytes()
    sizes = parse_sizes(read_text(root, "proc/meminfo") or "")
    pages = [int(count) for count in _LISTED.findall(read_text(root, "proc/zoneinfo") or "")]
    return parse_memory(sizes, listed_bytes=sum(pages) * os.sysconf("SC_PAGE_SIZE"))


def parse_memory(sizes: dict[str, int], *, listed_bytes: int) -> dict[str, int]:
    """A reading from its sources.

    Args:
        sizes: the values of /proc/meminfo, in bytes.
        listed_bytes: the free pages on the lists of single CPUs.
    """
    wanted = {
        "used": (("MemTotal",), ("MemFree",)),
        "available": (("MemAvailable",), ()),
        "anon": (("AnonPages",), ()),
        # Cached includes shared memory (tmpfs, memfd), which is not a cache of files on a disk.
        "cache": (("Cached", "Buffers"), ("Shmem",)),
        "shmem": (("Shmem",), ()),
        "slab_reclaimable": (("SReclaimable",), ()),
        "slab_unreclaimable": (("SUnreclaim",), ()),
        # SecPageTables, KVM's tables of its guests, are added below. Kernels before 6.0 do not count them.
        "page_tables": (("PageTables",), ()),
        "kernel_stacks": (("KernelStack",), ()),
        "percpu": (("Percpu",), ()),
        # Both counters include kernel stacks, which vmalloc allocates.
        "vmalloc": (("VmallocUsed",), ("KernelStack",)),
    }
    found = {
        name: sum(sizes[key] for key in plus) - sum(sizes[key] for key in minus)
        for name, (plus, minus) in wanted.items()
        if all(key in sizes for key in (*plus, *minus))
    }
    if "page_tables" in found:
        found["page_tables"] += sizes.get("SecPageTables", 0)
    if "used" in found:
        found["used"] -= listed_bytes
    return found


def settled_memory(clock: Clock, *, rest_ns: int, root: Path = HOST_ROOT) -> tuple[dict[str, int], int]:
    """Wait until the host's memory has settled, and read it.

    After a rest of ``rest_ns``, memory is read every 100 ms until the readings of one second lie within 256 KiB
    (SETTLED_BYTES) of each other, for at most 15 s.

    Returns:
        The last reading, and by how many bytes ``used`` moved in the last second. More than SETTLED_BYTES means that
        the host did not settle; the caller marks the record.
    """
    clock.sleep(rest_ns / 1e9)
    begin_ns = clock.now_ns()
    seen: list[int] = []
    while True:
        reading = read_memory(root)
        seen.append(reading.get("used", 0))
        window = seen[-(SETTLE_WINDOW_NS // SETTLE_EVERY_NS) :]
        moved = max(window) - min(window)
        full = len(window) * SETTLE_EVERY_NS >= SETTLE_WINDOW_NS
        if (full and moved <= SETTLED_BYTES) or clock.now_ns() - begin_ns >= SETTLE_LIMIT_NS:
            return reading, moved
        clock.sleep(SETTLE_EVERY_NS / 1e9)
