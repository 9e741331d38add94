"""The launcher of boxes without an engine: its environment, its errors, its signals, and links of an image."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.agent.compile import static_program
from bench.host.cgroup import own_cgroup
from bench.host.mounts import read_mounts
from bench.targets.launcher import held_process
from bench.targets.launcher.held_process import HeldProcess
from bench.util import proc
from bench.util.errors import LaunchError
from tests.needs import need
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="control groups and mounts need root")
Hold = Callable[..., HeldProcess]


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Hold]:
    """A launcher in a control group of its own that holds a program."""
    with own_cgroup(f"test-{os.getpid()}-l") as group:
        held: list[HeldProcess] = []

        def make(*argv: str, flags: Sequence[str] = ()) -> HeldProcess:
            held.append(HeldProcess("test", argv, group=group, cpus=(0,), log=tmp_path / "log", flags=flags))
            return held[-1]

        yield make
        for process in held:
            process.kill()


@needs_root
def test_the_program_gets_path_and_nothing_else_of_our_environment(
    hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXBENCH_SECRET", "a token of the user")
    process = hold("/bin/sh", "-c", "cat /proc/$$/environ /proc/$PPID/environ; exec sleep 600")
    process.go()
    log = tmp_path / "log"
    wait_until(lambda: log.read_bytes().count(b"PATH=") == 2, "the environments of program and launcher")
    assert {entry.split("=")[0] for entry in log.read_text(encoding="utf-8").split("\0") if entry} <= {"PATH", "PWD"}


@needs_root
def test_a_launcher_that_is_never_prepared_is_ended(
    hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text("#!/bin/sh\nexec sleep 600\n")
    launcher.chmod(0o755)
    started: list[subprocess.Popen[bytes]] = []
    real = HeldProcess._spawn

    def spawn(self: HeldProcess, *args: Any) -> subprocess.Popen[bytes]:
        started.append(real(self, *args))
        return started[-1]

    monkeypatch.setattr(HeldProcess, "_spawn", spawn)
    monkeypatch.setattr(held_process, "static_program", lambda *_: launcher)
    monkeypatch.setattr(held_process, "ANSWER_LIMIT_S", 1)
    with pytest.raises(LaunchError, match="test: the launcher did not answer within 1 s"):
        hold("/bin/true")
    assert started[0].poll() is not None


@needs_root
def test_a_launcher_that_hangs_before_it_executes_ends_the_wait(hold: Hold) -> None:
    process = hold("/bin/true")
    # Shorter only now: a host that stalls may be late with the answer before.
    process._control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 1, 0))
    os.kill(process._launcher.pid, signal.SIGSTOP)
    with pytest.raises(LaunchError, match="the launcher did not answer"):
        process.go()
    assert not process.alive()


@needs_root
@pytest.mark.parametrize("place", ["proc", "sys", "dev", ".boxbench", ".boxbench/ch"])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_link_in_the_tree_leads_no_mount_out_of_it(hold: Hold, tmp_path: Path, place: str, kind: str) -> None:
    outside, channel, tree = tmp_path / "outside", tmp_path / "ch", tmp_path / "a" / "tree"
    for directory in (outside / "ch", channel, tree):
        directory.mkdir(parents=True)
    (tree / place).parent.mkdir(exist_ok=True)
    up = "/".join([".."] * (len(Path(place).parts) + 1))
    (tree / place).symlink_to(outside if kind == "absolute" else f"{up}/outside")
    if kind == "relative":
        assert (tree / place).resolve() == outside
    flags = ["--isolate", str(tree), "--new", "mount", "--enter", "pivot", "--bind", f"{channel}:.boxbench/ch"]
    with pytest.raises(LaunchError, match=r"cannot start: .*: the image has a symbolic link there"):
        hold("/bin/true", flags=flags).go()
    assert [mount.point for mount in read_mounts() if str(tmp_path) in mount.point] == []


@contextmanager
def _launch(
    inside: Sequence[str], *argv: str, cwd: Path, flags: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """The launcher alone, in no control group, as the child of ``inside``."""
    ours, theirs = socket.socketpair()
    launcher = static_program("bench.targets.launcher", "boxlaunch")
    words = [*inside, str(launcher), "--control", str(theirs.fileno()), *flags, "--", *argv]
    with (cwd / "log").open("wb") as log:
        process = proc.spawn(words, stdout=log, stderr=log, pass_fds=(theirs.fileno(),))
    theirs.close()
    ours.settimeout(LIMIT_S)
    try:
        assert ours.recv(1) == b"p", (cwd / "log").read_text(encoding="utf-8")
        yield process, ours
    finally:
        ours.close()
        proc.stop(process)


def test_a_status_that_cannot_be_read_is_no_success(tmp_path: Path) -> None:
    # With SIGCHLD ignored, the kernel reaps the child, and waitpid(2) fails.
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with _launch([sys.executable, "-c", ignore], "/bin/true", cwd=tmp_path) as (process, control):
        control.send(b"g")
        assert process.wait(LIMIT_S) == 127
    assert b"waitpid" in (tmp_path / "log").read_bytes()


@pytest.fixture
def strace(tmp_path: Path) -> list[str]:
    """strace's command line; it writes to ``trace``."""
    program = proc.find_tool("strace")
    need(None if program else "strace is not installed")
    return [str(program), "-f", "-qq", "-o", str(tmp_path / "trace")]


def test_a_signal_at_the_birth_of_the_child_reaches_it(strace: list[str], tmp_path: Path) -> None:
    inside = [*strace, "-e", "inject=vfork:signal=SIGTERM"]
    with _launch(inside, "/bin/sleep", "600", cwd=tmp_path) as (process, control):
        control.send(b"g")
        # The launcher passed the signal on, and ends with the child's status.
        assert control.recv(64).strip().isdigit(), "the launcher ended without its child"
        assert process.wait(LIMIT_S) == 128 + signal.SIGTERM


def test_a_long_error_is_cut_to_what_was_written(strace: list[str], tmp_path: Path) -> None:
    tree = "/" + "/".join(["a" * 100] * 12)
    inside = [*strace, "-e", "trace=write"]
    with _launch(inside, "/bin/true", cwd=tmp_path, flags=("--isolate", tree, "--enter", "chroot")) as started:
        process, control = started
        control.send(b"g")
        assert process.wait(LIMIT_S) == 127
    assert tree[:400] in (tmp_path / "log").read_text(encoding="utf-8")
    # The text has 512 bytes with the one that ends it. More would be memory that does not belong to it.
    assert [line for line in (tmp_path / "trace").read_text(encoding="utf-8").splitlines() if " 511) = 511" in line]
