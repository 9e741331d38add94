"""What a box's limits did to it, from the kernel's files of both versions; how it becomes a doubt and a failure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from bench.host.cgroup import BoxCgroup
from bench.records.record import Failure
from bench.run import limits
from bench.run.frame import Outcome
from bench.run.limits import LimitCounters, OomKills, host_oom_kills

TAG = "boxbench-0badcafe-t0003"
PID = 2**22 + 1
Version = Literal["v1", "v2"]
Write = Callable[..., None]

FILES = {
    "v1": {
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n",
        "cpu.stat": "nr_periods 9\nthrottled_time {ns}\n",
    },
    "v2": {"memory.events": "low 0\noom 1\noom_kill {kills}\n", "cpu.stat": "usage_usec 5\nthrottled_usec {us}\n"},
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the counters of the group of PID, in a group named by the tag, and of the host."""
    group = tmp_path / TAG
    group.mkdir()
    monkeypatch.setattr(limits, "find_groups", lambda tag: [group] if tag == TAG and group.exists() else [])

    def to(version: Version, *, kills: int = 0, throttled_ns: int = 0, host: int = 0, alive: bool = True) -> None:
        for name, text in FILES[version].items():
            (group / name).write_text(text.format(kills=kills, ns=throttled_ns, us=throttled_ns // 1000))
        names = ("memory", "cpu") if version == "v1" else ("unified",)
        own = BoxCgroup(version, dict.fromkeys(names, group))
        monkeypatch.setattr(limits, "cgroup_of", lambda pid: own if alive and pid == PID else None)
        monkeypatch.setattr(limits, "host_oom_kills", lambda: host)

    return to


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_only_kills_since_the_box_was_provisioned_count(write: Write, version: Version) -> None:
    write(version, kills=2, host=7)
    counters = LimitCounters(TAG, (PID,))
    write(version, kills=3, host=9)
    assert counters.oom_kills(PID) == OomKills(own=1, host=2)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_group_of_a_box_that_has_ended_is_found_by_its_tag(write: Write, version: Version) -> None:
    write(version)
    counters = LimitCounters(TAG)
    write(version, kills=1, host=1, alive=False)
    assert counters.oom_kills(None) == OomKills(own=None, host=1)
    assert counters.oom_kills(None, ended=True) == OomKills(own=1, host=1)


def test_a_group_that_is_gone_leaves_the_host_s_count(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("v1")
    counters = LimitCounters(TAG)
    write("v1", kills=1, host=1, alive=False)
    monkeypatch.setattr(limits, "find_groups", lambda _tag: [])
    assert counters.oom_kills(None, ended=True) == OomKills(own=None, host=1)


def test_inner_groups_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """v2 counts for the groups below, v1 for each group alone."""
    for name in ("memory.events", "memory.oom_control"):
        outer = tmp_path / name / TAG
        (outer / "inner").mkdir(parents=True)
        for path in (outer, outer / "inner"):
            (path / name).write_text("oom_kill 1\n")
        paths = [outer, outer / "inner"]
        monkeypatch.setattr(limits, "find_groups", lambda _tag, paths=paths: paths)
        expected = 1 if name == "memory.events" else 2
        assert LimitCounters(TAG).oom_kills(None, ended=True).own == expected


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_throttled_time_is_a_doubt(write: Write, version: Version) -> None:
    write(version, throttled_ns=5_000_000)
    counters = LimitCounters(TAG, (PID,))
    assert counters.throttling_doubts(PID) == []
    write(version, throttled_ns=17_300_000)
    assert counters.throttling_doubts(PID) == ["cpu-limit:12.3ms"]
    assert counters.throttling_doubts(None) == []


def test_the_host_s_count_is_the_kernel_s(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    assert host_oom_kills(tmp_path) is None
    (tmp_path / "proc/vmstat").write_text("nr_free_pages 5\noom_kill 12\n")
    assert host_oom_kills(tmp_path) == 12


def failed(code: str = "NotReadyError") -> Outcome:
    failure = Failure(code=code, message="the workload ended with status 137", hint="look at the kept output")
    return Outcome("artefacts/t0003/traceback.txt", [], failure)


def test_a_kill_in_the_box_s_group_is_the_reason() -> None:
    outcome = failed()
    outcome.note_oom_kills(OomKills(own=1, host=1))
    assert outcome.failure is not None
    assert outcome.failure.message.endswith("137; the kernel killed 1 process of the box for lack of memory")
    assert "resources.memory" in outcome.failure.hint
    assert outcome.doubts == ["oom-killed:1"]


def test_a_kill_somewhere_on_the_host_is_called_so() -> None:
    outcome = failed()
    outcome.note_oom_kills(OomKills(own=None, host=2))
    assert outcome.failure is not None
    assert "killed 2 processes on this host for lack of memory meanwhile" in outcome.failure.message
    assert "could not be read any more" in outcome.failure.message
    assert outcome.doubts == ["host-oom-killed:2"]


@pytest.mark.parametrize("kills", [OomKills(own=0, host=0), OomKills(own=None, host=0), OomKills(own=None, host=None)])
def test_without_a_count_nothing_is_claimed(kills: OomKills) -> None:
    outcome = failed()
    before = outcome.failure
    outcome.note_oom_kills(kills)
    assert (outcome.failure, outcome.doubts) == (before, [])


def test_another_program_s_kill_is_not_the_box_s() -> None:
    outcome = failed()
    before = outcome.failure
    outcome.note_oom_kills(OomKills(own=0, host=1))
    assert (outcome.failure, outcome.doubts) == (before, ["host-oom-killed:1"])


def test_a_fault_of_ours_stays_one() -> None:
    outcome = failed("InternalError")
    before = outcome.failure
    outcome.note_oom_kills(OomKills(own=1, host=1))
    assert (outcome.failure, outcome.doubts) == (before, ["oom-killed:1"])
