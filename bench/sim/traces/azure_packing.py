"""The Azure trace for packing of 2020: virtual machines with their times and their share of a host, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

import numpy as np

from bench.sim.traces.text import check_head
from bench.sim.traces.trace import MemoryTrace, Trace, TraceError

VM_HEAD: Final = ("vmId", "tenantId", "vmTypeId", "priority", "starttime", "endtime")
TYPE_HEAD: Final = ("id", "vmTypeId", "machineId", "core", "memory", "hdd", "ssd", "nic")
_DAY_NS: Final = 24 * 3600 * 10**9
MOST_DAYS: Final = 1200.0
"""The farthest time from the trace's beginning, in days, as in other traces: ns later leave 64 bits as sums."""
MOST_VMS: Final = 20_000_000

Early = Literal["leave-out", "at-start"]
"""What becomes of VMs that were alive when the trace began."""


def read_azure_packing(
    file: Path, *, host_memory_bytes: int, machine: int | None = None, early: Early = "leave-out"
) -> MemoryTrace:
    """The VMs of a file: one invocation per VM, one function per VM type, named by its ``vmTypeId``, ascending.

    Those of a type that the machine cannot run are left out, and counted. A type's memory is its share of the host's.

    Args:
        host_memory_bytes: of the host that the shares are taken of.
        machine: the ``machineId`` of that host; None: the one that can run most of the VMs, the smallest of several.
        early: VMs that started before time 0 are left out, or are there at time 0 with the rest of their time.

    Raises:
        TraceError: not SQLite, a missing table, wrong columns, a type that the machine does not have, an end before its
            start, NaN, a share outside (0, 1], no VM.
    """
    try:
        # Read-only, and never a journal beside the user's file.
        with closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro&immutable=1", uri=True)) as base:
            _check_table(file, base, "vm", VM_HEAD)
            _check_table(file, base, "vmType", TYPE_HEAD)
            shares, chosen = _shares(file, base, machine)
            _check_count(file, base)
            rows = base.execute("SELECT vmTypeId, starttime, endtime, vmId FROM vm ORDER BY starttime, vmId").fetchall()
    except sqlite3.Error as error:
        raise TraceError(f"{file}: not a SQLite file that can be read: {error}", hint="unpack it first") from None
    return _source(file, rows, shares, machine=chosen, host_memory_bytes=host_memory_bytes, early=early)


def _check_count(file: Path, base: sqlite3.Connection) -> None:
    (count,) = base.execute("SELECT COUNT(*) FROM vm").fetchone()
    if count > MOST_VMS:
        raise TraceError(f"{file}: {count} VMs, more than {MOST_VMS}", hint="leave some of them out")


def _check_table(file: Path, base: sqlite3.Connection, table: str, head: tuple[str, ...]) -> None:
    found = [row[1] for row in base.execute(f"SELECT * FROM pragma_table_info('{table}')")]
    if not found:
        raise TraceError(f"{file}: there is no table {table}", hint="name the trace for packing of 2020")
    check_head(Path(f"{file} ({table})"), found, head)


def _shares(file: Path, base: sqlite3.Connection, machine: int | None) -> tuple[dict[int, float], int]:
    """Shares of memory by VM type on one machine, and that machine. Raises TraceError."""
    machines = [row[0] for row in base.execute("SELECT DISTINCT machineId FROM vmType ORDER BY machineId")]
    if not machines:
        raise TraceError(f"{file}: the table vmType is empty", hint="name the trace for packing of 2020")
    _check_numbers(file, machines)
    chosen = _most_vms(base, machines) if machine is None else machine
    if chosen not in machines:
        raise TraceError(
            f"{file}: there is no machineId {chosen}", hint=f"name one of {', '.join(map(str, machines[:20]))}"
        )
    shares = dict(base.execute("SELECT vmTypeId, memory FROM vmType WHERE machineId = ?", (chosen,)))
    _check_numbers(file, shares)
    for kind, share in shares.items():
        if not isinstance(share, float | int) or not 0 < share <= 1:
            raise TraceError(
                f"{file}: type {kind} takes {share} of the memory of machine {chosen}", hint="correct the table vmType"
            )
    return shares, chosen


def _check_numbers(file: Path, found: Iterable[object]) -> None:
    for value in found:
        if not isinstance(value, int):
            raise TraceError(
                f"{file}: vmType has the vmTypeId or machineId {value!r:.60}, not a whole number",
                hint="correct the table vmType",
            )


def _most_vms(base: sqlite3.Connection, machines: list[int]) -> int:
    """The machine that can run most of the VMs; the first of several."""
    runs = dict(
        base.execute(
            "SELECT machineId, SUM(vms) FROM (SELECT DISTINCT machineId, vmTypeId FROM vmType) "
            "JOIN (SELECT vmTypeId, COUNT(*) AS vms FROM vm GROUP BY vmTypeId) USING (vmTypeId) GROUP BY machineId"
        )
    )
    return max(machines, key=lambda one: (runs.get(one, 0), -one))


Row = tuple[int, float | None, float | None, int]
"""Type, start, end, VM."""


def _source(
    file: Path, rows: list[Row], shares: dict[int, float], *, machine: int, host_memory_bytes: int, early: Early
) -> MemoryTrace:
    for _, start, end, vm in rows:
        if not isinstance(start, float | int) or not (end is None or isinstance(end, float | int)):
            raise TraceError(f"{file}: VM {vm} runs from {start} to {end}", hint="correct the table vm")
        if end is not None and end < start:
            raise TraceError(f"{file}: VM {vm} ends at {end}, before its start at {start}", hint="correct the table vm")
        if max(start, end or 0.0) > MOST_DAYS:
            raise TraceError(
                f"{file}: VM {vm} runs from {start} to {end}, and no trace has more than {MOST_DAYS:g} days",
                hint="correct the table vm; its times are days from the beginning of the trace",
            )
    last = max((float(time) for row in rows for time in row[1:3] if time is not None), default=0.0)
    runnable = [row for row in rows if row[0] in shares]
    if rows and not runnable:
        raise TraceError(
            f"{file}: machine {machine} can run none of the {len(rows)} VMs", hint="correct the types of the table vm"
        )
    kept = [row for row in runnable if _is_kept(row, early)]
    if not kept:
        raise TraceError(f"{file}: no VM starts within the trace", hint="name a trace with VMs that start after time 0")
    names = sorted(shares)
    place = {kind: number for number, kind in enumerate(names)}
    begins = np.array([max(0.0, float(row[1] or 0.0)) for row in kept])
    ends = np.array([last if row[2] is None else float(row[2]) for row in kept])
    at_ns = np.rint(begins * _DAY_NS).astype(np.int64)
    memory = np.array([round(shares[kind] * host_memory_bytes) for kind in names], dtype=np.int64)
    return MemoryTrace(
        trace=Trace(
            at_ns=at_ns,
            function=np.array([place[row[0]] for row in kept], dtype=np.int64),
            duration_ns=np.rint(ends * _DAY_NS).astype(np.int64) - at_ns,
            names=tuple(map(str, names)),
            memory_bytes=memory,
        ),
        length_ns=int(np.rint(last * _DAY_NS)) + 1,
        rules=tuple(_rules(runnable, kept, early, machine, foreign=len(rows) - len(runnable))),
    )


def _is_kept(row: Row, early: Early) -> bool:
    start, end = row[1], row[2]
    assert start is not None
    return start >= 0 or (early == "at-start" and (end is None or end > 0))


def _rules(rows: list[Row], kept: list[Row], early: Early, machine: int, *, foreign: int) -> Iterator[str]:
    yield f"VMs take the memory that machine {machine} gives their type; cores, disks and network are not used."
    if foreign:
        yield f"{foreign} of {len(rows) + foreign} VMs are left out: machine {machine} cannot run their types."
    before = sum((row[1] or 0.0) < 0 for row in rows)
    if before and early == "leave-out":
        yield f"{before} of {len(rows)} VMs are left out: they started before the trace, so the fleet begins empty."
    elif before:
        gone = len(rows) - len(kept)
        yield f"{before - gone} VMs that started before the trace start at its beginning; {gone} ended before it."
    alive = sum(row[2] is None for row in kept)
    if alive:
        yield f"{alive} VMs were alive when the trace ended: they run until its end."
