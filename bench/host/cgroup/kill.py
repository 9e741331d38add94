"""Ending every process of control groups. Processes that fork faster than they are listed cannot escape.

A list of processes is old as soon as it has been read, so signals alone lose the race against a fork bomb. A frozen
group cannot fork. On v1 only the freezer hierarchy can freeze; without it the signals are repeated.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.host.cgroup.group import listed_pids
from bench.host.mounts import hierarchies
from bench.host.read import HOST_ROOT, read_text
from bench.util.clock import Clock, MonotonicClock

KILL_PATIENCE_S: Final = 10.0
_PAUSE_S: Final = 0.005
# A task that waits for a disk freezes late. It cannot fork either, so we need not wait for it for long.
_FREEZE_TRIES: Final = 20


def kill_tasks(
    directories: Sequence[Path],
    clock: Clock | None = None,
    *,
    spare: int | None = None,
    patience_s: float = KILL_PATIENCE_S,
) -> tuple[int, ...]:
    """Kill every process in control groups and in the groups below them, until none is left.

    Args:
        directories: the groups' directories, in any hierarchies. Groups that have vanished are empty.
        spare: a process that may live on.
        patience_s: how long to go on.

    Returns:
        The processes that are left; normally none.
    """
    if not (left := _left(directories, spare)):
        return left
    clock = clock or MonotonicClock()
    groups = sorted({*directories, *_freezers(directories)})
    until_ns = clock.now_ns() + round(patience_s * 1e9)
    while left and clock.now_ns() <= until_ns:
        _strike(groups, spare, clock)
        clock.sleep(_PAUSE_S)
        left = _left(directories, spare)
    return left


def _left(directories: Sequence[Path], spare: int | None) -> tuple[int, ...]:
    pids = {pid for directory in directories for pid, _ in listed_pids(directory)}
    return tuple(sorted(pids - {spare}))


def _freezers(directories: Sequence[Path]) -> Iterator[Path]:
    """The groups of the same paths in v1's freezer hierarchy."""
    mounts = [mount for mount in hierarchies() if mount.kind == "cgroup"]
    freezer = next((mount for mount in mounts if "freezer" in mount.options), None)
    for directory in directories:
        point = next((mount.point for mount in mounts if directory.is_relative_to(mount.point)), None)
        if freezer is not None and point is not None:
            group = Path(freezer.point) / directory.relative_to(point)
            if group.is_dir():
                yield group


def _strike(groups: Sequence[Path], spare: int | None, clock: Clock) -> None:
    if spare is None:
        for group in groups:
            _write(group / "cgroup.kill", "1")
    with _frozen(groups, clock):
        for group in groups:
            for pid, inner in listed_pids(group):
                if pid != spare:
                    _kill(pid, inner)


@contextmanager
def _frozen(groups: Sequence[Path], clock: Clock) -> Iterator[None]:
    """Freeze the groups and those below them, where the hierarchy can. At the end they are thawed, and then die."""
    try:
        for group in groups:
            if _write(group / "freezer.state", "FROZEN"):
                _await(group / "freezer.state", "FROZEN", clock)
            elif _write(group / "cgroup.freeze", "1"):
                _await(group / "cgroup.events", "frozen 1", clock)
        yield
    finally:
        for group in groups:
            _write(group / "freezer.state", "THAWED")
            _write(group / "cgroup.freeze", "0")


def _await(file: Path, word: str, clock: Clock) -> None:
    for _ in range(_FREEZE_TRIES):
        # Without the file the group has vanished.
        if word in (read_text(file.parent, file.name) or word):
            return
        clock.sleep(_PAUSE_S)


def _kill(pid: int, group: Path) -> None:
    """Kill a process that is still in the group. The number may belong to another process by now."""
    try:
        process = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _is_in(pid, group):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
    finally:
        os.close(process)


def _is_in(pid: int, group: Path) -> bool:
    # Through a bind mount or in a control group namespace, a group's path below its mount is not its path in /proc.
    lines = (read_text(HOST_ROOT, f"proc/{pid}/cgroup") or "").split("\n")
    return any(Path(line.split(":", 2)[-1]).parts[-2:] == group.parts[-2:] for line in lines)


def _write(file: Path, text: str) -> bool:
    """Write to a control file. False if the kernel does not have it or the group has vanished."""
    if not file.exists():
        return False
    try:
        file.write_text(text, encoding="ascii")
    except OSError:
        return False
    return True
