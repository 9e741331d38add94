"""A thread that an error has ended is named: what it would have seen is missing, and nobody waits for it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NoReturn

import pytest

from bench.agent.protocol import Message, Pong
from bench.agent.timeline import Timeline
from bench.engines import libvirtd
from bench.engines.libvirtd import check_event_loop
from bench.plan.trials import Trial
from bench.probes import observer
from bench.records.record import Endpoint, Record, parse_record
from bench.run.frame import TRACEBACK
from bench.run.residents.trial import run_residents
from bench.run.storm.trial import run_storm
from bench.run.trial import run_trial
from bench.scenario.model import Design
from bench.targets.base import Output, no_mark
from bench.targets.vms.domain_box import DomainBox
from bench.util.clock import MonotonicClock
from bench.util.errors import ThreadDiedError
from tests.unit.run.test_storm import _Target
from tests.unit.run.test_trial import GOOD, MS, FakeBox, FakeTarget
from tests.unit.run.test_unexpected import assert_nothing_left, cell_of, host, setting_of
from tests.waiting import wait_until

__all__ = ["host"]

SHOWN: Final = "OSError: [Errno 5] ? broken"


def fail() -> NoReturn:
    raise OSError(5, "\udcff broken")


def run(kind: str, target: Any, tmp_path: Path, **changes: Any) -> tuple[Record, Output | None]:
    runner = {"one": run_trial, "residents": run_residents, "storm": run_storm}[kind]
    trial = Trial(number=3, block=0, cell=cell_of(kind), warmup=False)
    record, output = runner(trial, replace(setting_of(target, tmp_path), **changes))
    assert parse_record(record.line(), where="here") == record
    assert_nothing_left(tmp_path)
    return record, output


def assert_kept(record: Record, output: Output | None, *, name: str = "boxbench-events") -> None:
    (doubt,) = [doubt for doubt in record.doubts if doubt.startswith("ThreadDiedError: ")]
    assert f"the thread {name} would have seen is missing, because it ended: {SHOWN}" in doubt
    assert output is not None
    assert "in fail\n" in output.contents()[TRACEBACK].decode()


@pytest.mark.parametrize("kind", ["one", "residents"])
def test_a_channel_that_cannot_accept_fails_its_box_at_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBox, "connect", lambda _box, _cancel: fail())
    monkeypatch.setattr(FakeBox, "_say", lambda _box, _after_ms, _line: None)
    record, output = run(kind, FakeTarget(GOOD), tmp_path)
    assert record.failure is not None
    assert record.failure.message.endswith("its messages could no longer be read before it was ready")
    assert_kept(record, output)


def test_a_channel_that_breaks_after_the_start_leaves_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Timeline.receive

    def receive(timeline: Timeline, message: Message, stamp_ns: int) -> None:
        if isinstance(message, Pong):
            fail()
        real(timeline, message, stamp_ns)

    monkeypatch.setattr(Timeline, "receive", receive)
    deaf_after_ready = FakeTarget(GOOD)
    say = FakeBox._say

    def said(box: FakeBox, after_ms: int, line: str) -> None:
        if "pong" in line:
            box._target.deaf = True
            os.write(box._write, line.encode() + b"\n")
        else:
            say(box, after_ms, line)

    monkeypatch.setattr(FakeBox, "_say", said)
    record, output = run("one", deaf_after_ready, tmp_path)
    assert record.outcome == "ok"
    assert record.endpoints_ns[Endpoint.READY] == 38 * MS
    assert "unknown:channel_rtt (no answer to a ping)" in record.doubts
    assert_kept(record, output)


def test_readings_that_end_while_a_box_stops_are_a_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spent(_box: FakeBox) -> dict[str, int]:
        if threading.current_thread().name == "last-values":
            fail()
        return {}

    real = FakeBox.stop

    def stop(box: FakeBox) -> None:
        wait_until(lambda: "last-values" not in names(), "the end of the thread")
        real(box)

    monkeypatch.setattr(FakeBox, "spent_ns", spent)
    monkeypatch.setattr(FakeBox, "stop", stop)
    record, _ = run("one", FakeTarget(GOOD), tmp_path)
    assert record.outcome == "ok"
    assert f"unknown:cpu of the stop (the thread last-values ended: {SHOWN})" in record.doubts


def test_samples_that_end_early_are_a_doubt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(1, 2), (3, 4)])
    monkeypatch.setattr(observer, "reader", lambda *_: lambda: next(readings, None) or fail())
    real = FakeBox.disk_bytes

    def disk_bytes(box: FakeBox) -> Any:
        wait_until(lambda: "sampler" not in names(), "the end of the thread")
        return real(box)

    monkeypatch.setattr(FakeBox, "disk_bytes", disk_bytes)
    target = FakeTarget(GOOD)
    setting = setting_of(target, tmp_path)
    design = Design(settle=100 * MS, blocks=2, warmups=0, sample=10 * MS)
    scenario = setting.scenario.model_copy(update={"design": design})
    record, _ = run("one", target, tmp_path, scenario=scenario, clock=MonotonicClock())
    assert record.outcome == "ok"
    assert record.samples is not None
    assert record.samples.memory_bytes == (1, 3)
    assert f"unknown:samples (the thread sampler ended: {SHOWN})" in record.doubts


def test_a_watch_that_ends_early_is_a_doubt_of_the_storm(tmp_path: Path) -> None:
    class Clock(MonotonicClock):
        def now_ns(self) -> int:
            if threading.current_thread().name == "boxbench-watch":
                fail()
            return super().now_ns()

    record, _ = run("storm", _Target({}), tmp_path, clock=Clock())
    assert record.outcome == "ok"
    assert f"unknown:late-stamps (the thread boxbench-watch ended: {SHOWN})" in record.doubts


def names() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.fixture
def broken_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """libvirt's event loop has ended by an error."""
    monkeypatch.setattr(libvirtd, "_loop", [])
    library: Any = SimpleNamespace(virEventRegisterDefaultImpl=lambda: None, virEventRunDefaultImpl=fail)
    libvirtd._start_event_loop(library)
    libvirtd._loop[0].join()


@pytest.mark.usefixtures("broken_loop")
def test_without_its_event_loop_libvirt_is_not_asked_for_a_domain(tmp_path: Path) -> None:
    with pytest.raises(ThreadDiedError, match="boxbench-libvirt") as caught:
        check_event_loop()
    assert isinstance(caught.value.__cause__, OSError)

    def refuse(*_: object) -> NoReturn:
        pytest.fail("it would hang")

    class MissingError(Exception):
        pass

    def missing(_name: str) -> NoReturn:
        raise MissingError

    engine: Any = SimpleNamespace(
        connection=SimpleNamespace(createXML=refuse, lookupByName=missing),
        library=SimpleNamespace(libvirtError=MissingError),
        pid_file=lambda _domain: None,
        private=False,
    )
    slot: Any = SimpleNamespace(tag="t", storage=tmp_path, mark=no_mark)
    machine = SimpleNamespace(emulator=None)
    domain: Any = SimpleNamespace(name="boxbench-0badcafe-t0003", machine=machine, disks=(), ports=())
    box = DomainBox(slot, SimpleNamespace(), engine, domain, lambda: None, patience_s=0)
    with pytest.raises(ThreadDiedError):
        box.start()
    with pytest.raises(ThreadDiedError):
        box.kill()
