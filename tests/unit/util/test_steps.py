"""Steps of a task: noted where somebody asks for them, with times and bytes."""

from __future__ import annotations

import threading
from contextvars import copy_context
from pathlib import Path

import pytest

from bench.util import cache
from bench.util.clock import VirtualClock
from bench.util.steps import Highest, Steps, done_bytes, measured_by, note_use, step, working_for


def test_steps_have_their_time_and_bytes() -> None:
    clock = VirtualClock(5)
    steps = Steps(clock)
    with steps.noted():
        with step("export"):
            measured_by(lambda: 70, total_bytes=100)
            clock.sleep(2)
            (running,) = steps.running()
            assert (running.name, done_bytes(running), running.total_bytes) == ("export", 70, 100)
        with step("index"):
            clock.sleep(1)
    assert steps.running() == []
    assert [(one.name, (one.ended_ns or 0) - one.begun_ns, one.done_bytes) for one in steps.all] == [
        ("export", 2_000_000_000, 70),
        ("index", 1_000_000_000, None),
    ]


def test_a_step_that_fails_has_ended() -> None:
    steps = Steps(VirtualClock())
    with steps.noted(), pytest.raises(KeyError), step("build"):
        raise KeyError
    assert steps.running() == []


def test_the_bytes_are_those_of_the_innermost_step() -> None:
    steps = Steps(VirtualClock())
    with steps.noted(), step("outer"):
        with step("inner"):
            measured_by(lambda: 1)
        measured_by(lambda: 2)
    assert {one.name: one.done_bytes for one in steps.all} == {"inner": 1, "outer": 2}


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError])
def test_bytes_that_cannot_be_read_are_not_known(error: type[Exception]) -> None:
    def fail() -> int:
        raise error

    steps = Steps(VirtualClock())
    with steps.noted(), step("x"):
        measured_by(fail)
    assert steps.all[0].done_bytes is None


def test_nothing_is_noted_where_nobody_asked() -> None:
    steps = Steps(VirtualClock())
    with steps.noted():
        pass
    with step("later"):
        measured_by(lambda: 1)
    assert steps.all == []


def test_a_thread_notes_in_a_copy_of_the_context() -> None:
    steps = Steps(VirtualClock())

    def work() -> None:
        with step("beside"):
            pass

    with steps.noted():
        context = copy_context()
        for target in (work, lambda: context.run(work)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert [one.name for one in steps.all] == ["beside"]


def test_a_cache_entry_that_is_made_is_a_step_and_one_that_is_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))

    def write(path: Path) -> None:
        path.write_bytes(bytes(300))

    steps = Steps(VirtualClock())
    with steps.noted():
        for _ in range(2):
            cache.ensure("tar", "a", write)
            cache.ensure("tree", "a", Path.mkdir)
    assert [(one.name, one.done_bytes) for one in steps.all] == [("tar", 300), ("tree", None)]


def test_what_is_removed_at_the_end_has_come_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "layer"
    file.write_bytes(b"12345678")
    highest = Highest(lambda: file.stat().st_size)
    assert highest() == 8
    file.write_bytes(b"")
    assert highest() == 8
    file.unlink()
    assert highest() == 8


def test_a_step_knows_its_part_and_for_whom_it_is_done() -> None:
    clock = VirtualClock()
    steps = Steps(clock)
    with steps.noted(), working_for(("hello", "libvirt")):
        with step("disk", entry="disk/1"):
            clock.sleep(1)
            with working_for(None), step("tar"):
                clock.sleep(2)
        with step("sync"):
            clock.sleep(4)
    disk, tar, sync = steps.all
    assert (disk.whom, tar.whom, disk.entry, tar.within) == (("hello", "libvirt"), None, "disk/1", disk)
    assert [steps.own_ns(one) / 10**9 for one in (disk, tar, sync)] == [1, 2, 4]


def test_what_is_needed_is_noted_once_for_each_who_needs_it() -> None:
    asked: list[str] = []

    def size() -> int:
        asked.append("size")
        return 7

    steps = Steps(VirtualClock())
    note_use("disk/1", size)
    with steps.noted():
        note_use("disk/1", size)
        for whom in (("a", "libvirt"), ("a", "libvirt"), ("a", "microvm")):
            with working_for(whom):
                note_use("disk/1", size)
    assert [(use.whom, use.entry, use.bytes) for use in steps.uses.values()] == [
        (("a", "libvirt"), "disk/1", 7),
        (("a", "microvm"), "disk/1", 7),
    ]
    assert len(asked) == 2
