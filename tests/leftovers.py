"""Finding processes, mounts and control groups that tests left on the host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOKEN_VARIABLE: Final = "BOXBENCH_TEST_SESSION"
# The tag in all names of a campaign. Other things called boxbench, such as a folder, are not ours.
TAG: Final = re.compile(r"boxbench-([0-9a-f]{8}\b|probe-|test-)")


@dataclass(frozen=True)
class Snapshot:
    """The state of the host before the first test."""

    token: str
    """The value of TOKEN_VARIABLE in the environment of every process that this session starts."""
    named: frozenset[str]
    """Processes, mounts and control groups that carried our label already."""


def snapshot(token: str) -> Snapshot:
    """Record the state of the host."""
    return Snapshot(token, frozenset(_named()))


def find(before: Snapshot, *, by_name: bool) -> list[str]:
    """What is left on the host, described in one line each.

    Args:
        by_name: also report what carries our label and is new, not only processes with the session's token. Another
            run on the same host would be reported too, so only CI sets it.
    """
    marked = [f"process {_describe(pid)}" for pid in _pids() if before.token in _environ(pid) and not _is_us(pid)]
    return sorted({*marked, *((set(_named()) - before.named) if by_name else ())})


def _named() -> Iterator[str]:
    for pid in _pids():
        if _is_tagged(_cmdline(pid)) and not _is_us(pid):
            yield f"process {_describe(pid)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if _is_tagged(line.split()[4]):
            yield f"mount {line.split()[4]}"
    # os.walk ignores groups that disappear during the walk.
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        if "boxbench" in folder:
            yield f"control group {folder}"


def _is_tagged(text: str) -> bool:
    return TAG.search(text) is not None


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _cmdline(pid: int) -> str:
    return _read(pid, "cmdline")


def _environ(pid: int) -> str:
    return _read(pid, "environ")


def _describe(pid: int) -> str:
    return f"{pid}: {_cmdline(pid).strip()[:160]}"


def _is_us(pid: int) -> bool:
    """Whether ``pid`` is this process or an ancestor, such as nox."""
    above = os.getpid()
    while above > 1:
        if above == pid:
            return True
        stat = _read(above, "stat").rpartition(")")[2].split()
        above = int(stat[1]) if len(stat) > 1 else 0
    return False
