"""Finding processes by who runs what, and signals that reach the process that was meant and no other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.host.processes import Process, end_process, find_by_argument, kill_and_wait, program_of, runs_as
from tests.waiting import LIMIT_S

STAT = "{pid} (a (b) c) S 1 {pid} 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0\n"


def fake(
    root: Path, pid: int, *argv: str, exe: str = "/usr/bin/sleep", uids: str = "0 0 0 0", started: int = 5
) -> None:
    """A process as /proc shows it."""
    entry = root / "proc" / str(pid)
    entry.mkdir(parents=True)
    (entry / "exe").symlink_to(exe)
    (entry / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
    (entry / "status").write_text(f"Name:\tx\nUid:\t{uids.replace(' ', chr(9))}\nGid:\t0\t0\t0\t0\n")
    (entry / "stat").write_text(STAT.format(pid=pid, started=started))


def test_a_process_is_known_by_pid_and_start(tmp_path: Path) -> None:
    fake(tmp_path, 7, started=1234)
    assert Process.of(7, root=tmp_path) == Process(7, 1234)
    assert Process.of(8, root=tmp_path) is None


def test_a_stranger_who_writes_the_word_on_a_command_line_is_not_found(tmp_path: Path) -> None:
    fake(tmp_path, 5, "dockerd", "--data-root", "/cache/docker", uids="1000 1000 1000 1000")
    # A program that root owns and that anybody may start: the real user is the stranger.
    fake(tmp_path, 6, "dockerd", "--data-root", "/cache/docker", uids="1000 0 0 0")
    assert find_by_argument("/cache/docker", root=tmp_path) is None
    fake(tmp_path, 7, "dockerd", "--data-root", "/cache/docker")
    assert find_by_argument("/cache/docker", root=tmp_path) == 7
    assert find_by_argument("/cache/docker", uids=frozenset((1000,)), root=tmp_path) == 5


def test_another_program_with_the_word_is_not_found(tmp_path: Path) -> None:
    fake(tmp_path, 5, "dockerd", "/cache/docker", exe="/usr/bin/python3")
    assert find_by_argument("/cache/docker", program="dockerd", root=tmp_path) is None
    fake(tmp_path, 6, "x", "/cache/docker", exe="/usr/sbin/dockerd (deleted)")
    assert find_by_argument("/cache/docker", program="dockerd", root=tmp_path) == 6


def test_the_program_is_the_file_and_not_the_word(tmp_path: Path) -> None:
    fake(tmp_path, 5, "dockerd", exe="/usr/bin/python3")
    assert program_of(5, root=tmp_path) == "python3"
    assert program_of(6, root=tmp_path) is None


def test_every_uid_of_a_process_counts(tmp_path: Path) -> None:
    fake(tmp_path, 5, uids="0 0 1000 0")
    assert not runs_as(5, frozenset((0,)), root=tmp_path)
    assert runs_as(5, frozenset((0, 1000)), root=tmp_path)
    assert not runs_as(6, frozenset((0,)), root=tmp_path)


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


@pytest.mark.host
def test_a_process_that_got_the_pid_of_an_ended_one_gets_no_signal(sleeper: subprocess.Popen[bytes]) -> None:
    found = Process.of(sleeper.pid)
    assert found is not None
    ended_before = Process(found.pid, found.started - 1)
    try:
        assert end_process(ended_before, ((signal.SIGKILL, 0.0),))
        assert sleeper.poll() is None
        assert os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        assert end_process(found, ((signal.SIGTERM, LIMIT_S),))
        assert sleeper.wait(LIMIT_S) == -signal.SIGTERM
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.host
def test_a_process_is_killed_and_what_is_gone_counts_as_ended(sleeper: subprocess.Popen[bytes]) -> None:
    try:
        assert kill_and_wait(sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert kill_and_wait(sleeper.pid)


@pytest.mark.host
def test_a_process_that_ignores_a_signal_gets_the_next(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w').close(); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        ready.read_bytes()
        found = Process.of(process.pid)
        assert found is not None
        assert not end_process(found, ((signal.SIGTERM, 0.0),))
        assert end_process(found, ((signal.SIGTERM, 0.0), (signal.SIGKILL, LIMIT_S)))
    finally:
        process.kill()
        process.wait()
