"""A program that starts a box and ends: what happens to it when the start is interrupted, with real programs."""

from __future__ import annotations

import signal
import stat
import threading
from pathlib import Path
from typing import Protocol

import pytest

from bench.host.processes import living_pid, wait_ended
from bench.targets.containers import client
from bench.targets.containers.client import BoxVariables, run_client
from bench.util.errors import LaunchError
from tests.waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.host


ENTRIES = ("PATH=/bin", "TOKEN=hush-1", "PEM=--\nhush-2\n--", "#X=hush-3", "CR=hush-4\r", "LONG=" + "l" * 70_000, "E=")


def test_no_variable_of_a_box_is_on_the_command_line(tmp_path: Path) -> None:
    """All users of the host can read command lines."""
    variables = BoxVariables.of(ENTRIES, tmp_path / "env")
    assert variables.arguments == (
        *("--env-file", str(tmp_path / "env")),
        *("--env", "PEM", "--env", "#X", "--env", "CR", "--env", "LONG"),
    )
    assert (tmp_path / "env").read_text() == "PATH=/bin\nTOKEN=hush-1\nE=\n"
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    read = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert {**read, **variables.env} == dict(entry.split("=", 1) for entry in ENTRIES)


def _start(words: str, directory: Path) -> int:
    return run_client(
        ["sh", "-c", words],
        stdout=directory / "out",
        stderr=directory / "err",
        keep=("BOXBENCH_KEPT*",),
        env={"DIR": str(directory)},
    )


def _interrupt_when_written(file: Path, waiting: threading.Event) -> None:
    """Raise KeyboardInterrupt in the main thread as soon as it waits and the file has content."""
    wait_until(lambda: file.exists() and file.read_bytes(), f"content of {file}")
    # Before the wait the program may be half started, and another mechanism removes it: the search for remains.
    waiting.wait(LIMIT_S)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)


class _Wait(Protocol):
    def __call__(self, pid: int, *, timeout_s: float) -> bool: ...


def _start_and_ctrl_c(
    words: str, directory: Path, monkeypatch: pytest.MonkeyPatch, *, wait: _Wait = wait_ended
) -> None:
    """Ctrl-C for this process alone, as in a terminal: the program has a session of its own.

    Args:
        words: a shell script that writes ``$DIR/pid`` when the interruption shall come.
        wait: takes the place of ``wait_ended``.
    """
    waiting = threading.Event()

    def wait_noted(pid: int, *, timeout_s: float) -> bool:
        waiting.set()
        return wait(pid, timeout_s=timeout_s)

    monkeypatch.setattr(client, "wait_ended", wait_noted)
    before = signal.signal(signal.SIGUSR2, signal.default_int_handler)
    watcher = threading.Thread(target=_interrupt_when_written, args=(directory / "pid", waiting))
    watcher.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            _start(words, directory)
    finally:
        watcher.join(LIMIT_S)
        signal.signal(signal.SIGUSR2, before)


def test_its_output_and_its_cpu_time_are_kept(tmp_path: Path) -> None:
    assert _start("echo started", tmp_path) > 0
    assert (tmp_path / "out").read_bytes() == b"started\n"


def test_its_complaint_is_told(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="sh ended with 3: no such image"):
        _start("echo no such image >&2; exit 3", tmp_path)


def test_one_that_hangs_does_not_outlive_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_GRACE_S", 0.1)
    _start_and_ctrl_c("echo $$ >$DIR/pid; exec sleep 3600", tmp_path, monkeypatch)
    assert (tmp_path / "pid").read_text()
    assert living_pid(tmp_path / "pid") is None


def test_one_that_is_about_to_end_may_finish_what_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after the interruption, and the wait for it ends with it and not at the time limit."""
    waits: list[bool] = []

    def noted(pid: int, *, timeout_s: float) -> bool:
        if timeout_s == LIMIT_S:  # the grace
            (tmp_path / "go").touch()
        waits.append(wait_ended(pid, timeout_s=timeout_s))
        return waits[-1]

    monkeypatch.setattr(client, "_GRACE_S", LIMIT_S)
    words = "echo $$ >$DIR/pid; until [ -e $DIR/go ]; do sleep 0.01; done; touch $DIR/made"
    _start_and_ctrl_c(words, tmp_path, monkeypatch, wait=noted)
    assert (tmp_path / "made").exists()
    assert waits == [True], "the interrupted wait does not return; the grace ends with the program"


def test_it_gets_the_variables_that_it_needs_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_SECRET", "a token of the user")
    monkeypatch.setenv("BOXBENCH_KEPT_1", "its setting")
    _start("cat /proc/$$/environ", tmp_path)
    given = dict(entry.split("=", 1) for entry in (tmp_path / "out").read_text(encoding="utf-8").split("\0") if entry)
    assert given.pop("PATH")
    assert given == {"DIR": str(tmp_path), "BOXBENCH_KEPT_1": "its setting"}
