"""The host's disk counters: bytes read and written, flushes, and the bytes that processes wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.host.read import HOST_ROOT, parse_keyed, read_text
from bench.records.component import Component
from bench.util.units import decode_number

# Columns of /proc/diskstats after the name. Its sectors have 512 bytes, whatever the disk's own size is.
_READ, _WRITTEN, _FLUSHES = 2, 6, 15
_SECTOR_BYTES: Final = 512


def host_disks(*, root: Path = HOST_ROOT) -> dict[str, int]:
    """``read`` and ``written`` bytes, and ``flushes``, of all disks of the host since boot; empty without disks.

    Only disks with a device are counted. I/O through loop, RAID or encryption devices is counted at the disk that it
    reaches. ``flushes`` is absent on kernels before 5.5, which do not count them.
    """
    found: dict[str, int] = {}
    for line in (read_text(root, "proc/diskstats") or "").splitlines():
        columns = line.split()
        if len(columns) < 14 or not (root / "sys/block" / columns[2] / "device").exists():
            continue
        numbers = [decode_number(text) for text in columns[3:]]
        for name, column, scale in (
            ("read", _READ, _SECTOR_BYTES),
            ("written", _WRITTEN, _SECTOR_BYTES),
            ("flushes", _FLUSHES, 1),
        ):
            number = numbers[column] if column < len(numbers) else None
            if number is not None:
                found[name] = found.get(name, 0) + number * scale
    return found


def disks_are_cached(*, root: Path = HOST_ROOT) -> bool | None:
    """Whether a disk of the host has a volatile write cache; None when no disk reports it.

    Without such a cache there is nothing to flush, and the kernel sends no flush.
    """
    caches = [read_text(device.parent, "queue/write_cache") for device in (root / "sys/block").glob("*/device")]
    known = [text.strip() for text in caches if text is not None]
    return any(text == "write back" for text in known) if known else None


def own_pids(processes: Mapping[str, Sequence[int]]) -> list[int]:
    """The pids of a box's processes, without those that serve it: their I/O is not the box's."""
    beside = (Component.SHIM, Component.MONITOR)
    return [pid for component, pids in processes.items() if component not in beside for pid in pids]


def read_by(pids: Iterable[int], *, root: Path = HOST_ROOT) -> int | None:
    """Bytes that the host's disks read for processes, and for children that they waited for; None as ``written_by``."""
    found = _counters_of(pids, root)
    return sum(one["read_bytes"] for one in found) if found else None


def written_by(pids: Iterable[int], *, root: Path = HOST_ROOT) -> int | None:
    """Bytes that processes, and children that they waited for, wrote to files; None when one cannot be read.

    The kernel counts a page when it becomes dirty, so data that is still in memory is included. A process that has
    ended is in the counters of its parent.
    """
    found = _counters_of(pids, root)
    if not found:
        return None
    return max(0, sum(one["write_bytes"] - one.get("cancelled_write_bytes", 0) for one in found))


def stored_by(pids: Iterable[int], *, root: Path = HOST_ROOT) -> int | None:
    """As ``written_by``, with what was removed again before it had reached the disk, such as a download."""
    found = _counters_of(pids, root)
    return sum(one["write_bytes"] for one in found) if found else None


def _counters_of(pids: Iterable[int], root: Path) -> list[dict[str, int]]:
    """/proc/PID/io of those that have not ended; empty when one of them cannot be read."""
    found = []
    for pid in pids:
        counters = parse_keyed((read_text(root, f"proc/{pid}/io") or "").replace(":", ""))
        if {"read_bytes", "write_bytes"} <= set(counters):
            found.append(counters)
        elif (root / f"proc/{pid}").exists():
            return []
    return found
