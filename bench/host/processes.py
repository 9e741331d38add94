"""Finding, watching and killing the host processes of boxes."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import psutil

from bench.host.read import HOST_ROOT, read_text

OUTPUT_DRAIN_S = 10
"""How long to wait, after the end of a workload, until its output is stored. The agent gives up earlier."""


def children_of(pid: int) -> tuple[int, ...]:
    """All descendants of a process; empty if it has ended."""
    try:
        return tuple(child.pid for child in psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return ()


def find_by_argument(word: str) -> int | None:
    """The first process that has ``word`` as one of its arguments; None if there is none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if word.encode() in argv:
                return int(entry.name)
    return None


def wait_ended(pid: int, *, timeout_s: float) -> bool:
    """Wait for the end of a process, by its pidfd and therefore without polling. True if it has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        return bool(poller.poll(timeout_s * 1000))
    finally:
        os.close(fd)


def await_output_drained(pid: int | None) -> None:
    """Wait for the end of an agent whose workload has ended: until then it passes on the rest of the output.

    Args:
        pid: the box's process; None if it has ended.
    """
    if pid is not None:
        wait_ended(pid, timeout_s=OUTPUT_DRAIN_S)


def kill_and_wait(pid: int, *, timeout_s: float = 10.0) -> bool:
    """Send SIGKILL and wait for the end of the process. True if it has ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return wait_ended(pid, timeout_s=timeout_s)


def parent_of(pid: int, *, root: Path = HOST_ROOT) -> int | None:
    """The pid of a process's parent; None when the process has ended, or has no parent in our namespace."""
    # The program's name, in brackets, may hold spaces and brackets; the state and the parent follow it.
    fields = (read_text(root, f"proc/{pid}/stat") or "").rpartition(")")[2].split()
    return (int(fields[1]) or None) if len(fields) > 1 else None


def living_pid(file: Path) -> int | None:
    """The running process whose pid a runtime wrote to ``file``; None if the file has no pid or the process ended."""
    try:
        pid = int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if wait_ended(pid, timeout_s=0) else pid
