"""What tests may have left on the host: processes, mounts and control groups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOKEN_VARIABLE: Final = "BOXBENCH_TEST_SESSION"
# What campaigns put into every name: a folder, or a person's own container, called boxbench is none of ours.
TAG: Final = re.compile(r"boxbench-([0-9a-f]{8}\b|probe-|test-)")


@dataclass(frozen=True)
class Snapshot:
    """What was there before the first test."""

    token: str
    """In the environment of everything that this session starts."""
    named: frozenset[str]
    """Processes, mounts and control groups that carry our label already."""


def snapshot(token: str) -> Snapshot:
    """The state before the first test."""
    return Snapshot(token, frozenset(_named()))


def find(before: Snapshot, *, by_name: bool) -> list[str]:
    """What is left: processes with the session's token and, ``by_name``, what carries the label and is new.

    By name alone another run on the same host would be taken for ours, so only CI looks that way.
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
    # Groups of others come and go meanwhile, which this walk takes as it comes.
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
    """Whether ``pid`` is this process or above it (nox, a shell in a directory named like us)."""
    above = os.getpid()
    while above > 1:
        if above == pid:
            return True
        stat = _read(above, "stat").rpartition(")")[2].split()
        above = int(stat[1]) if len(stat) > 1 else 0
    return False
