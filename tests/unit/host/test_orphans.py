"""Orphans of real processes: they vanish when they end, and nobody loses the exit status of a child."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from subprocess import PIPE

import pytest

from bench.host import orphans
from bench.host.orphans import adopting_orphans, watch_ended, watch_ends, zombie_doubts
from bench.host.processes import Process, parent_of, program_names
from bench.host.subreaper import is_subreaper, set_subreaper
from bench.util import proc
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host


class Held:
    """A process behind a shell that has ended; it runs until ``end``."""

    def __init__(self, pid: int, control: int) -> None:
        self.pid = pid
        self.process = Process.of(pid)
        self._control = control
        self.ended = False

    def end(self) -> None:
        """Let it end by itself."""
        if not self.ended:
            os.close(self._control)
            self.ended = True

    def gone(self) -> bool:
        """Whether somebody has waited for it."""
        return Process.of(self.pid) != self.process

    def vanishes(self) -> None:
        """Wait until it does."""
        wait_until(self.gone, f"process {self.pid} is no zombie any more")


Orphan = Callable[..., Held]


@pytest.fixture
def orphan() -> Iterator[Orphan]:
    """Starts a program through a shell that ends at once."""
    made: list[Held] = []

    def start(*, behind: str = "", parent_stays: bool = False) -> Held:
        theirs, ours = os.pipe()
        end = "exec sleep 1000" if parent_stays else ""
        script = f"exec 3<&0; {behind} cat <&3 >/dev/null & echo $!; exec >/dev/null; {end}"
        shell = proc.spawn(["sh", "-c", script], stdin=theirs, stdout=PIPE)
        os.close(theirs)
        assert shell.stdout is not None
        made.append(Held(int(shell.stdout.readline()), ours))
        shell.stdout.close()
        if parent_stays:
            parents.append(shell)
            # A shell would wait for its child; sleep never does.
            wait_until(lambda: program_names(shell.pid) == {"sleep"}, "the shell has become another program")
        else:
            shell.wait()
        return made[-1]

    parents: list[subprocess.Popen[bytes]] = []
    yield start
    for held in made:
        held.end()
    for parent in parents:
        proc.stop(parent)


def test_an_orphan_becomes_ours_and_vanishes_when_it_ends(orphan: Orphan) -> None:
    before = is_subreaper()
    with adopting_orphans(), adopting_orphans():
        held = orphan()
        assert parent_of(held.pid) == os.getpid()
        (ending,) = watch_ends([held.pid, held.pid])
        assert watch_ends([held.pid]) == [ending]
        assert ending.ended_ns is None
        held.end()
        held.vanishes()
        wait_until(lambda: ending.vanished_ns is not None, "the end of the orphan is noted")
        assert ending.ours
        assert ending.zombie_ns() == 0
        assert zombie_doubts([ending]) == []
        assert watch_ends([held.pid]) == []
    assert is_subreaper() == before
    assert watch_ends([os.getpid()]) == []


def test_orphans_that_nobody_has_announced_vanish_too(orphan: Orphan) -> None:
    with adopting_orphans():
        held, leader = orphan(), orphan(behind="setsid")
        wait_until(lambda: os.getsid(leader.pid) == leader.pid, "it leads a session")
        leader.end()
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
        held.end()
        held.vanishes()
        # Only at the end: it might be a copy of this process whose parent is about to wait for it.
        assert not leader.gone()
    assert leader.gone()


def test_a_zombie_that_is_announced_late_vanishes_at_once(orphan: Orphan) -> None:
    with adopting_orphans():
        leader = orphan(behind="setsid")
        wait_until(lambda: os.getsid(leader.pid) == leader.pid, "it leads a session")
        leader.end()
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
        watch_ended("dog")
        assert not leader.gone()
        watch_ended("cat")
        leader.vanishes()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Wait until a child is a zombie, and be its waiter at the end."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield
    process.wait()


def test_nobody_loses_an_exit_status(orphan: Orphan) -> None:
    early = subprocess.Popen(["sh", "-c", "exit 3"], start_new_session=True)
    with adopting_orphans():
        ours = proc.spawn(["sh", "-c", "exit 4"])
        same_session = subprocess.Popen(["sh", "-c", "exit 5"])
        new_session = subprocess.Popen(["sh", "-c", "exit 6"], start_new_session=True)
        # As libvirt does it in this process, to start a QEMU that is to outlive it.
        copy = os.fork()
        if copy == 0:
            os.setsid()
            os._exit(7)
        with _ended(early), _ended(ours), _ended(same_session), _ended(new_session):
            os.waitid(os.P_PID, copy, os.WEXITED | os.WNOWAIT)
            announced = watch_ends([ours.pid, early.pid])
            assert len(announced) == 2
            # The thread has looked at all children once the last of them, an orphan, has vanished.
            canary = orphan()
            canary.end()
            canary.vanishes()
            (watched,) = watch_ends([(last := orphan()).pid])
            last.end()
            wait_until(lambda: watched.vanished_ns is not None, "the thread has handled all that was announced")
    assert [one.wait() for one in (early, ours, same_session, new_session)] == [3, 4, 5, 6]
    assert os.waitpid(copy, 0) == (copy, 7 << 8)


def test_a_zombie_of_somebody_else_is_a_doubt(orphan: Orphan) -> None:
    with adopting_orphans():
        held = orphan(parent_stays=True)
        assert parent_of(held.pid) != os.getpid()
        (ending,) = watch_ends([held.pid])
        assert zombie_doubts([ending]) == []
        held.end()
        (doubt,) = wait_until(lambda: zombie_doubts([ending]), "the zombie has stayed for longer than the limit")
        assert doubt.startswith("zombie:")
        assert doubt.endswith("ms")
        assert not held.gone()
        assert ending.vanished_ns is None


def test_who_enters_while_the_last_one_leaves_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    closing, free = threading.Event(), threading.Event()
    seen: list[bool] = []

    def enter() -> None:
        assert closing.wait(LIMIT_S)
        # Either we must wait for the one that leaves, or both are at it now.
        seen.append(orphans._lock.acquire(blocking=False))
        free.set()

    def close(reaper: orphans._Reaper) -> None:
        closing.set()
        assert free.wait(LIMIT_S)
        leave(reaper)

    leave = orphans._Reaper.close
    monkeypatch.setattr(orphans._Reaper, "close", close)
    other = threading.Thread(target=enter)
    other.start()
    with adopting_orphans():
        pass
    other.join()
    assert seen == [False]


def test_its_children_are_not_subreapers(orphan: Orphan) -> None:
    with adopting_orphans():
        code = "from bench.host.subreaper import is_subreaper; print(is_subreaper())"
        assert proc.run([sys.executable, "-c", code], timeout_s=60).text.strip() == "False"
        set_subreaper(False)
        assert not is_subreaper()
        set_subreaper(True)
        assert is_subreaper()
    assert parent_of(orphan().pid) != os.getpid()
