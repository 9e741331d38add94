"""Which boxes are inspected beside each other, on which CPUs, and whose error it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from bench.agent.boxconf import BoxConfig
from bench.image.model import Image
from bench.plan.trials import Cell
from bench.records.certificate import Inspection
from bench.run import inspections
from bench.run.box import Setting
from bench.run.inspect import Meanwhile
from bench.run.inspections import Inspections, Wanted
from bench.scenario.model import ReadyFirstLine, Resources, Scenario
from bench.targets.base import Target
from bench.util.clock import VirtualClock
from bench.util.errors import NotReadyError

GIB = 2**30


@dataclass
class Named:
    """As much of a target as the order of inspections needs."""

    name: str


@dataclass
class Lab:
    """Boxes whose inspections are only written down."""

    place: Path
    log: list[str] = field(default_factory=list)
    fails: str = ""
    """The target whose inspection fails."""
    digests_after: int = 99
    """How many other boxes are inspected before the first one has its digest."""

    def inspect(self, cell: Cell, setting: Setting, numbers: Iterator[int], meanwhile: Meanwhile) -> Inspection:
        """In place of ``inspect_box``."""
        next(numbers)
        self.log.append(f"begin {cell.target} on {setting.cpus[0]}")
        until = len(self.log) + 2 * self.digests_after
        meanwhile(lambda: len(self.log) >= until)
        self.log.append(f"end {cell.target}")
        if cell.target == self.fails:
            raise NotReadyError(f"{cell.target} is not there", hint="none")
        return Inspection(box=cell.box, kind="vm", inspected_at="now")

    def run(self, *targets: str, cpus: int = 1, **factors: str) -> list[str]:
        """Inspect boxes of these targets; returns their names in the order of the result."""
        wanted = [self._wanted(name, cpus, factors) for name in targets]
        done = Inspections(wanted, iter(range(99)), lambda _text: None).all()
        assert set(done) == {one.cell for one in wanted}
        return [done[one.cell].box for one in wanted]

    def _wanted(self, name: str, cpus: int, factors: dict[str, str]) -> Wanted:
        config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
        image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, self.place, {})
        ready = ReadyFirstLine(when="first-line")
        scenario = Scenario(question="?", name="made", ready=ready, resources=Resources(cpus=cpus, memory=GIB))
        target = cast("Target", Named(name))
        own = tuple(sorted(os.sched_getaffinity(0))[-cpus:])
        setting = Setting("0badcafe", scenario, image, target, own, VirtualClock())
        return Wanted(Cell(scenario="made", target=name, accel="native", factors=dict(factors)), setting, f"key-{name}")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab(tmp_path)
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(inspections, "inspect_box", made.inspect)
    monkeypatch.setattr(inspections, "read_memory", lambda: {"available": 4 * GIB})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    return made


def test_while_a_guest_hashes_the_other_boxes_are_inspected_on_another_cpu(lab: Lab) -> None:
    assert lab.run("docker", "libvirt", "process") == ["docker", "libvirt", "process"]
    assert lab.log == [
        "begin libvirt on 2",
        "begin docker on 1",
        "end docker",
        "begin process on 1",
        "end process",
        "end libvirt",
    ]


def test_qemu_never_begins_beside_user_mode_linux_which_locks_their_disk(lab: Lab) -> None:
    # By their keys alone user-mode Linux would begin before vmm.
    lab.run("docker", "vmm", "uml", "libvirt")
    begun = [line.split()[1] for line in lab.log if line.startswith("begin")]
    assert begun == ["libvirt", "vmm", "uml", "docker"]
    assert lab.log.index("end vmm") < lab.log.index("begin uml on 1")


def test_once_the_first_has_its_digest_the_next_one_is_the_first(lab: Lab) -> None:
    lab.digests_after = 1
    lab.run("libvirt", "docker", "process", "microvm")
    assert [line for line in lab.log if line.endswith("on 2")] == ["begin libvirt on 2", "begin docker on 2"]


def test_what_is_in_the_cache_is_not_inspected_again(lab: Lab) -> None:
    lab.run("libvirt", "docker")
    lab.log.clear()
    assert lab.run("libvirt", "docker") == ["libvirt", "docker"]
    assert lab.log == []


def _one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0})


def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspections, "read_memory", lambda: {"available": 4 * GIB - 1})


def _unknown_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspections, "read_memory", dict)


@pytest.mark.parametrize("lacks", [_one_cpu, _little_memory, _unknown_memory])
def test_a_host_with_too_little_for_two_boxes_has_one_at_a_time(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, lacks: Callable[[pytest.MonkeyPatch], None]
) -> None:
    lacks(monkeypatch)
    lab.run("libvirt", "docker")
    assert [line.split(" on ")[0] for line in lab.log] == ["begin libvirt", "end libvirt", "begin docker", "end docker"]


def test_first_starts_are_alone(lab: Lab) -> None:
    lab.run("libvirt", "docker", cache="absent")
    assert lab.log[1] == "end libvirt"


def test_boxes_with_more_cpus_than_are_left_are_alone(lab: Lab) -> None:
    lab.run("libvirt", "docker", cpus=2)
    assert lab.log[1] == "end libvirt"


def test_the_error_of_a_box_beside_another_ends_the_inspections_as_its_own(lab: Lab) -> None:
    lab.fails = "docker"
    with pytest.raises(NotReadyError, match="docker is not there"):
        lab.run("libvirt", "docker", "process")
    assert lab.log[-1] == "end libvirt"
    assert not any("process" in line for line in lab.log)
