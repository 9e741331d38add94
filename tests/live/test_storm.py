"""Storms of real boxes: all boxes start, lost ones are recorded as lost, and nothing is left, even after a failure."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from bench.analysis.storms import storm_values
from bench.host.run_directory import box_tag
from bench.records.campaign import read_records
from bench.records.record import Endpoint, Record
from bench.run.cleanup import find_containers, find_leftovers, remove_leftovers
from bench.run.storm.trial import run_storm
from bench.scenario.model import LoadedScenario
from bench.scenario.readiness import ReadyFirstLine
from bench.scenario.storm import Storm
from bench.targets.base import Order, Target
from bench.util.errors import ExitCode
from tests.lab import Lab, ProxiedTarget, write_scenario
from tests.live.command import Command
from tests.live.test_campaign import BASE, strike, tag_of
from tests.waiting import PATIENCES_S

CALM: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
SHELL: Final = ("/usr/bin/busybox", "sh", "-c")
# The machine of the tests runs other things too: what is late is late, and no test of targets.
PATIENT: Final = Storm(max_lateness=30 * 10**9)


def planted(target: Target, commands: Mapping[str, str]) -> ProxiedTarget:
    """A target in which some members of a storm run something else. Only their commands differ."""

    def order(asked: Order) -> Order:
        command = commands.get(asked.tag.rpartition("-")[2])
        if command is None:
            return asked
        config = replace(asked.image.config, argv=(*SHELL, command))
        return replace(asked, image=replace(asked.image, config=config))

    return ProxiedTarget(target, order=order)


@pytest.fixture
def blow(lab: Lab, make_scenario: Callable[..., LoadedScenario]) -> Callable[..., Record]:
    """A storm of a target; afterwards nothing of any of its boxes may be there."""

    def one(name: str, boxes: int, *, commands: Mapping[str, str] | None = None, **changes: Any) -> Record:
        loaded = make_scenario(CALM, name="storm", **{"storm": PATIENT, **changes})
        wrap = None if commands is None else lambda target: planted(target, commands)
        setting = lab.setting(name, loaded, wrap=wrap)
        trial = lab.trial(setting, concurrency=str(boxes))
        record, _ = run_storm(trial, setting)
        tag = box_tag(lab.campaign, trial.id)
        assert [str(found) for found in find_leftovers(tag)] == []
        assert [str(found) for found in find_containers(lab.client, tag)] == []
        late = ("leftover:", "not removed:", "TeardownError")
        marks = [*record.doubts, *(mark for member in record.members for mark in member.doubts)]
        assert [mark for mark in marks if mark.startswith(late)] == []
        return record

    return one


@pytest.mark.parametrize("name", ["process", "runc", "docker"])
def test_a_storm_of_eight(blow: Callable[..., Record], name: str) -> None:
    record = blow(name, 8)
    assert (record.outcome, record.failure) == ("ok", None)
    assert [member.number for member in record.members] == list(range(8))
    for member in record.members:
        assert (member.outcome, member.scheduled_ns) == ("ok", 0)
        assert member.lateness_ns is not None
        # The clock starts by the schedule: our own delay is inside.
        assert member.endpoints_ns[Endpoint.READY] > member.lateness_ns
        assert member.endpoints_ns[Endpoint.ENDED] > member.endpoints_ns[Endpoint.READY]
    assert {"wake.median", "wake.p95", "wake.max", "host.busy", "host.all", "lateness.max"} <= record.storm_ns.keys()
    assert record.storm_ns["lateness.max"] == max(member.lateness_ns or 0 for member in record.members)
    # All were there at once: nobody was stopped before the last one was ready.
    ready = max(member.endpoints_ns[Endpoint.READY] for member in record.members)
    assert ready < min(member.endpoints_ns[Endpoint.STOPPING] for member in record.members)


def test_a_storm_of_three_vms(blow: Callable[..., Record]) -> None:
    # Three emulated CPUs on a host that may be busy with other tests.
    record = blow("libvirt", 3, ready=ReadyFirstLine(when="first-line", timeout=240 * 10**9))
    assert [member.outcome for member in record.members] == ["ok"] * 3
    assert all(Endpoint.VMM in member.endpoints_ns for member in record.members)


def test_the_schedule_waits_for_nobody(blow: Callable[..., Record]) -> None:
    """The first box never comes; the others are asked for at their times all the same."""
    for patience_s in PATIENCES_S:
        ready = ReadyFirstLine(when="first-line", timeout=round(patience_s * 10**9))
        storm = Storm(interval=100 * 10**6, max_lateness=round(patience_s * 10**9 / 2))
        record = blow("process", 4, commands={"m00": "exec busybox sleep 1000"}, ready=ready, storm=storm)
        if [member.outcome for member in record.members] == ["timeout", "ok", "ok", "ok"] and record.outcome == "ok":
            break
    assert record.outcome == "ok", record.failure
    assert [member.scheduled_ns for member in record.members] == [0, 10**8, 2 * 10**8, 3 * 10**8]
    assert [member.outcome for member in record.members] == ["timeout", "ok", "ok", "ok"]
    # Whoever waits for the first is as late as it is patient.
    assert all((member.lateness_ns or 0) < patience_s * 10**9 / 2 for member in record.members)


@pytest.mark.parametrize("name", ["docker", "gvisor"])
def test_boxes_that_fail_are_censored_and_never_dropped(blow: Callable[..., Record], name: str) -> None:
    commands = {"m01": "exit 7", "m03": "exec busybox sleep 1000"}
    for patience_s in PATIENCES_S[1:]:
        ready = ReadyFirstLine(when="first-line", timeout=round(patience_s * 10**9))
        record = blow(name, 4, commands=commands, ready=ready)
        if [member.outcome for member in record.members].count("timeout") == 1:
            break
    assert record.outcome == "ok"
    assert [member.outcome for member in record.members] == ["ok", "failed", "ok", "timeout"]
    assert record.members[1].exit_code == 7
    assert record.members[1].failure is not None
    assert "status 7" in record.members[1].failure.message
    assert "lost:2/4" in record.doubts
    values = storm_values(record)
    there = sorted(member.endpoints_ns[Endpoint.READY] for member in record.members if member.outcome == "ok")
    assert values["endpoint.ready_ns"] == there[1]
    assert values["storm.ready.p75_ns"] == values["storm.ready.all_ns"] == float("inf")


def test_a_harness_that_is_late_refuses_its_storm(blow: Callable[..., Record]) -> None:
    record = blow("process", 3, storm=Storm(max_lateness=1))
    assert record.outcome == "failed"
    assert record.failure is not None
    assert record.failure.code == "LateError"
    assert "storm.max_lateness" in record.failure.message
    assert len(record.members) == 3
    assert storm_values(record) == {}


def in_the_storm(lab: Lab, out: Path) -> Callable[[], bool]:
    """Whether some containers of a storm are there, one of them runs, and others are still to come."""

    def look() -> bool:
        tag = tag_of(out)
        if not tag or len(find_containers(lab.client, tag)) < 2:
            return False
        return any(found.kind == "process" for found in find_leftovers(tag))

    return look


NO_TAG: Final = "boxbench-no-campaign"
STORM_KEYS: Final = "factors: {concurrency: 6}\nstorm: {interval: 300ms, max_lateness: 30s}\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_struck_in_the_middle_of_a_storm(boxbench: Command, tmp_path: Path, number: signal.Signals) -> None:
    scenario = write_scenario(tmp_path / "made", CALM, name="made")
    scenario.write_text(scenario.read_text() + STORM_KEYS)
    out = boxbench.cwd / "out"
    try:
        code = strike(boxbench, number, in_the_storm(boxbench.lab, out), "run", scenario, "-t", "docker", "-o", out)
        _struck_and_resumed(boxbench, out, number, code)
    finally:
        # A test that fails in between leaves what it is about.
        remove_leftovers(find_containers(boxbench.lab.client, tag_of(out) or NO_TAG))
        remove_leftovers(find_leftovers(tag_of(out) or NO_TAG))


def _struck_and_resumed(boxbench: Command, out: Path, number: signal.Signals, code: int) -> None:
    tag = tag_of(out)
    if number is signal.SIGKILL:
        assert code == -signal.SIGKILL
        assert len(find_containers(boxbench.lab.client, tag)) >= 2
        assert {"process", "directory"} <= {found.kind for found in find_leftovers(tag)}
    else:
        assert code == ExitCode.INTERRUPTED
        assert find_containers(boxbench.lab.client, tag) == ()
        assert find_leftovers(tag) == ()
    result = boxbench("resume", out)
    assert result.returncode == ExitCode.OK, result.stderr.decode()
    storms = {record.trial.cell.target: record for record in read_records(out)}
    assert storms.keys() == {"docker", "process"}  # and the native control
    assert all([member.outcome for member in storm.members] == ["ok"] * 6 for storm in storms.values())
    assert find_leftovers(tag) == ()
    assert find_containers(boxbench.lab.client, tag) == ()
