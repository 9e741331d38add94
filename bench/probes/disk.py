"""Bytes on the host's disk, bytes that were written to get them there, and flushes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from bench.host.read import HOST_ROOT, parse_keyed, read_text

# Columns of /proc/diskstats behind the name; sectors are of 512 bytes whatever the disk's own are.
_READ, _WRITTEN, _FLUSHES = 2, 6, 15
_SECTOR_BYTES: Final = 512


def host_disks(*, root: Path = HOST_ROOT) -> dict[str, int]:
    """``read`` and ``written`` bytes and ``flushes`` of all disks of the host since boot; empty where it has none.

    Disks with a device behind them only: what goes through loop, RAID or encryption is counted where it arrives.
    ``flushes`` is absent on kernels that do not count them (before 5.5).
    """
    found: dict[str, int] = {}
    for line in (read_text(root, "proc/diskstats") or "").splitlines():
        words = line.split()
        if len(words) < 14 or not (root / "sys/block" / words[2] / "device").exists():
            continue
        numbers = [int(word) for word in words[3:]]
        for name, column, scale in (
            ("read", _READ, _SECTOR_BYTES),
            ("written", _WRITTEN, _SECTOR_BYTES),
            ("flushes", _FLUSHES, 1),
        ):
            if column < len(numbers):
                found[name] = found.get(name, 0) + numbers[column] * scale
    return found


def disks_are_cached(*, root: Path = HOST_ROOT) -> bool | None:
    """Whether a disk of the host has a cache that loses its content without power; None when none tells.

    Without one there is nothing to flush, and the kernel sends no flush.
    """
    told = [read_text(device.parent, "queue/write_cache") for device in (root / "sys/block").glob("*/device")]
    known = [text.strip() for text in told if text is not None]
    return any(text == "write back" for text in known) if known else None


def written_by(pids: Iterable[int], *, root: Path = HOST_ROOT) -> int | None:
    """Bytes that processes, and children that they waited for, caused to be sent to a disk; None when one cannot tell.

    Counted when a page of a file becomes dirty, so what is still in memory is in it.
    """
    total = 0
    for pid in pids:
        found = parse_keyed((read_text(root, f"proc/{pid}/io") or "").replace(":", ""))
        if "write_bytes" not in found:
            return None
        total += found["write_bytes"] - found.get("cancelled_write_bytes", 0)
    return max(0, total)
