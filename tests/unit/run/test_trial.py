"""The one path of every trial, with a target made up for the purpose on a clock that moves only when told to."""

from __future__ import annotations

import errno
import gc
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from bench.agent.boxconf import BoxConfig
from bench.agent.channel import Channel
from bench.agent.timeline import Timeline
from bench.analysis.values import values_of
from bench.host import run_directory as rundir
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.probes import observer
from bench.probes.memory import MEMORY_TRIES
from bench.probes.observer import PINGS
from bench.probes.sampler import LastValues
from bench.records.record import Endpoint, Record, parse_record
from bench.run import box, frame, limits, quota
from bench.run.box import Setting
from bench.run.quota import OUTPUT_BYTES
from bench.run.trial import run_trial
from bench.scenario.model import (
    Design,
    Ready,
    ReadyExit,
    ReadyFirstLine,
    ReadyHealthcheck,
    ReadyHttp,
    Resources,
    Scenario,
)
from bench.targets.base import Box, Order, Output
from bench.util.clock import VirtualClock
from bench.util.errors import BoxbenchError, LaunchError, TeardownError
from tests.waiting import LIMIT_S, wait_until

MS: Final = 10**6
# No process has this number: the kernel's highest is 2^22.
NOBODY: Final = 2**22 + 1


class FakeBox(Box):
    """A box whose whole life is a list of (ms, line)."""

    def __init__(self, order: Order, target: FakeTarget) -> None:
        self._order, self._target = order, target
        self._timeline: Timeline = order.mark.__self__  # type: ignore[attr-defined]
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.channel = self
        self.alive = True

    # The host's end of the channel.
    def connect(self, cancel: int) -> int | None:
        del cancel
        return self._read

    def send(self, data: bytes) -> None:
        verb, _, rest = data.decode().strip().partition(" ")
        self._target.log.append(f"asked {verb}")
        if self._target.deaf:
            return
        if verb == "ping":
            self._say(2, f"BB1 pong {rest}")
        elif verb == "facts":
            self._say(1, "BB1 fact cpus 1\nBB1 facts-end")
        elif verb == "flush":
            self._say(4, f"BB1 fact flush_ns 3000\nBB1 fact flushes {rest}")

    def close(self) -> None:
        self._target.log.append("channel closed")
        os.close(self._read)
        os.close(self._write)

    def _say(self, after_ms: int, line: str) -> None:
        """After so many ms; back when it was heard, so that stamps do not depend on the scheduler."""
        self._target.clock.advance_ns(after_ms * MS)
        before = self._heard()
        os.write(self._write, line.encode() + b"\n")
        assert self._timeline.wait_for(lambda: self._heard() != before, timeout_s=LIMIT_S), line

    def _heard(self) -> tuple[object, ...]:
        timeline = self._timeline
        pongs = [timeline.has_pong(f"p{number}") for number in range(PINGS)]
        facts = (timeline.facts_complete(), "flushes" in timeline.facts)
        return (len(timeline.relative_ns()), pongs, facts, len(timeline.errors), timeline.exit, timeline.health)

    # The verbs.
    def start(self) -> None:
        self._target.log.append("start")
        self._target.spent += self._target.spends[0]
        self._target.switch_interval_s = sys.getswitchinterval()
        self._target.collects.append(gc.isenabled())
        self._target.clock.advance_ns(3 * MS)
        self._order.mark(Endpoint.CREATED)
        if self._target.refuses is not None:
            raise self._target.refuses
        for after_ms, line in self._target.life:
            self._say(after_ms, line)

    def processes(self) -> Mapping[str, Sequence[int]]:
        self._target.log.append("processes")
        return {} if self._target.vanishes else {"workload": (NOBODY,)}

    def main_pid(self) -> int | None:
        self._target.log.append("main_pid")
        self._target.collects.append(gc.isenabled())
        return NOBODY if self.alive and not self._target.dies else None

    def stop(self) -> None:
        self._target.log.append("stop")
        self._target.spent += self._target.spends[1]
        if not self._target.deaf:
            self._say(7, "BB1 exit 0 15 10 20 30 1")

    def kill(self) -> None:
        self.alive = False

    def spent_ns(self) -> Mapping[str, int]:
        return {"runtime": self._target.spent}

    def disk_bytes(self) -> Mapping[str, int]:
        self._target.log.append("disk_bytes")
        return {"box.allocated": 4096}

    def output(self, *, ended: bool) -> Output:
        self._target.log.append("output, ended" if ended else "output so far")
        return Output(b"out", b"err")


class FakeTarget:
    """Says what its boxes were asked."""

    name: ClassVar[str] = "fake"
    accel = "native"

    def __init__(self, life: Sequence[tuple[int, str]], **more: object) -> None:
        self.life, self.log, self.clock = tuple(life), list[str](), VirtualClock(5_000 * MS)
        self.dies = bool(more.get("dies"))
        self.deaf = bool(more.get("deaf"))
        self.vanishes = bool(more.get("vanishes"))
        self.refuses: BaseException | None = more.get("refuses")  # type: ignore[assignment]
        self.survives = more.get("survives")
        self.switch_interval_s = 0.0
        self.spends = (0, 0, 0)
        """CPU time, ns, of the programs that start, stop and remove a box."""
        self.spent = 0
        self.daemon_pids: dict[str, int] = {}
        self.collects: list[bool] = []
        """Whether garbage is collected, at each call."""

    def why_unavailable(self) -> str | None:
        return None

    def describe(self) -> dict[str, str]:
        return {}

    def daemons(self) -> dict[str, int]:
        return self.daemon_pids

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        del image, resources, ready
        return {}

    @contextmanager
    def provision(self, order: Order) -> Iterator[FakeBox]:
        self.log.append("provision")
        assert list(order.directory.iterdir()) == list(order.storage.iterdir()) == []
        assert order.directory.name == order.storage.name == order.tag
        try:
            yield FakeBox(order, self)
        finally:
            self.spent += self.spends[2]
            self.log.append("left")
            self.clock.advance_ns(11 * MS)
            if isinstance(self.survives, BoxbenchError):
                raise self.survives


HEALTH: Final = ReadyHealthcheck(when="healthcheck", poll=5 * MS)
GOOD: Final = ((10, "BB1 mark init 1"), (5, "BB1 mark exec 2"), (20, "BB1 mark ready 3"))


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Record]:
    """Runs a target's box below a temporary directory; there is nothing on the host to find."""
    monkeypatch.setattr(rundir, "run_root", lambda: tmp_path / "run")
    monkeypatch.setattr(box, "boxes_root", lambda: tmp_path / "boxes")
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: ())
    monkeypatch.setattr(limits, "find_groups", lambda _tag: [])

    def one(target: FakeTarget, ready: Ready | None = None) -> Record:
        scenario = Scenario(
            question="?", name="made", ready=ready or ReadyFirstLine(when="first-line"), design=Design(settle=100 * MS)
        )
        config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
        image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, tmp_path / "tar", {})
        setting = Setting("0badcafe", scenario, image, target, (0,), target.clock, target.daemons())
        cell = Cell(scenario="made", target="fake", accel="native")
        record, output = run_trial(Trial(number=3, block=0, cell=cell, warmup=False), setting)
        assert (output is None) == (record.outcome == "ok")
        assert not list((tmp_path / "run").glob("*/*"))
        assert not list((tmp_path / "boxes").iterdir())
        return record

    return one


def test_the_cpu_time_of_each_phase_is_read_when_its_mark_arrives(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box that uses 1 ns a step; its reading comes before anybody is told of the mark."""
    steps = iter(range(10, 1000))

    def clock(box: FakeBox) -> int:
        assert Endpoint.READY not in box._timeline.relative_ns()
        return next(steps)

    monkeypatch.setattr(FakeBox, "cpu_clock_ns", clock)
    record = trial(FakeTarget(GOOD))
    marks = [name for name in record.guest_ns if name in record.cpu_at_ns]
    assert marks == list(record.guest_ns)
    assert Endpoint.READY in marks
    assert list(record.cpu_at_ns.values()) == list(range(10, 10 + len(marks)))
    assert values_of(record, ())["cpu.until.ready_ns"] == record.cpu_at_ns[Endpoint.READY]
    monkeypatch.setattr(FakeBox, "cpu_clock_ns", lambda _box: None)
    assert trial(FakeTarget(GOOD)).cpu_at_ns == {}


def _busy_for(ns: int) -> None:
    until_ns = time.process_time_ns() + ns
    while time.process_time_ns() < until_ns:
        pass


def test_what_an_engine_does_to_answer_us_is_not_in_the_start(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, question_ns = FakeTarget(GOOD), 300 * MS
    target.daemon_pids = {"engined": os.getpid()}
    for question in ("processes", "main_pid"):
        answer = getattr(FakeBox, question)

        def asked(box: FakeBox, answer: Callable[[FakeBox], object] = answer) -> object:
            _busy_for(question_ns)
            return answer(box)

        monkeypatch.setattr(FakeBox, question, asked)
    # The daemon is this process here, which also works for the start itself: some milliseconds. Noise only adds to
    # that, and not in every trial; a question that counts is in every trial.
    used = []
    for _ in range(5):
        record = trial(target)
        used.append((record.cpu_ns["start.daemon.engined"], record.cpu_ns["start.harness"]))
        assert min(used[-1]) > 0
        if max(used[-1]) < question_ns:
            return
    pytest.fail(f"CPU time of the daemon and of the harness, ns: {used}")


def test_the_whole_order_of_phases(trial: Callable[..., Record]) -> None:
    target = FakeTarget(GOOD)
    record = trial(target)
    assert target.log == [
        *("provision", "start"),
        *("main_pid", "processes"),
        *["asked ping"] * 5,
        "asked facts",
        *["processes"] * MEMORY_TRIES,  # nobody's memory cannot be read
        "disk_bytes",
        *("processes", "disk_bytes", "asked flush"),
        *("stop", "channel closed", "left"),
    ]
    assert record.outcome == "ok"
    assert {end.value: ns / MS for end, ns in record.endpoints_ns.items()} == {
        **{"requested": 0, "created": 3, "init": 13, "exec": 18, "ready": 38, "start_returned": 38},
        # Five pings of 2 ms, the facts, the rest of 100 ms; syncs of 4 ms, and 10 without us.
        **{"stopping": 163, "stopped": 170, "ended": 170, "gone": 181},
    }
    assert record.channel_rtt_ns == (2 * MS,) * 5
    assert record.inside == {"cpus": "1", "flush_ns": "3000", "flushes": "3"}
    assert record.flush is not None
    assert (record.flush.asked, record.flush.took_ns, record.flush.vmm) == (3, 3000, None)
    assert {name: size for name, size in record.disk_bytes.items() if name.startswith("box.")} == {
        **{"box.allocated": 4096, "box.at_stop": 4096},
    }
    assert record.guest_ns == {Endpoint.INIT: 1, Endpoint.EXEC: 2, Endpoint.READY: 3}
    assert record.exit_code == 143
    assert "pss.workload" not in record.memory_bytes
    assert target.switch_interval_s == pytest.approx(0.0001), "stamps would wait for this thread"
    # At the request; when the box is read, it is ready.
    assert target.collects == [False, True]
    assert gc.isenabled()


def test_programs_that_start_stop_and_remove_a_box_count_in_their_windows(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No sample comes after the removal.
    monkeypatch.setattr(observer, "LastValues", partial(LastValues, interval_s=3600))
    target = FakeTarget(GOOD)
    target.spends = (5, 7, 11)
    monkeypatch.setattr(observer, "box_cpu_ns", lambda *_: {"box": 40})
    used = trial(target).cpu_ns
    assert [used[f"{when}.runtime"] for when in ("start", "stop", "lifetime")] == [5, 7 + 11, 5 + 7 + 11]
    assert used["stop.total"] == 7 + 11


def test_a_box_whose_own_time_is_not_known_has_no_total_and_a_doubt(trial: Callable[..., Record]) -> None:
    target = FakeTarget(GOOD)
    target.spends = (5, 7, 11)
    record = trial(target)
    assert record.cpu_ns["start.runtime"] == 5
    assert not {"start.total", "stop.total", "lifetime.total"} & set(record.cpu_ns)
    assert "unknown:cpu (the box's own CPU time until ready could not be read)" in record.doubts


def test_http_waits_for_the_first_correct_reply(trial: Callable[..., Record]) -> None:
    target = FakeTarget([*GOOD[:2], (5, "BB1 mark listening 3"), (5, "BB1 mark ready 4"), (5, "BB1 mark replied 5")])
    record = trial(target, ReadyHttp(when="http", port=80, poll=2 * MS))
    assert record.outcome == "ok"
    assert record.resolution_ns == dict.fromkeys((Endpoint.LISTENING, Endpoint.READY, Endpoint.REPLIED), 2 * MS)


def test_the_record_says_how_the_health_check_went(trial: Callable[..., Record]) -> None:
    life = [*GOOD, (1, f"BB1 health 0 0 0 4 1500 {7 * MS} ")]
    record = trial(FakeTarget([*GOOD[:2], (1, "BB1 health 1 0 0 1 400 1000 no"), *life[2:]]), HEALTH)
    assert record.outcome == "ok"
    assert record.resolution_ns == {Endpoint.READY: 7 * MS}
    assert record.health is not None
    assert (record.health.attempts, record.health.cpu_ns) == (4, 1_500_000)


def test_a_box_cannot_have_been_ready_before_its_request(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([*GOOD, (1, f"BB1 health 0 0 0 4 1500 {2**52} ")]), HEALTH)
    assert record.resolution_ns == {Endpoint.READY: record.endpoints_ns[Endpoint.READY]}


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("", "no health check had ended"),
        (
            "1 0 0 1 400 1000 curl%1B%5B31m",
            "its last health check ended with exit code 1 and wrote 'curl'",
        ),
        ("139 11 0 1 400 1000 ", "its last health check ended with signal 11 and wrote nothing"),
        ("137 9 1 1 400 1000 hm", "its last health check was killed after its timeout and wrote 'hm'"),
    ],
)
def test_a_box_that_is_never_healthy_says_why(trial: Callable[..., Record], report: str, said: str) -> None:
    line = [(1, f"BB1 health {report}")] if report else []
    record = trial(FakeTarget([*GOOD[:2], *line, (1, "BB1 exit 7 0 1 1 1 1")]), HEALTH)
    assert record.failure is not None
    assert record.failure.message.startswith(f"the workload ended with status 7 before it was ready; {said}")


def test_an_early_end_is_a_failure_with_its_status(trial: Callable[..., Record]) -> None:
    target = FakeTarget([*GOOD[:2], (1, "BB1 exit 7 0 1 1 1 1")])
    record = trial(target)
    assert "output, ended" in target.log
    assert (record.outcome, record.exit_code) == ("failed", 7)
    assert record.failure is not None
    assert record.failure.message == "the workload ended with status 7 before it was ready"
    assert Endpoint.STOPPING not in record.endpoints_ns


def test_what_the_agent_complains_about_is_the_reason(trial: Callable[..., Record]) -> None:
    target = FakeTarget([*GOOD[:1], (1, "BB1 error chdir%20/no")])
    record = trial(target)
    assert "output, ended" in target.log, "it has ended with its complaint"
    assert record.failure is not None
    assert record.failure.message == "the agent reported: chdir /no"


def test_what_is_no_message_is_the_reason(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([*GOOD[:1], (1, "\x1b[31mBB1 mark ready 1")]))
    assert record.failure is not None
    assert "not a message" in record.failure.message
    assert "\x1b" not in record.failure.message


def test_an_agent_that_ends_is_not_waited_for(trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready means ended here; the ping comes too late."""
    answers: list[bool] = []
    wait_for = Timeline.wait_for

    def noted(timeline: Timeline, *args: Any, **kwargs: Any) -> bool:
        answers.append(wait_for(timeline, *args, **kwargs))
        return answers[-1]

    monkeypatch.setattr(Timeline, "wait_for", noted)
    target = FakeTarget([*GOOD[:2], (1, "BB1 mark ready 3"), (0, "BB1 exit 7 0 1 1 1 1")], deaf=True)
    record = trial(target, ReadyExit(when="exit", code=7))
    assert answers
    assert all(answers), "a wait ran into its time limit"
    assert (record.outcome, record.exit_code, record.channel_rtt_ns) == ("ok", 7, ())
    assert "unknown:channel_rtt (no answer to a ping)" in record.doubts


def test_a_box_that_dies_in_silence(trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "LIVENESS_S", 0.01)
    target = FakeTarget(GOOD[:2], dies=True)
    record = trial(target)
    # At the request, and while we wait: whether it lives is asked then. Its failure is examined afterwards.
    assert target.collects[:2] == [False, False]
    assert target.collects[-1]
    assert record.failure is not None
    assert (
        "ended before it was ready, without a message from its agent; the last endpoint was " in record.failure.message
    )
    assert record.failure.hint == "look at the kept output of the trial"


def test_a_vm_that_dies_early_may_have_too_little_memory(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No counter of the host shows that a guest ran out of memory."""
    monkeypatch.setattr(FakeTarget, "name", "microvm")
    record = trial(FakeTarget(GOOD[:2], dies=True))
    assert record.failure is not None
    assert "resources.memory" in record.failure.hint


def test_a_refused_start_keeps_what_was_passed(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([], refuses=LaunchError("no room", hint="make some")))
    assert (record.outcome, record.failure and record.failure.code) == ("failed", "LaunchError")
    assert Endpoint.CREATED in record.endpoints_ns
    assert Endpoint.START_RETURNED not in record.endpoints_ns


def test_a_failed_teardown_is_a_doubt_and_not_a_failure(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget(GOOD, survives=TeardownError("still there", hint="look")))
    assert record.outcome == "ok"
    assert "TeardownError: still there" in record.doubts
    assert Endpoint.GONE not in record.endpoints_ns


def test_the_first_error_is_the_cause(trial: Callable[..., Record]) -> None:
    target = FakeTarget([*GOOD[:2], (1, "BB1 exit 7 0 1 1 1 1")], survives=TeardownError("still there", hint="look"))
    record = trial(target)
    assert record.failure is not None
    assert record.failure.code == "NotReadyError"
    assert "TeardownError: still there" in record.doubts


@pytest.mark.parametrize("survives", [None, TeardownError("still there", hint="look")])
def test_ctrl_c_leaves_through_the_same_door(trial: Callable[..., Record], survives: object) -> None:
    class Interrupted(FakeTarget):
        @property
        def life(self) -> tuple[tuple[int, str], ...]:
            raise KeyboardInterrupt

        @life.setter
        def life(self, value: object) -> None:
            del value

    target = Interrupted([], survives=survives)
    with pytest.raises(KeyboardInterrupt):
        trial(target)
    assert target.log[-2:] == ["channel closed", "left"]


def test_a_fault_of_ours_is_not_hidden_by_a_teardown(trial: Callable[..., Record]) -> None:
    error = OSError(errno.EIO, "it broke")
    target = FakeTarget([(1, "BB1 mark init 1")], survives=TeardownError("still there", hint="look"), refuses=error)
    record = trial(target)
    assert record.failure is not None
    assert (record.failure.code, record.outcome) == ("InternalError", "failed")
    assert "OSError: [Errno 5] it broke" in record.failure.message
    assert "TeardownError: still there" in record.doubts


def test_a_removal_that_fails_before_the_box_ran_is_the_failure(trial: Callable[..., Record]) -> None:
    """Nothing was measured, so the trial cannot be ok."""
    target = FakeTarget(
        GOOD, survives=TeardownError("still there", hint="look"), refuses=TeardownError("an old one", hint="look")
    )
    record = trial(target)
    assert record.failure is not None
    assert record.failure.message == "an old one"
    assert "TeardownError: still there" in record.doubts


def test_a_box_that_was_cut_off_is_said_to_be(trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.agent.channel.MAX_MESSAGES", 3)
    record = trial(FakeTarget([*GOOD[:1], (1, "\n".join(f"BB1 pong p{number}" for number in range(5)))]))
    assert record.failure is not None
    assert "the channel of the box was closed after more than 3 messages" in record.failure.message


def test_nobody_waits_for_a_box_that_was_cut_off(trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.agent.channel.MAX_MESSAGES", 5)
    monkeypatch.setattr("bench.probes.observer.AGENT_PATIENCE_S", 3600)
    record = trial(FakeTarget([*GOOD, (1, "\n".join(["BB1 pong x"] * 5 + ["BB1 error late"]))], deaf=True))
    assert "unknown:channel_rtt (no answer to a ping)" in record.doubts


def test_a_box_that_was_killed_is_not_asked_for_a_flush(trial: Callable[..., Record]) -> None:
    gone, here = FakeTarget(GOOD, vanishes=True), FakeTarget(GOOD)
    trial(gone)
    trial(here)
    assert ("asked flush" in gone.log, "asked flush" in here.log) == (False, True)


def test_an_error_after_the_start_is_a_doubt(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([*GOOD, (1, "BB1 error late")]))
    assert record.outcome == "ok"
    assert "channel: late" in record.doubts


def test_a_box_that_had_ended_by_itself_was_not_stopped(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([*GOOD, (1, "BB1 exit 0 0 1 1 1 1")], deaf=True))
    assert record.outcome == "ok"
    assert "ended: the workload had ended before it was asked to stop" in record.doubts


def test_an_end_that_nobody_told_is_a_doubt(trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.probes.observer.AGENT_PATIENCE_S", 0.1)
    assert "ended: the agent did not report the end of the workload" in trial(FakeTarget(GOOD, deaf=True)).doubts
    stopped = trial(FakeTarget(GOOD))
    batch = trial(
        FakeTarget([*GOOD[:2], (1, "BB1 mark ready 3"), (0, "BB1 exit 7 0 1 1 1 1")], deaf=True),
        ReadyExit(when="exit", code=7),
    )
    assert not [doubt for doubt in (*stopped.doubts, *batch.doubts) if doubt.startswith("ended:")]


def test_a_last_message_that_comes_after_the_end_is_heard(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Late(Channel):
        def close(self) -> None:
            os.write(boxes[0]._write, b"BB1 exit 0 9 10 20 30 1\n")
            super().close()

    boxes: list[FakeBox] = []
    monkeypatch.setattr(box, "Channel", Late)
    monkeypatch.setattr(FakeBox, "stop", lambda box: boxes.append(box))  # noqa: PLW0108 - a method
    record = trial(FakeTarget(GOOD))
    assert (record.outcome, record.exit_code) == ("ok", 128 + signal.SIGKILL)
    assert "killed: the workload did not end on its stop signal" in record.doubts


def test_bytes_of_a_box_that_are_no_text_can_be_kept(trial: Callable[..., Record]) -> None:
    record = trial(FakeTarget([*GOOD[:1], (1, "BB1 fact env.X %FF%C3\nBB1 error chdir%20%FF")]))
    assert record.inside == {"env.X": "\ufffd\ufffd"}
    assert parse_record(record.line(), where="here") == record


class _FloodingBox(FakeBox):
    """A box that fills its output file, either before it is ready or when it is asked to stop."""

    def _flood(self) -> None:
        file = self._order.storage / "stdout"
        file.touch()
        os.truncate(file, OUTPUT_BYTES + 1)

    def start(self) -> None:
        super().start()
        if not self._target.life[2:]:
            self._flood()

    def stop(self) -> None:
        self._flood()
        wait_until(lambda: not self.alive, "the end of the box")


class _FloodingTarget(FakeTarget):
    @contextmanager
    def provision(self, order: Order) -> Iterator[FakeBox]:
        yield _FloodingBox(order, self)


@pytest.mark.parametrize("life", [GOOD[:2], GOOD])
def test_a_box_that_writes_too_much_fails_with_the_limit_and_the_file(
    trial: Callable[..., Record], monkeypatch: pytest.MonkeyPatch, life: Sequence[tuple[int, str]]
) -> None:
    monkeypatch.setattr(box, "LIVENESS_S", 0.01)
    monkeypatch.setattr(quota, "CHECK_S", 0.01)
    record = trial(_FloodingTarget(life))
    assert record.failure is not None
    assert record.failure.code == "QuotaError"
    assert re.search(r"more than 512 MiB to the output file .*/stdout$", record.failure.message)
    assert "print less" in record.failure.hint


def test_a_port_on_which_nothing_listened_is_named(trial: Callable[..., Record]) -> None:
    ready = ReadyHttp(when="http", port=8081)
    record = trial(FakeTarget([*GOOD[:2], (1, "BB1 exit 7 0 1 1 1 1")]), ready)
    assert record.failure is not None
    assert record.failure.message.endswith("; nothing listened on port 8081 in the box (ready.port)")
