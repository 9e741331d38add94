"""What the whole host's memory is used for, from the kernel's own counters: the account that boxes are held against.

``MemTotal = free + anon + cache + shmem + slab + page tables + kernel stacks + per-CPU + vmalloc + what no counter
names``: so the growth of ``used`` over a trial can be split into parts, and what is left over is what nobody named.
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
"""Parts of ``used`` that do not overlap."""

# Two readings of a host at rest differ by what its own programs do; a box is a hundred times this.
SETTLED_BYTES: Final = 256 * 2**10
SETTLE_WINDOW_NS: Final = 10**9
SETTLE_EVERY_NS: Final = 10**8
SETTLE_LIMIT_NS: Final = 15 * 10**9

_LISTED: Final = re.compile(r"^\s+count:\s+(\d+)$", re.MULTILINE)


def read_memory(root: Path = HOST_ROOT) -> dict[str, int]:
    """One reading, bytes: ``used``, ``available``, and PARTS; what the kernel does not offer is absent.

    ``used`` is all that is not free; free pages that a CPU keeps on a list of its own are free too, and MemFree does
    not have them. ``available`` is the kernel's estimate of what a new program could have without swapping.
    """
    # Each CPU keeps back what it has counted, up to a second and some hundred KiB; reading this file collects it all.
    with suppress(OSError):
        (root / "proc/sys/vm/stat_refresh").read_bytes()
    sizes = parse_sizes(read_text(root, "proc/meminfo") or "")
    pages = [int(count) for count in _LISTED.findall(read_text(root, "proc/zoneinfo") or "")]
    return memory_account(sizes, listed_bytes=sum(pages) * os.sysconf("SC_PAGE_SIZE"))


def memory_account(sizes: dict[str, int], *, listed_bytes: int) -> dict[str, int]:
    """The reading from ``/proc/meminfo`` in bytes, and the free pages on the CPUs' own lists."""
    wanted = {
        "used": (("MemTotal",), ("MemFree",)),
        "available": (("MemAvailable",), ()),
        "anon": (("AnonPages",), ()),
        # Shared memory (tmpfs, memfd) is in the page cache too, and no file on a disk.
        "cache": (("Cached", "Buffers"), ("Shmem",)),
        "shmem": (("Shmem",), ()),
        "slab_reclaimable": (("SReclaimable",), ()),
        "slab_unreclaimable": (("SUnreclaim",), ()),
        # KVM's own tables of a guest are the second: absent on kernels before 6.0, which count them nowhere.
        "page_tables": (("PageTables",), ()),
        "kernel_stacks": (("KernelStack",), ()),
        "percpu": (("Percpu",), ()),
        # Kernel stacks are made by vmalloc; both counters have them.
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
    """A reading of a host at rest, and by how much ``used`` still moved, bytes.

    The rule: rest for ``rest_ns``; then read every 100 ms until the readings of one second lie within 256 KiB of
    each other, but not for longer than 15 s. The caller marks a reading that moved by more.
    """
    clock.sleep(rest_ns / 1e9)
    begin_ns = clock.now_ns()
    seen: list[int] = []
    while True:
        account = read_memory(root)
        seen.append(account.get("used", 0))
        window = seen[-(SETTLE_WINDOW_NS // SETTLE_EVERY_NS) :]
        moved = max(window) - min(window)
        full = len(window) * SETTLE_EVERY_NS >= SETTLE_WINDOW_NS
        if (full and moved <= SETTLED_BYTES) or clock.now_ns() - begin_ns >= SETTLE_LIMIT_NS:
            return account, moved
        clock.sleep(SETTLE_EVERY_NS / 1e9)
