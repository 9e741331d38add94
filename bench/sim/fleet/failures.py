"""When hosts fail and come back, as a table that the step loop follows."""

from __future__ import annotations

import csv
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.rng import logs, uniforms
from bench.sim.fleet.spec import Failures
from bench.util.errors import UsageError
from bench.util.units import format_ns

Integers = NDArray[np.int64]

HEAD: Final = ("at_s", "host", "event")
_EVENTS: Final = {"down": False, "up": True}
_PURPOSE: Final = 0x4603
"""Numbers of a host are by turns the time until it fails and the time until it is back."""
_MOST_CHANGES: Final = 20_000_000
"""Failures and returns of a run: more do not fit into memory beside it."""
_LONGEST_NS: Final = 2**58
"""Of one span: sums of spans stay in 64 bits."""
_MOST_BYTES: Final = 64 * 2**20
"""Of a file of failures."""
_AT: Final = re.compile(r"\d{1,9}(?:\.\d{1,12})?", re.ASCII)
_HOST: Final = re.compile(r"\d{1,9}", re.ASCII)


def host_changes(failures: Failures | None, *, hosts: int, length_ns: int, seed: int, together: int = 1) -> Integers:
    """(changes, 3) Time in ns, host, and 1 when it is up from then on, in order of time and host.

    Failures begin before ``length_ns``; each host that fails comes back, also after it.

    Args:
        together: so many hosts, one after another, are VMs on one real host: failures are of real hosts.

    Raises:
        UsageError: more failures than fit into memory.
    """
    if failures is None:
        return np.zeros((0, 3), dtype=np.int64)
    rows = [(at, host, int(up)) for at, host, up in failures.stated]
    if failures.mtbf_ns > 0:
        _check_count(failures, hosts, length_ns)
        for host in range(hosts // together):
            rows += _turns(failures, host, length_ns, seed)
    rows = [(at, host * together + vm, up) for at, host, up in rows for vm in range(together)]
    rows.sort()
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _check_count(failures: Failures, hosts: int, length_ns: int) -> None:
    expected = 2 * hosts * length_ns // (failures.mtbf_ns + failures.mttr_ns)
    if expected > _MOST_CHANGES:
        raise UsageError(
            f"failures: {hosts} hosts with mtbf {format_ns(failures.mtbf_ns)} and mttr {format_ns(failures.mttr_ns)} "
            f"fail and come back some {expected} times within the trace; at most {_MOST_CHANGES} fit",
            hint="write a longer mtbf, or ask about a shorter trace or fewer hosts",
        )


def _turns(failures: Failures, host: int, length_ns: int, seed: int) -> list[tuple[int, int, int]]:
    pairs = 4
    while True:
        drawn = uniforms(seed, _PURPOSE, host, np.arange(2 * pairs, dtype=np.int64))
        means = np.tile([float(failures.mtbf_ns), float(failures.mttr_ns)], pairs)
        spans = np.clip(np.floor(-logs(drawn) * means), 1, _LONGEST_NS)
        times = np.cumsum(spans.astype(np.int64))
        if times[-2] >= length_ns:
            break
        pairs *= 2
    down = times[0::2] < length_ns
    return [
        row
        for fails, back in zip(times[0::2][down].tolist(), times[1::2][down].tolist(), strict=True)
        for row in ((fails, host, 0), (back, host, 1))
    ]


def down_share(failures: Failures) -> float:
    """The share of time for which a host is down in the long run; 0 for stated failures."""
    return failures.mttr_ns / (failures.mtbf_ns + failures.mttr_ns) if failures.mtbf_ns > 0 else 0.0


def read_failures(file: Path, *, hosts: int) -> tuple[tuple[int, int, bool], ...]:
    """Stated failures from a CSV file with the header ``at_s,host,event``; events are ``down`` and ``up``.

    Raises UsageError that names the line: no such form, not in order of time, or a host that is down goes down again.
    """
    lines = _lines(file)
    if not lines or tuple(lines[0]) != HEAD:
        found = ",".join(lines[0])[:80] if lines else "nothing"
        raise UsageError(f"{file}:1: the header is {found!r}", hint=f"write {','.join(HEAD)}")
    return tuple(_checked(file, lines[1:], hosts))


def _lines(file: Path) -> list[list[str]]:
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{file}: not a regular file", hint="name a CSV file with failures of hosts")
        if status.st_size > _MOST_BYTES:
            raise UsageError(
                f"{file}: {status.st_size} bytes are more than {_MOST_BYTES}", hint="write mtbf and mttr instead"
            )
        with file.open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="name a CSV file with failures of hosts") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8 text", hint="save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{file}: not a CSV file ({error})", hint="write one event a line") from None


def _checked(file: Path, lines: Sequence[list[str]], hosts: int) -> Iterator[tuple[int, int, bool]]:
    """The events; each host is up at first, and goes down and up by turns."""
    down: dict[int, int] = {}
    before = 0
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        at, host, up = _row(file, number, line, hosts)
        if at < before:
            raise UsageError(f"{file}:{number}: earlier than the line above it", hint="sort the lines by time")
        if up != (host in down):
            since = f" since line {down[host]}" if host in down else ""
            state = "down" if host in down else "up"
            raise UsageError(
                f"{file}:{number}: host {host} is {state} already{since}",
                hint="write down and up by turns for each host; all hosts are up at first",
            )
        if up:
            del down[host]
        else:
            down[host] = number
        before = at
        yield at, host, up


def _row(file: Path, number: int, line: Sequence[str], hosts: int) -> tuple[int, int, bool]:
    right = len(line) == len(HEAD) and _AT.fullmatch(line[0]) and _HOST.fullmatch(line[1]) and line[2] in _EVENTS
    if not right or int(line[1]) >= hosts:
        raise UsageError(
            f"{file}:{number}: {','.join(line)[:80]!r} is not a time in s, a host from 0 to {hosts - 1}, and down "
            "or up",
            hint="write for example 3600,12,down",
        )
    return round(float(line[0]) * 1e9), int(line[1]), _EVENTS[line[2]]
