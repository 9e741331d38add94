"""A program that starts a box and ends: what becomes of it when it is called off, with real programs."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Final

import pytest

from bench.host.processes import living_pid
from bench.targets.containers import tool
from bench.targets.containers.tool import start_by
from bench.util.errors import LaunchError

pytestmark = pytest.mark.host
AFTER_S: Final = 0.3


def _start(words: str, directory: Path) -> int:
    return start_by(
        ["sh", "-c", words], stdout=directory / "out", stderr=directory / "err", env={"DIR": str(directory)}
    )


def _start_under_a_timer(words: str, directory: Path) -> None:
    signal.setitimer(signal.ITIMER_REAL, AFTER_S)
    _start(words, directory)


def _start_and_ctrl_c(words: str, directory: Path) -> None:
    """Ctrl-C for this process alone, as one in a terminal is: the program has a session of its own."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            _start_under_a_timer(words, directory)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_its_output_and_its_cpu_time_are_kept(tmp_path: Path) -> None:
    assert _start("echo started", tmp_path) > 0
    assert (tmp_path / "out").read_bytes() == b"started\n"


def test_its_complaint_is_told(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="sh ended with 3: no such image"):
        _start("echo no such image >&2; exit 3", tmp_path)


def test_one_that_hangs_does_not_outlive_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_GRACE_S", 0.1)
    _start_and_ctrl_c("echo $$ >$DIR/pid; exec sleep 60", tmp_path)
    assert (tmp_path / "pid").read_text()
    assert living_pid(tmp_path / "pid") is None


def test_one_that_is_about_to_end_may_finish_what_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "_GRACE_S", 60)
    begun = time.monotonic()
    _start_and_ctrl_c(f"sleep {3 * AFTER_S}; touch $DIR/made", tmp_path)
    assert (tmp_path / "made").exists()
    assert time.monotonic() - begun < tool._GRACE_S / 2, "it was waited for longer than it lived"
