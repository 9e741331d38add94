"""Errors that no code expects: in every kind of trial they end in a failed record, and the campaign goes on."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import docker.errors
import pytest

from bench.agent.boxconf import BoxConfig
from bench.agent.timeline import Timeline
from bench.host import campaign_lock, read_counters
from bench.host import run_directory as rundir
from bench.host.counters import Counters
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.records.campaign import read_records
from bench.records.manifest import ImageEntry, read_manifest
from bench.records.record import Endpoint, Record, parse_record
from bench.run import box, campaign, frame, limits, session, trial
from bench.run.box import Setting
from bench.run.campaign import start_campaign
from bench.run.cleanup import Leftover
from bench.run.frame import TRACEBACK, Outcome
from bench.run.prepare import Prepared
from bench.run.residents.trial import run_residents
from bench.run.session import Request
from bench.run.storm.trial import run_storm
from bench.run.trial import run_trial
from bench.scenario.model import Design, LoadedScenario, ReadyFirstLine, Scenario, Workload
from bench.scenario.secrets import NOT_SHOWN
from bench.scenario.storm import Storm
from bench.targets.base import Order, Output
from bench.util.clock import MonotonicClock
from bench.util.errors import CampaignError, LaunchError, TeardownError
from tests.unit.run.test_campaign import Silent
from tests.unit.run.test_storm import _Box, _Target
from tests.unit.run.test_trial import GOOD, MS, FakeBox, FakeTarget
from tests.waiting import LIMIT_S

Run = Callable[[str, Any], tuple[Record, Output | None]]
RUNNERS: Final = {"one": run_trial, "storm": run_storm, "residents": run_residents}
FACTORS: Final[dict[str, dict[str, str]]] = {
    "one": {},
    "storm": {"concurrency": "2"},
    "residents": {"residents": "2"},
}


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/lib/boxbench")


def fail(error: BaseException) -> None:
    raise error


FAULTS: Final[Mapping[str, tuple[str, Callable[[], BaseException], str]]] = {
    "recursion": ("start", lambda: RecursionError("too deep"), "RecursionError: too deep"),
    "full disk": ("provision", no_space, "OSError: [Errno 28] No space left on device: '/var/lib/boxbench'"),
    "null in env": ("start", lambda: ValueError("embedded null byte"), "ValueError: embedded null byte"),
    "no unicode": ("start", lambda: RuntimeError("\udc80 wrote \x1b[31m\0red"), "RuntimeError: ? wrote  red"),
}
"""By name: the step, the error that is raised there, and how the failure names it."""


class Faulty(FakeTarget):
    """Boxes of one trial, or residents; ``fault`` is raised at the step ``at``."""

    def __init__(self, at: str, fault: BaseException) -> None:
        super().__init__(GOOD, refuses=fault if at == "start" else None)
        self._fault = fault if at == "provision" else None

    @contextmanager
    def provision(self, order: Order) -> Iterator[FakeBox]:
        if self._fault is not None:
            raise self._fault
        with super().provision(order) as made:
            yield made


class FaultyStorm(_Target):
    """Boxes of a storm; the second one has the fault."""

    def __init__(self, at: str, fault: BaseException) -> None:
        super().__init__({})
        self._at, self._fault = at, fault

    @contextmanager
    def provision(self, order: Order) -> Iterator[_Box]:
        second = order.tag.endswith("m01")
        if self._at == "provision" and second:
            raise self._fault
        with super().provision(order) as made:
            if self._at == "start" and second:
                made.start = self._raise  # type: ignore[method-assign]
            yield made

    def _raise(self) -> None:
        raise self._fault


def good_target(kind: str) -> Any:
    return _Target({}) if kind == "storm" else FakeTarget(GOOD)


def target_of(kind: str, at: str, fault: BaseException) -> Any:
    return FaultyStorm(at, fault) if kind == "storm" else Faulty(at, fault)


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours is on this host."""
    for module in (rundir, campaign_lock):
        monkeypatch.setattr(module, "run_root", lambda: tmp_path / "run")
    monkeypatch.setattr(campaign_lock, "HOST_NAME", f"\0boxbench-test-{os.getpid()}")
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: ())
    monkeypatch.setattr(limits, "find_groups", lambda _tag: [])


def setting_of(target: Any, tmp_path: Path) -> Setting:
    scenario = Scenario(
        question="?",
        name="made",
        workload=Workload(env={"API_TOKEN": "hush-hush", "MODE": "fast"}),
        ready=ReadyFirstLine(when="first-line"),
        design=Design(settle=100 * MS, blocks=2, warmups=0),
        storm=Storm(max_lateness=10**10),
    )
    config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
    image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, tmp_path / "tar", {})
    clock = getattr(target, "clock", None) or MonotonicClock()
    return Setting("0badcafe", scenario, image, target, (0,), clock)


def cell_of(kind: str) -> Cell:
    return Cell(scenario="made", target="fake", accel="native", factors=FACTORS[kind])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One trial of a kind with a target; afterwards nothing of it may be left."""

    def one(kind: str, target: Any) -> tuple[Record, Output | None]:
        planned = Trial(number=3, block=0, cell=cell_of(kind), warmup=False)
        found = RUNNERS[kind](planned, setting_of(target, tmp_path))
        assert_nothing_left(tmp_path)
        return found

    return one


def assert_nothing_left(tmp_path: Path) -> None:
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith("boxbench-") or name in ("last-values", "sampler")] == []
    assert not list((tmp_path / "run").glob("*/boxbench-*"))
    assert not list((tmp_path / "boxes").glob("*"))


def assert_failed(record: Record, output: Output | None, text: str) -> str:
    """A failed record that can be stored and read and that names the error; returns the kept traceback."""
    assert record.outcome == "failed"
    assert record.failure is not None
    assert record.failure.code == "InternalError"
    assert text in record.failure.message
    assert f"artefacts/t0003/{TRACEBACK}" in record.failure.hint
    assert parse_record(record.line(), where="here") == record
    assert output is not None
    kept = output.contents()[TRACEBACK].decode()
    assert kept.startswith("Traceback (most recent call last):")
    return kept


@pytest.mark.parametrize("kind", RUNNERS)
@pytest.mark.parametrize("name", FAULTS)
def test_an_unexpected_error_becomes_a_failed_record(run: Run, kind: str, name: str) -> None:
    at, fault, text = FAULTS[name]
    record, output = run(kind, target_of(kind, at, fault()))
    kept = assert_failed(record, output, text)
    assert type(fault()).__name__ in kept
    assert f"in {'_raise' if kind == 'storm' and at == 'start' else at}\n" in kept, "it shows where"


@pytest.mark.parametrize("kind", RUNNERS)
def test_text_that_is_no_unicode_becomes_a_failed_record(run: Run, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "doubts", lambda *_args, **_more: ("steal:\udcff",))
    record, output = run(kind, good_target(kind))
    assert_failed(record, output, "surrogates not allowed")
    assert "steal:?" in record.doubts


@pytest.mark.parametrize("kind", RUNNERS)
def test_a_workload_that_names_a_group_in_bytes_loses_no_value(
    run: Run, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays() -> None:
        raise TeardownError("\udcfe stays", hint="look")

    stuck = Leftover("cgroup", "/sys/fs/cgroup/boxbench/boxbench-0badcafe-t0003/\udcff\n\x1b[31m", stays)
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: (stuck,))
    record, _ = run(kind, good_target(kind))
    assert record.outcome == "ok"
    assert parse_record(record.line(), where="here") == record
    name = "cgroup /sys/fs/cgroup/boxbench/boxbench-0badcafe-t0003/? "
    assert f"leftover: {name}" in record.doubts
    assert f"not removed: {name}: ? stays (look)" in record.doubts


def test_a_box_that_is_ready_before_the_request_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A VM that is up before its container is requested may send what it likes."""
    real = box.start_box

    def start_late(made: FakeBox, timeline: Timeline) -> None:
        os.write(made._write, b"BB1 mark ready 1\n")
        assert timeline.wait_for(lambda: bool(timeline.errors), timeout_s=LIMIT_S)
        real(made, timeline)

    monkeypatch.setattr(trial, "start_box", start_late)
    record, _ = run("one", FakeTarget(()))
    assert record.failure is not None
    assert record.failure.code == "NotReadyError"
    assert "the box sent a mark before it was requested" in record.failure.message
    assert set(record.endpoints_ns) > {Endpoint.REQUESTED, Endpoint.CREATED}, "what was measured is still there"


@pytest.mark.parametrize("kind", RUNNERS)
def test_a_full_disk_before_the_box_is_made_is_a_failed_record(
    run: Run, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(box, "private_directory", lambda _path: fail(no_space()))
    record, output = run(kind, good_target(kind))
    assert_failed(record, output, "No space left on device")


def stuck(target: Any) -> Any:
    """Its boxes cannot be removed, and the reason is another error that the removal replaces."""
    provision = target.provision

    @contextmanager
    def stays(order: Order) -> Iterator[Any]:
        with provision(order) as made:
            try:
                yield made
            finally:
                try:
                    fail(no_space())
                except OSError:
                    raise TeardownError("it stays", hint="look") from None

    target.provision = stays
    return target


@pytest.mark.parametrize("kind", RUNNERS)
def test_ctrl_c_is_not_lost_in_a_removal_that_fails(run: Run, kind: str) -> None:
    at = "provision" if kind == "storm" else "start"
    with pytest.raises(KeyboardInterrupt):
        run(kind, stuck(target_of(kind, at, KeyboardInterrupt())))


@pytest.mark.parametrize("kind", RUNNERS)
def test_the_first_error_is_not_lost_in_a_removal_that_fails(run: Run, kind: str) -> None:
    at = "provision" if kind == "storm" else "start"
    record, _ = run(kind, stuck(target_of(kind, at, LaunchError("refused", hint="wait"))))
    assert record.failure is not None
    assert record.failure.message.endswith("refused")
    assert record.outcome == "failed"
    assert "No space left" not in record.line()


def test_an_unexpected_error_of_one_box_fails_the_storm_and_stops_the_others(run: Run) -> None:
    target = FaultyStorm("start", RecursionError("too deep"))
    record, _ = run("storm", target)
    assert [member.outcome for member in record.members] == ["ok", "failed"]
    assert record.failure is not None
    assert record.failure.message.startswith("box 1: an unexpected error: RecursionError: too deep")
    assert target.boxes("stop") == ["m00"]
    assert target.boxes("removed") == ["m01", "m00"]


def test_an_unexpected_error_of_one_resident_names_the_box(run: Run) -> None:
    record, _ = run("residents", Faulty("start", RecursionError("too deep")))
    assert [member.outcome for member in record.members] == ["failed"]
    assert record.failure is not None
    assert record.failure.message.startswith("box 1 of 2: an unexpected error: RecursionError: too deep")


def test_errors_of_start_and_removal_are_both_kept(run: Run) -> None:
    class Broken(Faulty):
        @contextmanager
        def provision(self, order: Order) -> Iterator[FakeBox]:
            with super().provision(order) as made:
                yield made
            raise KeyError("gone")

    record, output = run("one", Broken("start", RecursionError("too deep")))
    kept = assert_failed(record, output, "RecursionError: too deep")
    assert any("KeyError: 'gone'" in doubt for doubt in record.doubts)
    assert kept.count("Traceback (most recent call last):") == 2


@pytest.mark.parametrize("kind", RUNNERS)
def test_errors_of_provisioning_and_its_own_cleanup_are_both_kept(run: Run, kind: str) -> None:
    class Broken(FakeTarget):
        @contextmanager
        def provision(self, order: Order) -> Iterator[FakeBox]:
            try:
                fail(no_space())
            finally:
                fail(ValueError("the cleanup fails, too"))
            yield FakeBox(order, self)

    record, output = run(kind, Broken(GOOD))
    kept = assert_failed(record, output, "No space left on device")
    assert any("the cleanup fails, too" in doubt for doubt in record.doubts)
    assert "During handling of the above exception" in kept


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "no access", "/proc"),
        IndexError("list index out of range"),
        docker.errors.DockerException("Invalid bind address protocol: foo://x"),
        RecursionError("maximum recursion depth exceeded"),
    ],
)
def test_an_error_of_the_search_for_remains_is_kept(
    run: Run, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: fail(error))
    record, output = run("one", FakeTarget(GOOD))
    assert_failed(record, output, f"{type(error).__name__}: ")
    assert record.endpoints_ns, "what was measured is still there"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", RUNNERS)
def test_an_error_of_the_hosts_counters_is_kept(
    run: Run, kind: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = iter([when == "before", when == "after"])

    def read() -> Counters:
        if next(reads):
            raise ValueError("a counter is no number")
        return read_counters()

    monkeypatch.setattr(frame, "read_counters", read)
    record, output = run(kind, good_target(kind))
    assert_failed(record, output, "ValueError: a counter is no number")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_storm_ends_although_the_error_of_a_box_cannot_be_noted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Outcome.note

    def note(outcome: Outcome, error: BaseException) -> None:
        if threading.current_thread().name == "boxbench-m01":
            raise MemoryError
        real(outcome, error)

    monkeypatch.setattr(Outcome, "note", note)
    record, _ = run("storm", FaultyStorm("start", RecursionError("too deep")))
    assert record.outcome == "failed"
    assert [member.number for member in record.members] == [0, 1]


@pytest.mark.parametrize("kind", RUNNERS)
def test_an_interrupt_is_no_such_error(run: Run, kind: str, tmp_path: Path) -> None:
    target = target_of(kind, "provision", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(kind, target)
    assert_nothing_left(tmp_path)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[Record, ...]]:
    """Runs a campaign of every kind of trial, each with another fault, into the directory ``out``."""

    def go() -> tuple[Record, ...]:
        faults: Sequence[tuple[str, str, BaseException]] = [
            ("one", "start", RecursionError("too deep")),
            ("storm", "provision", no_space()),
            ("residents", "start", ValueError("embedded null byte")),
        ]
        settings = {cell_of(kind): setting_of(target_of(kind, at, fault), tmp_path) for kind, at, fault in faults}
        scenario = next(iter(settings.values())).scenario
        image = ImageEntry(id="sha256:0", digest="ab" * 32, sizes_bytes={})
        engines: Any = SimpleNamespace(opened_docker=SimpleNamespace(client=None))
        prepared = Prepared("0badcafe", engines, settings, {"made": image}, {"fake": {}})
        monkeypatch.setattr(session, "prepare", lambda *_args, **_more: nullcontext(prepared))
        monkeypatch.setattr(session, "find_containers", lambda _client, _tag: ())
        monkeypatch.setattr(campaign, "certify", lambda *_args, **_more: {})
        monkeypatch.setattr(campaign, "check_names", lambda _scenarios: None)
        loaded = LoadedScenario(scenario=scenario, directory=tmp_path, text="")
        return start_campaign(Request((loaded,), tmp_path / "out", seed=1), Silent())

    return go


def test_a_campaign_goes_on_after_unexpected_errors(start: Callable[[], tuple[Record, ...]], tmp_path: Path) -> None:
    records = start()
    assert len(records) == 6
    assert read_records(tmp_path / "out") == records
    for record in records:
        assert record.failure is not None
        assert record.failure.code == "InternalError"
        assert record.failure.hint.endswith(record.artefacts[TRACEBACK])
        kept = (tmp_path / "out" / record.artefacts[TRACEBACK]).read_text()
        assert "Traceback (most recent call last):" in kept
    assert_nothing_left(tmp_path)


def test_no_secret_value_is_in_a_campaign(start: Callable[[], tuple[Record, ...]], tmp_path: Path) -> None:
    start()
    (entry,) = read_manifest(tmp_path / "out").scenarios.values()
    assert entry.scenario.workload.env == {"API_TOKEN": NOT_SHOWN, "MODE": "fast"}
    assert not [file for file in (tmp_path / "out").rglob("*") if file.is_file() and b"hush" in file.read_bytes()]


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's campaign makes other users wait")
def test_root_measures_beside_a_campaign_of_another_user_and_every_report_says_so(
    start: Callable[[], tuple[Record, ...]], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as another:
        another.bind(campaign_lock.HOST_NAME)
        another.listen()
        start()
    (note,) = read_manifest(tmp_path / "out").notes
    assert note.startswith(f"process {os.getpid()} of user root holds the name")


def test_a_disk_too_full_for_a_traceback_stops_the_campaign_in_order(
    start: Callable[[], tuple[Record, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(fd: int) -> None:
        if TRACEBACK in str(Path(f"/proc/self/fd/{fd}").readlink()):
            raise no_space()
        real(fd)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CampaignError, match=r"the output of trial t0000 cannot be written .* No space left"):
        start()
    assert read_records(tmp_path / "out") == ()
    assert_nothing_left(tmp_path)
