"""Orphans: processes whose parent has ended, and the wait that lets an ended one vanish.

An ended process stays as a zombie until its parent has waited for it. Many boxes outlive the program that started them.
The kernel gives such an orphan to the nearest ancestor that adopts orphans, else to PID 1. Some hosts' PID 1 waits for
orphans only every second or two. Whoever waits for a box's process to vanish (libvirt, runsc) would then measure that.
So Boxbench adopts the orphans of what it starts, and waits for each one as soon as it has ended.

An exit status belongs to whoever started the process. So these are never waited for: children that existed before,
children of ``bench.util.proc``, and children in our own session. A library may fork helpers in this process and wait
for them itself, as libvirt's embedded driver does. They run in our session, or in one that they lead. An orphan is
never in our session, since ``bench.util.proc`` starts every program in a session of its own. An orphan that leads a
session is waited for when it was announced with ``watch_ends``, or at the end. Looking for a ``Popen`` that stands for
it is possible only then: it goes through all objects, which fails in other threads that are just making one.
"""

from __future__ import annotations

import gc
import os
import select
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from bench.host.processes import Process, children_and_sessions, parent_of, program_names
from bench.host.subreaper import is_subreaper, set_subreaper
from bench.util import proc
from bench.util.clock import MonotonicClock
from bench.util.doubts import Doubt
from bench.util.threads import WatchedThread

ZOMBIE_LIMIT_NS: Final = 50 * 10**6
"""A zombie that another parent leaves for longer is a doubt."""
# How often another parent's zombie is looked at: before Linux 6.9 nothing tells that it has been waited for.
_LOOK_S: Final = 0.005
# How often we look for orphans that nobody has announced, such as a QEMU that libvirt asks for its abilities.
_TICK_S: Final = 0.5
_CLOCK: Final = MonotonicClock()


@dataclass
class Ending:
    """The end of one process. Times are ns on CLOCK_MONOTONIC."""

    process: Process
    ended_ns: int | None = None
    """When it ended; None: it runs."""
    vanished_ns: int | None = None
    """When its parent had waited for it; None: not yet."""
    ours: bool = False
    """Whether this process was its parent when it ended."""

    def zombie_ns(self) -> int:
        """How long it was, or has been, a zombie of another process; 0 while it runs and where the parent is us."""
        if self.ours or self.ended_ns is None:
            return 0
        return (self.vanished_ns or _CLOCK.now_ns()) - self.ended_ns


def zombie_doubts(endings: Iterable[Ending]) -> list[str]:
    """``zombie:1620.0ms``: the longest time for which another parent left one of them a zombie, beyond the limit."""
    longest = max((one.zombie_ns() for one in endings), default=0)
    return [Doubt.ZOMBIE.of(f"{longest / 1e6:.1f}ms")] if longest > ZOMBIE_LIMIT_NS else []


class _Reaper:
    """Waits for ended orphans, on a thread of its own that no process wakes unless one has ended."""

    def __init__(self) -> None:
        self._before = frozenset(Process.of(pid) for pid, _ in children_and_sessions(os.getpid()))
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._watched: dict[int, Ending] = {}
        self._zombies: list[Ending] = []
        self._closing = threading.Event()
        self._was_subreaper = is_subreaper()
        set_subreaper(True)
        self._thread = WatchedThread(self._run, name="boxbench-orphans")
        self._thread.start()

    def watch(self, pid: int) -> Ending | None:
        """Watch the end of a process, and wait for it if it is our orphan; None if it has ended and vanished."""
        process = Process.of(pid)
        if process is None:
            return None
        known = next((one for one in list(self._watched.values()) if one.process == process), None)
        if known is not None:
            return known
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        self._watched[fd] = ending = Ending(process)
        self._epoll.register(fd, select.EPOLLIN)
        return ending

    def close(self) -> None:
        """End the thread, wait for all orphans that have ended, and adopt no more."""
        self._closing.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._sweep(at_end=True)
        with suppress(OSError):
            set_subreaper(self._was_subreaper)
        for fd in (*self._watched, self._wake):
            os.close(fd)
        self._epoll.close()
        self._thread.check()

    def _run(self) -> None:
        due_ns = 0
        while not self._closing.is_set():
            for fd, _ in self._epoll.poll(_LOOK_S if self._zombies else _TICK_S):
                if fd != self._wake:
                    self._note_end(fd)
            self._zombies = [one for one in self._zombies if not self._has_vanished(one)]
            if _CLOCK.now_ns() >= due_ns:
                self._sweep()
                due_ns = _CLOCK.now_ns() + round(_TICK_S * 1e9)

    def _note_end(self, fd: int) -> None:
        ending = self._watched.pop(fd)
        ending.ended_ns = _CLOCK.now_ns()
        ending.ours = parent_of(ending.process.pid) == os.getpid()
        self._epoll.unregister(fd)
        os.close(fd)
        self._zombies.append(ending)

    def _has_vanished(self, ending: Ending) -> bool:
        """Wait for an ended process if we are its parent. True when nothing is left of it, or somebody here waits."""
        pid = ending.process.pid
        if Process.of(pid) == ending.process:
            if parent_of(pid) != os.getpid():
                return False
            if self._is_awaited(ending.process):
                return True
            _wait(pid)
        ending.vanished_ns = _CLOCK.now_ns()
        return True

    def _is_awaited(self, process: Process) -> bool:
        return process in self._before or process.pid in proc.unwaited_pids()

    def _sweep(self, *, at_end: bool = False) -> None:
        """Wait for ended orphans that nobody has announced."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        ours = os.getsid(0)
        for pid, session in children_and_sessions(os.getpid(), ended=True):
            process = Process.of(pid)
            if process is None or session == ours or self._is_awaited(process):
                continue
            if session != pid or (at_end and not _may_be_waited_for_elsewhere(pid)):
                _wait(pid)


def _wait(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _may_be_waited_for_elsewhere(pid: int) -> bool:
    """Whether a child that leads a session may be no orphan: a ``Popen``'s, or a copy of us that a library made."""
    if program_names(os.getpid()) & program_names(pid):
        return True
    held = (one for one in gc.get_objects() if isinstance(one, subprocess.Popen))
    return any(one.pid == pid and one.returncode is None for one in held)


_lock: Final = threading.Lock()
_users = 0
_reaper: _Reaper | None = None


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Adopt the orphans of all that is started inside, and wait for each as soon as it ends. May be nested.

    Orphans that still run at the end stay our children until this process ends.

    Raises:
        OSError: the kernel lets no process adopt orphans.
        ThreadDiedError: an error has ended the thread that waits.
    """
    global _reaper, _users  # noqa: PLW0603 - the kernel's setting is one per process
    with _lock:
        _reaper = _reaper or _Reaper()
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            last, _reaper = (_reaper, None) if _users == 0 else (None, _reaper)
            # Who enters meanwhile waits: two reapers would undo each other's setting.
            if last is not None:
                last.close()


def watch_ends(pids: Iterable[int]) -> list[Ending]:
    """Watch the ends of processes of a box. Orphans of ours are waited for at once. Empty outside ``adopting_orphans``.

    Args:
        pids: those that have ended and vanished are left out.
    """
    reaper = _reaper
    if reaper is None:
        return []
    return [ending for ending in map(reaper.watch, dict.fromkeys(pids)) if ending is not None]


def watch_ended(program: str) -> list[Ending]:
    """Wait for orphans of ours that have ended already and that lead a session. Empty outside ``adopting_orphans``.

    Args:
        program: only processes of this name, as ``bench.host.processes.program_names`` has it. Nothing else in this
            process may start and wait for such programs.
    """
    ended = children_and_sessions(os.getpid(), ended=True)
    return watch_ends(pid for pid, session in ended if pid == session and program_names(pid) == {program})
