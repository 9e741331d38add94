"""Work that is shared with a copy of this process has the results of work that is not."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.analyse import analyse
from bench.render.figures import campaign_figures, report_figures
from bench.util import interrupts, parallel
from bench.util.parallel import can_share, shared_in_order, shared_out, shared_stages
from tests.factories import THREE, make_manifest, make_records
from tests.waiting import wait_until

pytestmark = pytest.mark.host


def wait_for(directory: Path, count: int) -> None:
    """Until the directory has so many files."""
    wait_until(lambda: len(list(directory.iterdir())) >= count, "a piece of work of the other process")


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a host with two CPUs, whatever threads the runner of tests has."""
    monkeypatch.setattr(parallel, "can_share", lambda: True)


@pytest.mark.usefixtures("sharing")
def test_results_have_their_order_whoever_made_them(tmp_path: Path) -> None:
    def work(number: int) -> tuple[int, int]:
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        return number * number, os.getpid()

    found = shared_out(50, work)
    assert [square for square, _ in found] == [number * number for number in range(50)]
    assert len({process for _, process in found}) == 2


@pytest.mark.usefixtures("sharing")
def test_what_a_killed_copy_left_is_done_here(tmp_path: Path) -> None:
    original = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != original:
            (tmp_path / "begun").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        wait_for(tmp_path, 1)
        return number

    assert shared_out(8, work) == list(range(8))


@pytest.mark.usefixtures("sharing")
def test_a_host_without_room_for_a_copy_costs_only_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError

    monkeypatch.setattr("os.fork", full)
    assert shared_out(8, lambda number: number) == list(range(8))


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("refused", ["os.pipe", "os.memfd_create"])
def test_a_host_that_refuses_a_file_costs_only_time(monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """As for a seccomp filter, an older kernel, or too many open files."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    before = set(Path("/proc/self/fd").iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(refused, refuse)
        assert shared_out(8, lambda number: number) == list(range(8))
    assert set(Path("/proc/self/fd").iterdir()) <= before


def hanging_in_copies(places: Path) -> Callable[[int], int]:
    """Work that never ends in a copy; the original waits with its own until one hangs."""
    original = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != original:
            (places / "begun").touch()
            while True:
                signal.pause()
        wait_for(places, 1)
        return number

    return work


@pytest.mark.usefixtures("sharing")
def test_a_copy_that_hangs_is_ended_and_its_work_is_done_here(tmp_path: Path) -> None:
    assert shared_out(8, hanging_in_copies(tmp_path), limit_s=0.01) == list(range(8))


@pytest.mark.usefixtures("sharing")
def test_a_copy_that_hangs_in_its_first_stage_is_ended(tmp_path: Path) -> None:
    with shared_stages(8, hanging_in_copies(tmp_path), lambda number: -number, limit_s=0.01) as stages:
        assert stages.first() == list(range(8))
        assert stages.second() == [-number for number in range(8)]


class Unreadable:
    """Can be pickled, and not read back in the original."""

    def __init__(self, original: int) -> None:
        self.original = original

    def __reduce__(self) -> tuple[Callable[[int], Unreadable], tuple[int]]:
        return read_back, (self.original,)


def read_back(original: int) -> Unreadable:
    if os.getpid() == original:
        raise EOFError
    return Unreadable(original)


@pytest.mark.usefixtures("sharing")
def test_a_result_that_cannot_be_read_back_is_made_here(tmp_path: Path) -> None:
    original = os.getpid()

    def work(number: int) -> int | Unreadable:
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        return number if os.getpid() == original else Unreadable(original)

    assert shared_out(8, work) == list(range(8))


@pytest.mark.usefixtures("sharing")
def test_signals_are_as_before_and_end_a_copy(tmp_path: Path) -> None:
    original, before = os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def work(number: int) -> set[int]:
        if os.getpid() != original:
            (tmp_path / "begun").touch()
            os.kill(os.getpid(), signal.SIGTERM)
        wait_for(tmp_path, 1)
        return signal.pthread_sigmask(signal.SIG_BLOCK, ())

    assert shared_out(8, work) == [before] * 8
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.usefixtures("sharing")
@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_runs_no_handler_of_the_original_in_a_copy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    def struck(_original: int) -> None:
        os.kill(os.getpid(), number)

    def handle(*_: object) -> None:
        (tmp_path / str(os.getpid())).touch()

    monkeypatch.setattr(parallel, "end_with", struck)
    former = signal.signal(number, handle)
    try:
        assert shared_out(8, lambda number: number) == list(range(8))
    finally:
        signal.signal(number, former)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("sharing")
def test_a_signal_that_is_ignored_ends_no_copy(tmp_path: Path) -> None:
    """That is how ``nohup`` works."""
    original = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != original:
            os.kill(os.getpid(), signal.SIGHUP)
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        return number

    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert shared_out(8, work) == list(range(8))
    finally:
        signal.signal(signal.SIGHUP, former)


_DRAWS_FOR_EVER = """
import os, pathlib, signal, sys
from bench.util import parallel

def work(number):
    pathlib.Path(sys.argv[1], str(os.getpid())).touch()
    signal.pause()

parallel.can_share = lambda: True
parallel.shared_out(8, work)
"""


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; who adopts it may not have looked yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_copy_ends_with_an_original_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _DRAWS_FOR_EVER, str(tmp_path)]) as original:
        wait_for(tmp_path, 2)
        original.kill()
    (copy,) = {int(file.name) for file in tmp_path.iterdir()} - {original.pid}
    try:
        wait_until(lambda: _is_gone(copy), "the end of the copy")
    finally:
        with suppress(ProcessLookupError):
            os.kill(copy, signal.SIGKILL)


@pytest.mark.usefixtures("sharing")
def test_an_error_of_a_copy_is_raised_here(tmp_path: Path) -> None:
    original = os.getpid()

    def work(number: int) -> int:
        if os.getpid() != original:
            (tmp_path / str(number)).touch()
            raise ValueError(f"piece {number}")
        wait_for(tmp_path, 1)
        if (tmp_path / str(number)).exists():
            raise ValueError(f"piece {number}")
        return number

    with pytest.raises(ValueError, match="piece"):
        shared_out(8, work)


def test_results_come_before_all_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a copy, which might have made the first result."""
    monkeypatch.setattr(parallel, "can_share", lambda: False)
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        return number

    found = shared_in_order(1000, work)
    assert next(found) == 0
    assert begun == [0]
    assert list(found) == list(range(1, 1000))


@pytest.mark.usefixtures("sharing")
def test_work_that_is_given_up_ends_its_copy(tmp_path: Path) -> None:
    def work(number: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        return number

    found = shared_in_order(1000, work)
    next(found)
    found.close()
    (copy,) = {int(file.name) for file in tmp_path.iterdir()} - {os.getpid()}
    with pytest.raises(ProcessLookupError):
        os.kill(copy, 0)


@pytest.mark.usefixtures("sharing")
def test_the_second_stage_is_where_the_first_was(tmp_path: Path) -> None:
    left: dict[int, int] = {}

    def first(number: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        left[number] = os.getpid()
        return number * number

    with shared_stages(50, first, lambda number: (number, left[number], os.getpid())) as stages:
        assert stages.first() == [number * number for number in range(50)]
        found = stages.second()
    assert [number for number, _, _ in found] == list(range(50))
    assert all(before == after for _, before, after in found)
    assert len({process for _, _, process in found}) == 2


@pytest.mark.usefixtures("sharing")
def test_the_second_stage_of_a_killed_copy_is_done_here(tmp_path: Path) -> None:
    original, left = os.getpid(), dict[int, int]()

    def first(number: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        wait_for(tmp_path, 2)
        left[number] = number
        return number

    def second(number: int) -> int:
        if os.getpid() != original:
            os.kill(os.getpid(), signal.SIGKILL)
        return -left[number]

    with shared_stages(20, first, second) as stages:
        assert stages.first() == list(range(20))
        assert stages.second() == [-number for number in range(20)]


def test_a_process_with_threads_is_not_copied() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not can_share()
    finally:
        done.set()
        thread.join()


def test_the_thread_of_a_progress_display_is_no_hindrance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    before = can_share()
    with Console(file=io.StringIO(), force_terminal=True).status("writing the report"):
        assert can_share() == before
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert not can_share()


def test_figures_are_the_same_with_and_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_manifest(("hello", "other"), THREE)
    analysis = analyse(manifest, make_records(manifest, THREE))
    found = []
    for shared in (False, True):
        monkeypatch.setattr(parallel, "can_share", lambda shared=shared: shared)
        found.append(campaign_figures(analysis, png=True))
    assert len(found[0]) > 8
    assert found[0] == found[1]


def test_a_report_has_the_pictures_of_its_figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest = make_manifest(("hello", "other"), THREE)
    analysis = analyse(manifest, make_records(manifest, THREE))
    figures = campaign_figures(analysis, png=True)
    for shared in (False, True):
        monkeypatch.setattr(parallel, "can_share", lambda shared=shared: shared)
        folder = tmp_path / str(shared)
        with report_figures(analysis, png=True) as drawn:
            assert [one.light_svg for one in drawn.save(folder)] == [one.light_svg for one in figures]
            assert not list(folder.glob("*.png"))
            drawn.save_pictures(folder)
        assert {file.stem: file.read_bytes() for file in folder.glob("*.png")} == {
            one.name: one.light_png for one in figures
        }
