"""A box's memory on the host: PSS and USS of its processes by component, and the counters of its control group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.host.cgroup import BoxCgroup
from bench.host.read import parse_sizes
from bench.records.component import Component

# A control group's counters lag behind by some pages per CPU.
_COUNTER_LAG_BYTES: Final = 2**20
MEMORY_TRIES: Final = 10
"""How often a box's processes are listed and read until none of them ends in between."""


def parse_smaps_rollup(text: str) -> dict[str, int]:
    """``pss`` and ``uss`` (private clean + dirty), bytes, from /proc/PID/smaps_rollup."""
    sizes = parse_sizes(text)
    found = {}
    if "Pss" in sizes:
        found["pss"] = sizes["Pss"]
    if "Private_Clean" in sizes and "Private_Dirty" in sizes:
        found["uss"] = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return found


def anon_bytes(pid: int, *, root: Path = Path("/proc")) -> int | None:
    """A process's anonymous memory, with shared pages divided among their holders; None when it cannot be read.

    Kernels before 5.14 do not report this. There, shared pages count in full.
    """
    sizes = parse_sizes(_text(root / str(pid) / "smaps_rollup"))
    return sizes.get("Pss_Anon", sizes.get("Anonymous"))


def memory_of(
    processes: Mapping[str, Sequence[int]], group: BoxCgroup | None, *, root: Path = Path("/proc")
) -> dict[str, int]:
    """``pss.<component>``, ``uss.<component>``, their ``total``, and ``cgroup.<part>``, bytes.

    If one process of a component cannot be read, the component and the total are absent.
    """
    found: dict[str, int] = {}
    processes = with_own_memory(processes)
    for component, pids in processes.items():
        sizes = [parse_smaps_rollup(_text(root / str(pid) / "smaps_rollup")) for pid in pids]
        for kind in ("pss", "uss"):
            if all(kind in size for size in sizes):
                found[f"{kind}.{component}"] = sum(size[kind] for size in sizes)
    for kind in ("pss", "uss"):
        parts = [found.get(f"{kind}.{component}") for component in processes]
        whole = [part for part in parts if part is not None]
        if parts and len(whole) == len(parts):
            found[f"{kind}.{Component.TOTAL}"] = sum(whole)
    if group is not None:
        counters = group.memory_bytes()
        found.update({f"cgroup.{part}": value for part, value in counters.items()})
        unmapped = unmapped_bytes(counters.get("shmem"), processes, root=root)
        if unmapped is not None and "pss.total" in found:
            found[f"pss.{Component.UNMAPPED}"] = unmapped
            found["pss.total"] += unmapped
    return found


def with_own_memory(processes: Mapping[str, Sequence[int]]) -> dict[str, Sequence[int]]:
    """A box's pids by component, without processes that share the memory of another one, whose memory it is."""
    return {component: pids for component, pids in processes.items() if component != Component.IO}


def resident_peak_bytes(pids: Sequence[int], *, root: Path = Path("/proc")) -> int | None:
    """The largest resident memory of processes so far, each at its own time; None when one cannot be read."""
    peaks = [parse_sizes(_text(root / str(pid) / "status")).get("VmHWM") for pid in pids]
    known = [peak for peak in peaks if peak is not None]
    return sum(known) if known and len(known) == len(peaks) else None


def unmapped_bytes(
    shmem: int | None, processes: Mapping[str, Sequence[int]], *, root: Path = Path("/proc")
) -> int | None:
    """Memory of tmpfs and memfd files that no process maps, so that no PSS includes it; None when there is none.

    gVisor keeps its box's memory in such a file. Files that a container writes to /dev/shm are others.

    Args:
        shmem: shared memory that the box's control group counts, bytes; None when it is unknown.
        processes: the box's pids by component.
    """
    pids = [pid for component in processes.values() for pid in component]
    mapped = [parse_sizes(_text(root / str(pid) / "smaps_rollup")).get("Pss_Shmem") for pid in pids]
    if shmem is None or not pids or None in mapped:
        return None
    rest = shmem - sum(size for size in mapped if size is not None)
    return rest if rest > _COUNTER_LAG_BYTES else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
