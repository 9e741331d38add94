"""Finding, watching and killing the host processes of boxes."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.host.read import HOST_ROOT, parse_keyed, read_text
from bench.util.units import decode_number

# The kernel's encoding of clock_getcpuclockid(3): a whole process, in scheduler time.
_CLOCK_OF_PROCESS: Final = 2
OUTPUT_DRAIN_S: Final = 10
"""How long to wait, after the end of a workload, until its output is stored. The agent gives up earlier."""

# Of /proc/PID/stat, counted from the state: see proc_pid_stat(5), where starttime is field 22.
_START_FIELD: Final = 19
_SESSION_FIELD: Final = 3


def process_cpu_ns(pid: int) -> int | None:
    """CPU time of a process, ns, including ended threads; also of a zombie. None when the process is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | _CLOCK_OF_PROCESS)
    except OSError:
        return None


def children_of(pid: int) -> tuple[int, ...]:
    """All descendants of a process; empty if it has ended."""
    try:
        return tuple(child.pid for child in psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return ()


@dataclass(frozen=True)
class Process:
    """One process: a pid alone may belong to another one a moment later."""

    pid: int
    started: int
    """Clock ticks from the boot of the host to its start."""

    @classmethod
    def of(cls, pid: int, *, root: Path = HOST_ROOT) -> Process | None:
        """The process that has this pid now; None if there is none."""
        fields = _stat_fields(pid, root)
        return cls(pid, int(fields[_START_FIELD])) if len(fields) > _START_FIELD else None


def own_uids() -> frozenset[int]:
    """The users whose processes may be Boxbench's: this one and root."""
    return frozenset((0, os.geteuid()))


def runs_as(pid: int, uids: frozenset[int], *, root: Path = HOST_ROOT) -> bool:
    """Whether a process has no other uids (real, effective, saved, of the file system) than these."""
    # The owner of /proc/PID is no proof: it is root for every process that cannot be dumped.
    for line in (read_text(root, f"proc/{pid}/status") or "").splitlines():
        if line.startswith("Uid:"):
            return {int(word) for word in line.split()[1:]} <= uids
    return False


def tracer_of(pid: int, *, root: Path = HOST_ROOT) -> int | None:
    """The process that traces another one (ptrace); None if none does, or it has ended."""
    for line in (read_text(root, f"proc/{pid}/status") or "").splitlines():
        if line.startswith("TracerPid:"):
            return decode_number(line.split()[1]) or None
    return None


def read_written(pid: int, *, root: Path = HOST_ROOT) -> tuple[int, int] | None:
    """Bytes that a process has read and written by system calls, cached or not; None when it cannot be read."""
    found = parse_keyed((read_text(root, f"proc/{pid}/io") or "").replace(":", ""))
    return (found["rchar"], found["wchar"]) if {"rchar", "wchar"} <= found.keys() else None


def program_of(pid: int, *, root: Path = HOST_ROOT) -> str | None:
    """The file name of the program that a process executes, whatever its command line says; None if hidden or ended."""
    try:
        return (root / f"proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return None


def command_lines(root: Path = HOST_ROOT) -> Iterator[tuple[int, list[str]]]:
    """Pid and arguments of every process; the last argument is followed by an empty one."""
    for entry in (root / "proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")


def find_by_argument(
    word: str, *, program: str | None = None, uids: frozenset[int] | None = None, root: Path = HOST_ROOT
) -> int | None:
    """The first process that has ``word`` as one of its arguments; None if there is none.

    Args:
        program: the name of the program that it executes, where this user can see it; None: any.
        uids: the users that it may run as; None: this one and root. Anybody can put a word on a command line.
    """
    users = own_uids() if uids is None else uids
    found = (pid for pid, argv in command_lines(root) if word in argv and runs_as(pid, users, root=root))
    return next((pid for pid in found if program is None or program_of(pid, root=root) in (program, None)), None)


def wait_ended(pid: int, *, timeout_s: float) -> bool:
    """Wait for the end of a process, by its pidfd and therefore without polling. True if it has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return _has_ended(fd, timeout_s=timeout_s)
    finally:
        os.close(fd)


def _has_ended(pidfd: int, *, timeout_s: float) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1000))


def await_output_drained(pid: int | None) -> None:
    """Wait for the end of an agent whose workload has ended: until then it passes on the rest of the output.

    Args:
        pid: the box's process; None if it has ended.
    """
    if pid is not None:
        wait_ended(pid, timeout_s=OUTPUT_DRAIN_S)


def kill_and_wait(pid: int, *, timeout_s: float = 10.0) -> bool:
    """Send SIGKILL and wait for the end of the process. True if it has ended."""
    process = Process.of(pid)
    return process is None or end_process(process, ((signal.SIGKILL, timeout_s),))


def end_process(process: Process, ladder: Sequence[tuple[signal.Signals, float]]) -> bool:
    """Send signals, each with a time to wait for the end in seconds. True if the process has ended.

    No other process gets a signal, also if it has got the pid since ``process`` was looked up.
    """
    with _opened(process) as pidfd:
        if pidfd is None:
            return True
        for number, patience_s in ladder:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)
            if _has_ended(pidfd, timeout_s=patience_s):
                return True
    return False


@contextmanager
def _opened(process: Process) -> Iterator[int | None]:
    """A pidfd of the process; None if it has ended."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # The process that lives now is the one that the descriptor means, if it is still the same after the opening.
        yield pidfd if Process.of(process.pid) == process else None
    finally:
        os.close(pidfd)


def parent_of(pid: int, *, root: Path = HOST_ROOT) -> int | None:
    """The pid of a process's parent; None when the process has ended, or has no parent in our namespace."""
    fields = _stat_fields(pid, root)
    return (decode_number(fields[1]) or None) if len(fields) > 1 else None


def _stat_fields(pid: int, root: Path) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if the process has ended."""
    # The program's name, in brackets, may hold spaces and brackets; the state and the parent follow it.
    return (read_text(root, f"proc/{pid}/stat") or "").rpartition(")")[2].split()


def children_and_sessions(pid: int, *, ended: bool = False, root: Path = HOST_ROOT) -> list[tuple[int, int]]:
    """Pid and session of each child of a process.

    Args:
        ended: only children that have ended and that nobody has waited for.
    """
    found = []
    for entry in (root / "proc").iterdir():
        # State, parent, process group and session: see proc_pid_stat(5).
        fields = _stat_fields(int(entry.name), root) if entry.name.isdigit() else []
        if len(fields) > _SESSION_FIELD and fields[1] == str(pid) and (not ended or fields[0] == "Z"):
            found.append((int(entry.name), int(fields[_SESSION_FIELD])))
    return found


def program_names(pid: int, *, root: Path = HOST_ROOT) -> set[str]:
    """The names of a process's threads: that of its program, cut at 15 letters, unless they were given others."""
    names = (read_text(entry, "comm") for entry in (root / f"proc/{pid}/task").glob("*"))
    return {name.strip() for name in names if name}


def living_pid(file: Path) -> int | None:
    """The running process whose pid a runtime wrote to ``file``; None if the file has no pid or the process ended."""
    try:
        pid = decode_number(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return None
    # The kernel gives no larger process ids, and cannot be asked for some of them.
    return None if pid is None or pid >= 2**22 or wait_ended(pid, timeout_s=0) else pid
