"""Metrics that follow from several numbers of one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bench.records.record import Record

TOTALS: Final = ("total", "harness", "host_other", "host_busy")
"""Components that are a sum, or nothing of the box's."""
_MINUTE_NS: Final = 60 * 10**9
_ENOUGH_BYTES: Final = 2**20
"""Of less what the rest of the host writes meanwhile would be most."""


def cpu_used(used_ns: Mapping[str, int]) -> dict[str, int]:
    """CPU time with what follows from it: idle time per minute, a VMM beyond its guest, the rest of the host."""
    found = {key: value for key, value in used_ns.items() if not key.startswith("idle.")}
    window = used_ns.get("idle.window")
    if window:
        idle = {key: value for key, value in used_ns.items() if key.startswith("idle.") and key != "idle.window"}
        found |= {key: round(value * _MINUTE_NS / window) for key, value in idle.items()}
    for when in ("start", "stop", "idle", "lifetime"):
        whole, box, ours = (found.get(f"{when}.{name}") for name in ("host_busy", "total", "harness"))
        if whole is not None and box is not None and ours is not None:
            found[f"{when}.host_other"] = whole - box - ours
        vmm, guest = found.get(f"{when}.vmm"), found.get(f"{when}.guest")
        if vmm is not None and guest is not None:
            found[f"{when}.vmm_overhead"] = vmm - guest
    return found


def disk_used(record: Record) -> dict[str, float]:
    """What follows from the bytes: those of the host's disks per byte of the guest's; and how long one sync takes."""
    found: dict[str, float] = {}
    sizes = record.disk_bytes
    wrote = sizes.get("guest.written", sizes.get("box.written"))
    if wrote is not None and wrote >= _ENOUGH_BYTES and "host.written" in sizes:
        found["disk.write_amplification"] = sizes["host.written"] / wrote
    if record.flush is not None and record.flush.asked:
        found["disk.flush.sync_ns"] = record.flush.took_ns / record.flush.asked
    return found


def samples_of(record: Record) -> dict[str, float]:
    """Peak and mean of what was sampled of a ready box's memory."""
    if record.samples is None:
        return {}
    sizes = record.samples.memory_bytes
    return {"memory.samples.peak_bytes": max(sizes), "memory.samples.mean_bytes": sum(sizes) / len(sizes)}


def in_stack(names: Sequence[str]) -> tuple[str, ...]:
    """Of the components of one kind of CPU time those that add up to its total: threads in place of their VMM."""
    threads = any(name.startswith("threads.") for name in names)
    beside = {*TOTALS, "guest", "vmm_overhead", "workload", "vmm" * threads}
    return tuple(name for name in names if name not in beside)
