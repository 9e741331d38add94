"""When hosts fail and come back, as a table that the step loop follows."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.rng import logs, uniforms
from bench.sim.fleet.spec import Failures
from bench.util.errors import UsageError

Integers = NDArray[np.int64]

HEAD: Final = ("at_s", "host", "event")
_EVENTS: Final = {"down": False, "up": True}
_PURPOSE: Final = 0x4603
"""Numbers of a host are by turns the time until it fails and the time until it is back."""


def host_changes(failures: Failures | None, *, hosts: int, length_ns: int, seed: int) -> Integers:
    """(changes, 3) Time in ns, host, and 1 when it is up from then on, in order of time and host.

    Failures begin before ``length_ns``; each host that fails comes back, also after it.
    """
    if failures is None:
        return np.zeros((0, 3), dtype=np.int64)
    rows = [(at, host, int(up)) for at, host, up in failures.stated]
    if failures.mtbf_ns > 0:
        for host in range(hosts):
            rows += _turns(failures, host, length_ns, seed)
    rows.sort()
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _turns(failures: Failures, host: int, length_ns: int, seed: int) -> list[tuple[int, int, int]]:
    pairs = 4
    while True:
        drawn = uniforms(seed, _PURPOSE, host, np.arange(2 * pairs, dtype=np.int64))
        means = np.tile([float(failures.mtbf_ns), float(failures.mttr_ns)], pairs)
        times = np.cumsum(np.maximum(1, np.floor(-logs(drawn) * means).astype(np.int64)))
        if times[-2] >= length_ns:
            break
        pairs *= 2
    down = times[0::2] < length_ns
    return [
        row
        for fails, back in zip(times[0::2][down].tolist(), times[1::2][down].tolist(), strict=True)
        for row in ((fails, host, 0), (back, host, 1))
    ]


def read_failures(file: Path, *, hosts: int) -> tuple[tuple[int, int, bool], ...]:
    """Stated failures from a CSV file with the header ``at_s,host,event``; events are ``down`` and ``up``.

    Raises UsageError that names the line.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.reader(stream))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="name a CSV file with failures of hosts") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8 text", hint="save it as UTF-8") from None
    if not lines or tuple(lines[0]) != HEAD:
        found = ",".join(lines[0]) if lines else "nothing"
        raise UsageError(f"{file}:1: the header is {found!r}", hint=f"write {','.join(HEAD)}")
    rows = [_row(file, number, line, hosts) for number, line in enumerate(lines[1:], start=2) if line]
    for number, (before, after) in enumerate(pairwise(rows), start=3):
        if after[0] < before[0]:
            raise UsageError(f"{file}:{number}: earlier than the line above it", hint="sort the lines by time")
    return tuple(rows)


def _row(file: Path, number: int, line: list[str], hosts: int) -> tuple[int, int, bool]:
    try:
        at, host, event = float(line[0]), int(line[1]), _EVENTS[line[2]]
        if len(line) != len(HEAD) or not 0 <= at < 1e9 or not 0 <= host < hosts:
            raise ValueError
    except (ValueError, KeyError, IndexError):
        raise UsageError(
            f"{file}:{number}: {','.join(line)!r} is not a time in s, a host from 0 to {hosts - 1}, and down or up",
            hint="write for example 3600,12,down",
        ) from None
    return round(at * 1e9), host, event
