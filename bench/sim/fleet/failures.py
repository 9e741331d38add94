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
_MOST_CHANGES: Final = 5_000_000
"""Failures and returns of a run: more do not fit into memory beside it."""
_BLOCK: Final = 2**14
"""Hosts whose failures are drawn together."""
_LONGEST_NS: Final = 2**58
"""Of one span: sums of spans stay in 64 bits."""
_MOST_BYTES: Final = 32 * 2**20
"""Of a file of failures."""
_AT: Final = re.compile(r"\d{1,9}(?:\.\d{1,12})?", re.ASCII)
_HOST: Final = re.compile(r"\d{1,9}", re.ASCII)


def host_changes(failures: Failures | None, *, hosts: int, length_ns: int, seed: int, together: int = 1) -> Integers:
    """(changes, 3) Time in ns, host, and 1 when it is up from then on, in order of time.

    At one time, those of a host are in the order of their file. Failures begin before ``length_ns``; each host that
    fails comes back, also after it.

    Args:
        together: so many hosts, one after another, are VMs on one real host: failures are of real hosts.

    Raises:
        UsageError: more failures than fit into memory.
    """
    if failures is None:
        return np.zeros((0, 3), dtype=np.int64)
    real = hosts // together
    _check_count(failures, hosts, length_ns, together)
    parts = [failures.stated_rows]
    if failures.mtbf_ns > 0:
        parts += [_turns(failures, block, length_ns, seed) for block in _blocks(real)]
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    if together == 1:
        return rows
    found = np.repeat(rows, together, axis=0)
    found[:, 1] = found[:, 1] * together + np.tile(np.arange(together), len(rows))
    return found


def _blocks(hosts: int) -> Iterator[Integers]:
    """All hosts, some at a time."""
    for begin in range(0, hosts, _BLOCK):
        yield np.arange(begin, min(begin + _BLOCK, hosts), dtype=np.int64)


def _check_count(failures: Failures, hosts: int, length_ns: int, together: int) -> None:
    expected = len(failures.stated_rows) * together
    if expected > _MOST_CHANGES:
        raise UsageError(
            f"failures: the file has {len(failures.stated_rows)} changes of hosts, each of {together} "
            f"machines; at most {_MOST_CHANGES} fit",
            hint="ask about a shorter trace or fewer hosts",
        )
    if failures.mtbf_ns == 0:
        return
    expected = 2 * hosts * length_ns // (failures.mtbf_ns + failures.mttr_ns)
    if expected > _MOST_CHANGES:
        raise UsageError(
            f"failures: {hosts} hosts with mtbf {format_ns(failures.mtbf_ns)} and mttr {format_ns(failures.mttr_ns)} "
            f"fail and come back some {expected} times within the trace; at most {_MOST_CHANGES} fit",
            hint="write a longer mtbf, or ask about a shorter trace or fewer hosts",
        )


def _turns(failures: Failures, hosts: Integers, length_ns: int, seed: int) -> Integers:
    """(changes, 3) Of these hosts, one host after another."""
    means = np.array([float(failures.mtbf_ns), float(failures.mttr_ns)])
    found, left, pairs = [], hosts, 4
    while len(left):
        drawn = uniforms(seed, _PURPOSE, left[:, np.newaxis], np.arange(2 * pairs, dtype=np.int64))
        spans = np.clip(np.floor(-logs(drawn) * np.tile(means, pairs)), 1, _LONGEST_NS)
        times = np.cumsum(spans.astype(np.int64), axis=1)
        done = times[:, -2] >= length_ns
        down = (times[:, 0::2] < length_ns) & done[:, np.newaxis]
        host = np.broadcast_to(left[:, np.newaxis], down.shape)[down]
        fails, back = times[:, 0::2][down], times[:, 1::2][down]
        rows = np.empty((len(host), 2, 3), dtype=np.int64)
        rows[:, 0], rows[:, 1] = (
            np.stack([at, host, np.full_like(host, up)], axis=1) for at, up in ((fails, 0), (back, 1))
        )
        found.append(rows.reshape(-1, 3))
        left, pairs = left[~done], 2 * pairs
    return np.concatenate([np.zeros((0, 3), dtype=np.int64), *found])


def down_share(failures: Failures) -> float:
    """The share of time for which a host is down in the long run; 0 for stated failures."""
    return failures.mttr_ns / (failures.mtbf_ns + failures.mttr_ns) if failures.mtbf_ns > 0 else 0.0


def read_failures(file: Path, *, hosts: int) -> tuple[tuple[int, int, bool], ...]:
    """Stated failures from a CSV file with the header ``at_s,host,event``; events are ``down`` and ``up``.

    Raises UsageError that names the line: no such form, not in order of time, or a host that is down goes down again.
    """
    lines = _lines(file)
    head = next(lines, None)
    if head is None or tuple(head) != HEAD:
        found = ",".join(head)[:80] if head is not None else "nothing"
        raise UsageError(f"{file}:1: the header is {found!r}", hint=f"write {','.join(HEAD)}")
    return tuple(_checked(file, lines, hosts))


def _lines(file: Path) -> Iterator[list[str]]:
    """The lines of a CSV file, one at a time."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{file}: not a regular file", hint="name a CSV file with failures of hosts")
        if status.st_size > _MOST_BYTES:
            raise UsageError(
                f"{file}: {status.st_size} bytes are more than {_MOST_BYTES}", hint="write mtbf and mttr instead"
            )
        with file.open(encoding="utf-8", newline="") as stream:
            yield from csv.reader(stream)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", hint="name a CSV file with failures of hosts") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8 text", hint="save it as UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{file}: not a CSV file ({error})", hint="write one event a line") from None
    except ValueError as error:  # a name with a NUL byte
        raise UsageError(f"{str(file)!r}: {error}", hint="name a CSV file with failures of hosts") from None


def _checked(file: Path, lines: Iterator[list[str]], hosts: int) -> Iterator[tuple[int, int, bool]]:
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
