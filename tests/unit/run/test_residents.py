"""Boxes that stay, made up for the purpose: what is read of all of them, and what ends with the last one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.agent.boxconf import BoxConfig
from bench.host import run_directory as rundir
from bench.host.cgroup import BoxCgroup
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.probes import memory
from bench.probes.ledger import HostMemory
from bench.probes.member import MemberValues
from bench.probes.observer import Observation, Observer
from bench.records.record import Record
from bench.run import box, frame, limits
from bench.run.box import Setting
from bench.run.residents import box as resident_box
from bench.run.residents import trial as residents_trial
from bench.run.residents.box import memory_of_all
from bench.run.residents.trial import run_residents
from bench.scenario.model import Design, ReadyFirstLine, Scenario
from bench.util.errors import TeardownError
from tests.unit.run.test_trial import GOOD, MS, FakeBox, FakeTarget

MIB = 2**20


@pytest.fixture
def stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeTarget, int], Record]:
    """Runs boxes of a target below a temporary directory; there is nothing on the host to find."""
    monkeypatch.setattr(rundir, "run_root", lambda: tmp_path / "run")
    monkeypatch.setattr(box, "boxes_root", lambda: tmp_path / "boxes")
    monkeypatch.setattr(frame, "find_leftovers", lambda _tag: ())
    monkeypatch.setattr(limits, "find_groups", lambda _tag: [])

    def several(target: FakeTarget, count: int) -> Record:
        ready, design = ReadyFirstLine(when="first-line"), Design(settle=100 * MS, sample=10 * MS)
        scenario = Scenario(question="?", name="made", ready=ready, design=design)
        config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
        image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, tmp_path / "tar", {})
        setting = Setting("0badcafe", scenario, image, target, (0,), target.clock)
        cell = Cell(scenario="made", target="fake", accel="native", factors={"residents": str(count)})
        record, _ = run_residents(Trial(number=3, block=0, cell=cell, warmup=False), setting)
        assert not list((tmp_path / "run").glob("*/*"))
        return record

    return several


def _watching() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name in ("last-values", "sampler")]


def test_two_boxes_stay_and_go(stay: Callable[[FakeTarget, int], Record]) -> None:
    target = FakeTarget(GOOD)
    record = stay(target, 2)
    assert (record.outcome, len(record.members)) == ("ok", 2)
    assert target.log.count("left") == 2
    assert target.switch_interval_s == pytest.approx(0.0001)
    assert _watching() == []


def test_a_host_that_does_not_settle_after_the_removal_is_a_doubt(
    stay: Callable[[FakeTarget, int], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([HostMemory({"used": 1}, {}, 0), HostMemory({"used": 1}, {}, 0), HostMemory({"used": 1}, {}, MIB)])
    monkeypatch.setattr(residents_trial, "read_host_memory", lambda *_args, **_named: next(readings))
    assert [doubt for doubt in stay(FakeTarget(GOOD), 1).doubts if doubt.startswith("unsettled:")] == [
        "unsettled:1.00 MiB"
    ]


def test_every_resident_says_what_it_used(
    stay: Callable[[FakeTarget, int], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter((10, 20))

    def values(_box: FakeBox, _before: object) -> MemberValues:
        return MemberValues(cpu_ns={"box": next(sizes)}, memory_bytes={"pss.total": 5}, waits_ns={"queue.total": 6})

    monkeypatch.setattr(resident_box, "read_use", values)
    members = stay(FakeTarget(GOOD), 2).members
    assert [member.cpu_ns["box"] for member in members] == [10, 20]
    assert [(member.memory_bytes["pss.total"], member.waits_ns["queue.total"]) for member in members] == [(5, 6)] * 2


def test_the_largest_memory_of_the_last_start_is_kept_beside_the_mean_of_all(
    stay: Callable[[FakeTarget, int], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(_observer: Observer, seen: Observation) -> None:
        seen.memory_bytes["start.peak"] = 7

    monkeypatch.setattr(Observer, "_until_ready", note)
    assert stay(FakeTarget(GOOD), 2).memory_bytes["start.peak"] == 7


def test_a_last_box_that_does_not_stop_is_not_watched_beside_later_trials(
    stay: Callable[[FakeTarget, int], Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays(_box: FakeBox) -> None:
        assert _watching() == ["last-values"]
        raise TeardownError("it does not stop", hint="wait")

    monkeypatch.setattr(FakeBox, "stop", stays)
    record = stay(FakeTarget(GOOD), 1)
    assert "TeardownError: it does not stop" in record.doubts
    assert _watching() == []


def _host(root: Path, boxes: Sequence[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One process a box: what it maps of files in memory, and what its control group has of them, MiB."""
    for pid, (mapped, held) in enumerate(boxes):
        (root / str(pid)).mkdir()
        sizes = {"Pss": 1024 + 1024 * mapped, "Pss_Shmem": 1024 * mapped}
        text = "0-1 ---p 0 0:0 0 [rollup]\n" + "".join(f"{name}: {size} kB\n" for name, size in sizes.items())
        (root / str(pid) / "smaps_rollup").write_text(text, encoding="ascii")
        (root / f"{pid}/memory.stat").write_text(f"shmem {held * MIB}\n", encoding="ascii")
    monkeypatch.setattr(resident_box, "memory_of", partial(memory.memory_of, root=root))
    monkeypatch.setattr(resident_box, "unmapped_bytes", partial(memory.unmapped_bytes, root=root))
    monkeypatch.setattr(resident_box, "cgroup_of", lambda pid: BoxCgroup("v2", {"unified": root / str(pid)}))
    return [
        SimpleNamespace(pid=pid, box=SimpleNamespace(processes=partial(dict, sentry=(pid,))))
        for pid in range(len(boxes))
    ]


def test_memory_that_no_process_maps_is_added_box_by_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second box has mapped more than its group accounts for: the first one's memory must not vanish in that.
    processes, found = memory_of_all(_host(tmp_path, [(1, 65), (9, 5)], monkeypatch))
    assert processes == {"sentry": [0, 1]}
    assert found["pss.sentry"] == (2 + 10) * MIB // 2
    assert found["pss.unmapped"] == 64 * MIB // 2
    assert found["pss.total"] == (2 + 10 + 64) * MIB // 2
    assert found["cgroup.shmem"] == 70 * MIB // 2


def test_where_all_is_mapped_nothing_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = memory_of_all(_host(tmp_path, [(4, 4), (4, 4)], monkeypatch))
    assert found == {"pss.sentry": 5 * MIB, "pss.total": 5 * MIB, "cgroup.shmem": 4 * MIB}
