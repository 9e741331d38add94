"""Loss counts and errors of trace instances. Tests of real ones are in tests/live/test_anatomy.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.host import tracefs as trace
from bench.util.errors import ExitCode, HostUnfitError, TeardownError

_STATS = (
    "entries: 12\noverrun: {overrun}\ncommit overrun: 2\nbytes: 99\nnow ts: 1.0\n"
    "dropped events: {dropped}\nread events: 7\n"
)


@pytest.mark.parametrize(("overrun", "dropped", "lost"), [(0, 0, 2), (5, 0, 7), (0, 9, 11)])
def test_every_kind_of_loss_counts_and_nothing_else(tmp_path: Path, overrun: int, dropped: int, lost: int) -> None:
    (tmp_path / "stats").write_text(_STATS.format(overrun=overrun, dropped=dropped), encoding="ascii")
    assert trace._lost(tmp_path) == lost


def test_without_root_it_is_refused_before_anything_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root only" in (trace.why_no_trace() or "")
    with pytest.raises(HostUnfitError, match="root only") as caught, trace.tracefs():
        pytest.fail("the trace was opened")
    assert caught.value.exit_code is ExitCode.HOST_UNFIT
    assert "boxbench run" in caught.value.hint


def test_instances_are_found_by_name_and_none_is_no_error(tmp_path: Path) -> None:
    assert trace.find_instances(tmp_path) == ()
    for name in ("boxbench-b", "boxbench-a", "somebody"):
        (tmp_path / "instances" / name).mkdir(parents=True)
    assert [path.name for path in trace.find_instances(tmp_path)] == ["boxbench-a", "boxbench-b", "somebody"]


def test_an_instance_that_is_gone_already_is_removed_and_a_busy_one_says_so(tmp_path: Path) -> None:
    trace.remove_instance(tmp_path / "gone")
    busy = tmp_path / "busy"
    busy.mkdir()
    # rmdir refuses: here because of the file, in tracefs because somebody has one open.
    with pytest.raises(TeardownError, match="cannot be removed"):
        trace.remove_instance(busy)
    assert busy.exists()


def test_the_size_of_a_trace_is_that_of_its_pages() -> None:
    assert trace.RawTrace({0: (b"abc", b"d"), 1: ()}, lost=0).size_bytes == 4
