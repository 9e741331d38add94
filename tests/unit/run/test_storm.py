"""The order of a storm's phases, with boxes made up for the purpose on the real clock: what comes before what, and what
is ended when something goes wrong in the middle."""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest

from bench.agent.boxconf import BoxConfig
from bench.agent.timeline import Timeline
from bench.analysis.storms import storm_values
from bench.host import run_directory as rundir
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.records.component import Component
from bench.records.record import Endpoint, Record
from bench.run import box, frame, limits
from bench.run.box import BoxRun, Setting
from bench.run.frame import Outcome
from bench.run.storm import box as storm_box
from bench.run.storm import trial as storm_trial
from bench.run.storm.box import StormBox, StormEvents
from bench.run.storm.trial import run_storm
from bench.scenario.model import Design, ReadyFirstLine, Scenario
from bench.scenario.storm import Storm
from bench.targets.base import Box, Order, Output
from bench.util.clock import MonotonicClock
from bench.util.deadline import deadline_after
from bench.util.errors import LaunchError, TeardownError
from tests.waiting import LIMIT_S, PATIENCES_S

# No process has this number: the kernel's highest is 2^22.
MS: Final = 10**6
LATE_NS: Final = round(LIMIT_S * 10**9)
"""No request of a test is that late, whatever the host does."""
NOBODY: Final = 2**22 + 1


class _Pipe:
    """A channel on which nothing is said: the boxes mark by themselves."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def connect(self, cancel: int) -> int | None:
        del cancel
        return self._read

    def send(self, data: bytes) -> None:
        del data

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class _Box(Box):
    def __init__(self, order: Order, target: _Target) -> None:
        self._order, self._target = order, target
        self.name = order.tag.rpartition("-")[2]
        self.channel = _Pipe()
        self._alive = False
        self._asked = 0

    def asked(self) -> int:
        """How often somebody has asked for its main process."""
        self._asked += 1
        return self._asked

    def start(self) -> None:
        self._target.say("start", self.name)
        self._target.switch_interval_s = sys.getswitchinterval()
        self._alive = True
        behaviour = self._target.behaviour.get(self.name, "")
        if behaviour == "refused":
            raise LaunchError("the engine is full", hint="wait")
        if behaviour == "ctrl-c":
            _thread.interrupt_main()
        elif behaviour != "hangs":
            self._order.mark(Endpoint.READY)

    def main_pid(self) -> int | None:
        return NOBODY if self._alive else None

    def processes(self) -> Mapping[str, Sequence[int]]:
        return self._target.processes

    def stop(self) -> None:
        self._target.say("stop", self.name)
        self._alive = False

    def kill(self) -> None:
        self._target.say("kill", self.name)
        self._alive = False

    def disk_bytes(self) -> Mapping[str, int]:
        return {}

    def output(self, *, ended: bool) -> Output:
        del ended
        return Output(self.name.encode(), b"")


class _Target:
    name: ClassVar[str] = "fake"
    accel = "native"

    def __init__(self, behaviour: Mapping[str, str]) -> None:
        self.behaviour = behaviour
        self.log: list[tuple[str, str]] = []
        self.switch_interval_s = 0.0
        self.processes: Mapping[str, Sequence[int]] = {}
        self._lock = threading.Lock()

    def say(self, what: str, box: str) -> None:
        with self._lock:
            self.log.append((what, box))

    def boxes(self, what: str) -> list[str]:
        return [box for verb, box in self.log if verb == what]

    @contextmanager
    def provision(self, order: Order) -> Iterator[_Box]:
        box = _Box(order, self)
        self.say("provision", box.name)
        if self.behaviour.get(box.name) == "impossible":
            raise LaunchError("no room for it", hint="make room")
        try:
            yield box
        finally:
            self.say("removed", box.name)
            if self.behaviour.get(box.name) == "stays":
                raise TeardownError("it is still there", hint="look")


@pytest.fixture
def blow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[_Target, Record, Output | None]]:
    """A storm below a temporary directory; no thread of it may outlive it."""
    monkeypatch.setattr(rundir, "run_root", lambda: tmp_path / "run")
    monkeypatch.setattr(box, "boxes_root", lambda: tmp_path / "boxes")
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: ())
    monkeypatch.setattr(limits, "find_groups", lambda _tag: [])

    def one(
        boxes: int,
        behaviour: Mapping[str, str],
        storm: Storm | None = None,
        *,
        target: _Target | None = None,
        number: int = 3,
        block: int = 0,
        residents: int = 0,
        clock: MonotonicClock | None = None,
        patience_s: float = LIMIT_S,
    ) -> tuple[_Target, Record, Output | None]:
        target = target or _Target(behaviour)
        ready = ReadyFirstLine(when="first-line", timeout=round(patience_s * 10**9))
        scenario = Scenario(question="?", name="made", ready=ready, storm=storm or Storm(max_lateness=LATE_NS))
        config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
        image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, tmp_path / "tar", {})
        setting = Setting("0badcafe", scenario, image, target, (0,), clock or MonotonicClock())  # type: ignore[arg-type]
        cell = Cell(scenario="made", target="fake", accel="native", factors={"concurrency": str(boxes)})
        if residents:
            cell = cell.model_copy(update={"factors": {**cell.factors, "residents": str(residents)}})
        try:
            record, output = run_storm(Trial(number=number, block=block, cell=cell, warmup=False), setting)
        finally:
            assert [t.name for t in threading.enumerate() if t.name.startswith("boxbench-")] == []
            assert not list((tmp_path / "run").glob("*/*"))
            assert not list((tmp_path / "boxes").iterdir())
        return target, record, output

    return one


def test_the_order_of_phases(blow: Callable[..., tuple[_Target, Record, Output | None]]) -> None:
    target, record, output = blow(3, {})
    names = ["m00", "m01", "m02"]
    verbs = [verb for verb, _ in target.log]
    assert verbs == ["provision"] * 3 + ["start"] * 3 + ["stop"] * 3 + ["removed"] * 3
    assert target.boxes("provision") == names
    assert sorted(target.boxes("start")) == sorted(target.boxes("stop")) == names
    assert target.boxes("removed") == names[::-1]
    assert (record.outcome, output) == ("ok", None)
    assert [member.outcome for member in record.members] == ["ok"] * 3
    assert target.switch_interval_s == pytest.approx(0.0001)


def test_a_schedule_is_kept_and_is_where_clocks_start(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    storm = Storm(interval=30 * 10**6, max_lateness=LATE_NS)
    wanted = ["timeout", "ok", "ok", "ok"]
    for patience_s in PATIENCES_S:
        target, record, _ = blow(4, {"m00": "hangs"}, storm, patience_s=patience_s)
        if [member.outcome for member in record.members] == wanted:
            break
    # A thread starts each box, so a busy host may start the next one first.
    assert sorted(target.boxes("start")) == ["m00", "m01", "m02", "m03"]
    assert [member.scheduled_ns for member in record.members] == [0, 30 * 10**6, 60 * 10**6, 90 * 10**6]
    assert [member.outcome for member in record.members] == wanted
    for member in record.members[1:]:
        assert member.lateness_ns is not None
        assert 0 <= member.lateness_ns <= member.endpoints_ns[Endpoint.READY]


def test_storms_of_a_block_face_the_same_arrivals(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    storm = Storm(interval=MS, arrivals="poisson", max_lateness=LATE_NS)

    def arrivals(number: int, block: int) -> list[int]:
        return [member.scheduled_ns for member in blow(3, {}, storm, number=number, block=block)[1].members]

    assert arrivals(3, 0) == arrivals(4, 0)
    assert arrivals(3, 0) != arrivals(3, 1)


def _seen(behaviour: Mapping[str, str]) -> _Target:
    """A target of which every box is this process, whose counters are real."""
    target = _Target(behaviour)
    target.processes = {Component.VMM: (os.getpid(),)}
    return target


def test_every_member_and_the_storm_say_what_they_used(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    _, record, _ = blow(3, {}, target=_seen({}))
    assert record.outcome == "ok", record.failure
    for member in record.members:
        assert 0 < member.cpu_ns["vmm"] == member.cpu_ns["total"]
        assert member.memory_bytes["pss.total"] > 0
        assert {"box.read", "box.written"} <= set(member.disk_bytes)
        assert "queue.total" in member.waits_ns
    # What serves all boxes is counted once.
    assert record.cpu_ns["start.vmm"] == sum(member.cpu_ns["vmm"] for member in record.members)
    assert record.cpu_ns["start.total"] == record.cpu_ns["start.vmm"]
    assert record.cpu_ns["start.window"] > 0
    assert record.memory_bytes["pss.total"] == sum(m.memory_bytes["pss.total"] for m in record.members) // 3
    assert record.waits_ns["trial.window"] > record.cpu_ns["start.window"]
    values = storm_values(record)
    assert values["cpu.start.total_ns"] == record.cpu_ns["start.total"] / 3
    assert values["memory.pss.total_bytes"] == record.memory_bytes["pss.total"]
    assert "cpu.start.window_ns" not in values


class _BusyRest(MonotonicClock):
    """A clock on whose rest, before memory is read, the box goes on working."""

    used_ns = 0
    """CPU time of this process when the rest began."""

    def sleep(self, seconds: float) -> None:
        if seconds != Design().settle / 1e9:
            super().sleep(seconds)
            return
        self.used_ns = time.process_time_ns()
        while time.process_time_ns() < self.used_ns + 10 * MS:
            continue


def test_work_after_the_last_box_has_settled_is_not_the_storms(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    clock = _BusyRest()
    _, record, _ = blow(2, {}, target=_seen({}), clock=clock)
    assert record.outcome == "ok", record.failure
    assert all(0 < member.cpu_ns["vmm"] <= clock.used_ns for member in record.members)


def test_a_storm_with_a_lost_box_does_not_look_cheaper(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    _, record, _ = blow(3, {}, target=_seen({"m01": "refused"}))
    assert [bool(member.cpu_ns) for member in record.members] == [True, False, True]
    assert (record.cpu_ns, record.memory_bytes, record.disk_bytes) == ({}, {}, {})


def test_a_member_that_cannot_be_read_is_a_doubt_of_its_own(
    blow: Callable[..., tuple[_Target, Record, Output | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_box: Box, _before: Mapping[str, int]) -> None:
        raise LaunchError("the engine does not answer", hint="wait")

    monkeypatch.setattr(storm_box, "read_use", fail)
    _, record, _ = blow(2, {})
    assert record.outcome == "ok"
    assert [member.doubts for member in record.members] == [("unknown:values (the engine does not answer)",)] * 2


def test_a_storm_beside_boxes_that_stay(blow: Callable[..., tuple[_Target, Record, Output | None]]) -> None:
    target, record, _ = blow(2, {}, residents=3)
    assert (record.outcome, len(record.members)) == ("ok", 2)
    # All of them are up before a box of the storm is made, and go after the last of them.
    stay, storm = ["m02", "m03", "m04"], ["m00", "m01"]
    assert sorted(target.boxes("start")[:3]) == stay
    assert sorted(target.boxes("start")[3:]) == storm
    assert sorted(target.boxes("stop")[:2]) == storm
    assert target.boxes("stop")[2:] == stay
    starts = [at for at, (verb, box) in enumerate(target.log) if verb == "start" and box in stay]
    made = [at for at, (verb, box) in enumerate(target.log) if verb == "provision" and box in storm]
    assert max(starts) < min(made)
    assert sorted(target.boxes("removed")) == storm + stay


def test_a_storm_whose_residents_do_not_come_up_requests_nothing(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    target, record, output = blow(2, {"m03": "refused"}, residents=3)
    assert record.outcome == "failed"
    assert record.failure is not None
    assert record.failure.message == "the engine is full"
    assert output is not None
    assert output.stdout == b"m03"
    assert not {"m00", "m01"} & set(target.boxes("start"))
    assert sorted(target.boxes("removed")) == sorted(target.boxes("provision"))


def test_a_storm_fails_when_a_resident_has_ended_meanwhile(
    blow: Callable[..., tuple[_Target, Record, Output | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Box, "main_pid", lambda box: None if box.name == "m02" and box.asked() > 1 else NOBODY)
    _, record, _ = blow(2, {}, residents=1)
    assert record.failure is not None
    assert "ended by itself" in record.failure.message


def test_a_refused_box_is_a_member_and_its_words_are_kept(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    target, record, output = blow(3, {"m01": "refused"})
    assert [member.outcome for member in record.members] == ["ok", "failed", "ok"]
    assert record.members[1].failure is not None
    assert record.members[1].failure.message == "the engine is full"
    assert "lost:1/3" in record.doubts
    assert sorted(target.boxes("stop")) == ["m00", "m02"]
    assert output is not None
    assert output.stdout == b"== box 1 ==\nm01\n"


def test_when_a_box_cannot_be_provisioned_none_is_asked_for(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    target, record, _ = blow(3, {"m02": "impossible"})
    assert target.boxes("start") == []
    assert target.boxes("removed") == ["m01", "m00"]
    assert record.outcome == "failed"
    assert record.failure is not None
    assert record.failure.message == "no room for it"
    assert [member.lateness_ns for member in record.members] == [None, None]


def test_a_teardown_that_fails_is_its_members_doubt(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    target, record, _ = blow(3, {"m01": "stays"})
    assert target.boxes("removed") == ["m02", "m01", "m00"]
    assert record.outcome == "ok"
    assert [member.doubts for member in record.members] == [(), ("TeardownError: it is still there",), ()]


def test_late_requests_refuse_the_storm_and_keep_it(
    blow: Callable[..., tuple[_Target, Record, Output | None]],
) -> None:
    _, record, _ = blow(2, {}, Storm(max_lateness=1))
    assert record.failure is not None
    assert record.failure.code == "LateError"
    assert [member.outcome for member in record.members] == ["ok", "ok"]


def test_ctrl_c_ends_every_box_and_asks_for_no_more(
    blow: Callable[..., tuple[_Target, Record, Output | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = _Target({"m00": "hangs", "m01": "ctrl-c"})
    # The main thread notices when it looks next.
    monkeypatch.setattr(storm_trial, "_LISTEN_S", 0.02)
    with pytest.raises(KeyboardInterrupt):
        blow(3, {}, Storm(interval=10**9, max_lateness=LATE_NS), target=target)
    assert target.boxes("start") == ["m00"] or target.boxes("start") == ["m00", "m01"]
    assert "m02" not in target.boxes("start")
    assert "m01" in target.boxes("kill")
    assert target.boxes("removed") == ["m02", "m01", "m00"]


def test_a_box_whose_start_never_returns_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storm_box, "_KILL_AGAIN_S", 0.01)
    starting, released = threading.Event(), threading.Event()
    kills: list[str] = []

    def start() -> None:
        starting.set()
        released.wait(LIMIT_S)
        raise LaunchError("the engine came back", hint="wait")

    engine_box: Any = SimpleNamespace(
        start=start,
        running_before=dict,
        kill=lambda: kills.append("kill"),
        main_pid=lambda: None,
        output=lambda **_: Output(b"", b""),
    )
    setting: Any = SimpleNamespace(clock=MonotonicClock())
    outcome = Outcome("traceback", [])
    box, events = StormBox(4, 0, setting, engine_box, BoxRun(Timeline(setting.clock), outcome)), StormEvents()
    try:
        box.launch(setting.clock.now_ns(), events)
        assert starting.wait(LIMIT_S)
        events.stop.set()
        box.abandon(deadline_after(0.1))
        assert outcome.failure is not None
        assert (outcome.failure.code, kills[:1]) == ("TeardownError", ["kill"])
        assert "box 4 was killed, but a call" in outcome.failure.message
    finally:
        released.set()
        box.join()


def test_every_box_of_a_cancelled_storm_is_given_up_at_one_time(
    blow: Callable[..., tuple[_Target, Record, Output | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[int] = []
    real = StormBox.abandon

    def abandon(self: StormBox, until_ns: int) -> None:
        limits.append(until_ns)
        real(self, until_ns)

    monkeypatch.setattr(StormBox, "abandon", abandon)
    monkeypatch.setattr(storm_trial, "_LISTEN_S", 0.02)
    with pytest.raises(KeyboardInterrupt):
        blow(3, {"m00": "hangs", "m01": "ctrl-c"}, Storm(interval=10**9, max_lateness=LATE_NS))
    assert len(limits) == 3
    assert len(set(limits)) == 1
