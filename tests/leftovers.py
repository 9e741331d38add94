"""Finding processes, mounts and control groups that tests left on the host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.host.mounts import read_mounts
from bench.host.run_directory import TAG

TOKEN_VARIABLE: Final = "BOXBENCH_TEST_SESSION"
GROUPS: Final = Path("/sys/fs/cgroup")
# A tag anywhere in a text, such as a command line. Other things called boxbench, such as a folder, are not ours.
IN_TEXT: Final = re.compile(rf"(?<![\w-])(?:{TAG.pattern}(?!\w)|boxbench-test-)")


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
    for mount in read_mounts():
        if _is_tagged(mount.point):
            yield f"mount {mount.point!r}"
    for folder in _groups(GROUPS, depth=6):
        if "boxbench" in folder:
            yield f"control group {folder!r}"


def _groups(top: Path, *, depth: int) -> Iterator[str]:
    """Control groups; os.walk ignores those that disappear meanwhile, and a workload may nest them without end."""
    for folder, inner, _ in os.walk(top):
        if len(Path(folder).relative_to(top).parts) >= depth:
            inner.clear()
        yield folder


def _is_tagged(text: str) -> bool:
    return IN_TEXT.search(text) is not None


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
