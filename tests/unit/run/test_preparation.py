"""What a preparation says while it runs and at its end, and the files that are made beside each other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bench.records.manifest import PreparationEntry, PreparationStep, SittingEntry
from bench.run.ahead import done_beside
from bench.run.preparation import Preparation, _running, summary
from bench.util import proc
from bench.util.clock import VirtualClock
from bench.util.steps import Step, measured_by, note_use, step, working_for
from tests.waiting import LIMIT_S, wait_until

GIB = 2**30


def entry_of(work: Callable[[VirtualClock], None]) -> PreparationEntry:
    clock = VirtualClock()
    preparation = Preparation(clock)
    with preparation.shown(lambda _text: None):
        work(clock)
    return preparation.entry()


def test_steps_of_one_name_are_added_and_named_in_plain_words() -> None:
    def work(clock: VirtualClock) -> None:
        for size in (GIB, GIB):
            with step("tar"):
                measured_by(lambda size=size: size)  # type: ignore[misc]
                clock.sleep(4.5)
        with step("disk"):
            clock.sleep(14)
        with step("digest"):
            clock.sleep(0.05)

    entry = entry_of(work)
    assert [(one.name, one.bytes) for one in entry.steps] == [("export", 2 * GIB), ("disk", None), ("digest", None)]
    assert summary(entry) == "prepared in 23.1 s: export 9.00 s (2.00 GiB), disk 14.0 s"


def test_a_preparation_without_work_is_one_short_sentence() -> None:
    assert summary(entry_of(lambda clock: clock.sleep(0.5))) == "prepared in 500 ms"


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (0, None, "disk"),
        (2**29, GIB, "disk: 512 MiB of 1.00 GiB, 256 MiB/s"),
        (2**29, None, "disk: 512 MiB, 256 MiB/s"),
        (GIB, 2**29, "disk: 1.00 GiB, 512 MiB/s"),  # an estimate that was too small
    ],
)
def test_a_running_step_has_its_size_and_rate(done: int, total: int | None, line: str) -> None:
    assert _running(Step("disk", 0, total_bytes=total, measure=lambda: done), 2 * 10**9) == line


def test_a_step_whose_bytes_are_known_is_shown_while_it_runs() -> None:
    said: list[str] = []
    heard = threading.Event()

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    with Preparation().shown(say), step("tree"):
        measured_by(lambda: 4096, total_bytes=8192)
        assert heard.wait(LIMIT_S)
    assert said[0].startswith("  unpack: 4.00 KiB of 8.00 KiB, "), "a log leaves out what is indented"


def test_a_manifest_of_an_older_version_has_no_preparation() -> None:
    assert SittingEntry.model_validate_json('{"started_at": "2026-01-01"}').preparation is None
    entry = SittingEntry(
        started_at="x", preparation=PreparationEntry(took_ns=5, steps=(PreparationStep(name="a", took_ns=1, bytes=2),))
    )
    assert SittingEntry.model_validate_json(entry.model_dump_json()) == entry


def test_works_are_done_beside_the_block_and_waited_for() -> None:
    order: list[str] = []
    begun = threading.Event()

    def work() -> None:
        begun.wait(LIMIT_S)
        order.append("work")

    with done_beside([work]):
        order.append("block")
        begun.set()
    assert order == ["block", "work"]


def test_an_error_of_a_work_is_left_to_whoever_needs_its_file() -> None:
    def fail() -> None:
        raise OSError

    with done_beside([fail]):
        pass


@pytest.mark.host
def test_an_interrupt_ends_the_programs_of_the_works() -> None:
    begun: list[str] = []
    ended: list[str] = []

    def work() -> None:
        begun.append("sleep")
        try:
            proc.run(["sleep", "1000"], timeout_s=2000)
        finally:
            ended.append("sleep")

    def interrupt() -> None:
        with done_beside([work]):
            wait_until(lambda: begun, "the work has begun")
            wait_until(proc.unwaited_pids, "its program runs")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert ended == ["sleep"]


def _parts(entry: PreparationEntry) -> dict[tuple[str, str, str], tuple[float | None, int, int | None]]:
    """Seconds, number from the cache and bytes by scenario, target and name."""
    return {
        (part.scenario, part.target, part.name): (
            None if part.took_ns is None else part.took_ns / 10**9,
            part.cached,
            part.bytes,
        )
        for part in entry.parts
    }


def test_who_needed_what_is_noted_with_what_was_in_the_cache() -> None:
    def work(clock: VirtualClock) -> None:
        with working_for(("", "libvirt")):
            note_use("kernel/1", lambda: 12)
        with working_for(("hello", "")), step("build"):
            clock.sleep(3)
        # Ahead, for nobody in particular.
        with step("disk", entry="disk/1"):
            clock.sleep(2)
        for target in ("libvirt", "microvm"):
            with working_for(("hello", target)):
                note_use("disk/1", lambda: 9)
        with working_for(("hello", "libvirt")):
            note_use("module/1", lambda: 1)
            with step("module", entry="module/2"):
                clock.sleep(1)
            note_use("module/2", lambda: 2)
            note_use("digest/1", lambda: 1)
        with step("sync"):
            clock.sleep(1)

    assert _parts(entry_of(work)) == {
        ("hello", "", "build"): (3, 0, None),
        ("", "libvirt", "guest kernel"): (None, 1, 12),
        ("hello", "libvirt", "disk"): (2, 0, 9),
        ("hello", "microvm", "disk"): (2, 0, 9),
        ("hello", "libvirt", "guest modules"): (1, 1, 3),
    }


def test_what_all_share_is_not_a_targets_own() -> None:
    def work(clock: VirtualClock) -> None:
        for whom in (("", "vmm"), ("hello", ""), ("hello", "vmm"), ("web", "runc")):
            with working_for(whom):
                note_use("agent/1", lambda: 1)
        with working_for(("", "uml")):
            note_use("kernel/1", lambda: 1)
        with working_for(("hello", "uml")):
            note_use("kernel/1", lambda: 1)
        clock.sleep(1)

    assert list(_parts(entry_of(work))) == [
        ("hello", "", "compile the agent"),
        ("web", "runc", "compile the agent"),
        ("", "uml", "guest kernel"),
    ]


def test_bytes_that_are_not_kept_in_the_cache_are_no_bytes_on_disk() -> None:
    def work(clock: VirtualClock) -> None:
        with working_for(("hello", "docker")):
            with step("saved", entry="saved/1"):
                measured_by(lambda: 60)
                clock.sleep(1)
            note_use("saved/1", lambda: 60)
            with step("load"):
                measured_by(lambda: 60)
                clock.sleep(2)

    assert _parts(entry_of(work)) == {
        ("hello", "docker", "load"): (2, 0, None),
        ("hello", "docker", "archive"): (1, 0, 60),
    }


def test_a_step_does_not_count_what_is_done_in_it() -> None:
    def work(clock: VirtualClock) -> None:
        with working_for(("hello", "")), step("build"):
            clock.sleep(1)
            with step("base", entry="base/1"):
                clock.sleep(5)
            note_use("base/1", lambda: 7)

    assert _parts(entry_of(work)) == {
        ("hello", "", "build"): (1, 0, None),
        ("hello", "", "base image"): (5, 0, 7),
    }
