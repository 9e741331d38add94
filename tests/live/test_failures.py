"""Boxes that fail on real engines: for lack of memory, by themselves, or by a fault of ours; the record says which."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import pytest

from bench.host.run_directory import box_tag
from bench.records.record import Record, parse_record
from bench.run.cleanup import find_containers, find_leftovers
from bench.run.frame import TRACEBACK
from bench.run.residents.trial import run_residents
from bench.run.storm.trial import run_storm
from bench.run.trial import run_trial
from bench.scenario.model import LoadedScenario, Resources
from bench.scenario.storm import Storm
from bench.targets.base import Box, BoxProxy, Order, Output
from tests.lab import Lab, ProxiedTarget

BASE: Final = "FROM boxbench/base-busybox:latest\n"
CALM: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "echo up; exec busybox sleep 1000"]\n'
# Keeps ever longer lines in the shell's memory.
HUNGRY: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "x=0123456789abcdef; while true; do x=$x$x; done"]\n'
KILLED: Final = BASE + 'CMD ["/usr/bin/busybox", "sh", "-c", "kill -9 $$"]\n'
MIB: Final = 2**20
SMALL: Final = Resources(cpus=1, memory=32 * MIB, disk=64 * MIB)
# The machine of the tests runs other things too.
PATIENT: Final = Storm(max_lateness=30 * 10**9)
KINDS: Final = {"one": run_trial, "storm": run_storm, "residents": run_residents}
FACTORS: Final[dict[str, dict[str, str]]] = {"one": {}, "storm": {"concurrency": "2"}, "residents": {"residents": "2"}}


def fails_for_memory(record: Record) -> bool:
    assert record.outcome == "failed"
    assert record.failure is not None
    return "for lack of memory" in record.failure.message


@pytest.mark.parametrize("name", ["process", "runc", "docker"])
def test_a_box_without_enough_memory_fails_with_that_reason(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], name: str
) -> None:
    found = lab.run(name, make_scenario(HUNGRY, name="hungry", resources=SMALL))
    assert fails_for_memory(found.record)
    assert found.record.failure is not None
    assert "resources.memory" in found.record.failure.hint
    marks = [mark for mark in found.record.doubts if mark.startswith(("oom-killed:", "host-oom-killed:"))]
    assert len(marks) == 1, found.record.doubts
    # An engine removes the group of a container that has ended; elsewhere the box's own counter is read.
    assert name == "docker" or marks[0].startswith("oom-killed:")
    found.assert_gone()


@pytest.mark.parametrize("name", ["process", "runc", "docker"])
def test_a_box_that_is_killed_otherwise_does_not(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], name: str
) -> None:
    """It ends with the same status as one that the kernel killed for memory."""
    found = lab.run(name, make_scenario(KILLED, name="killed", resources=SMALL))
    assert found.record.exit_code == 137
    assert not fails_for_memory(found.record)
    assert not [mark for mark in found.record.doubts if "oom" in mark]
    found.assert_gone()


class Faulty(ProxiedTarget):
    """A real target of which some boxes raise ``fault`` at a step; all that was made until then is real."""

    def __init__(self, target: Any, at: str, fault: BaseException) -> None:
        super().__init__(target)
        self._at, self._fault = at, fault

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        faulty = order.tag.endswith("m01") or "-m" not in order.tag.rpartition("-t")[2]
        with super().provision(order) as box:
            if faulty and self._at == "provision":
                raise self._fault
            yield _FaultyBox(box, self._fault) if faulty and self._at == "started" else box


class _FaultyBox(BoxProxy):
    def __init__(self, inner: Box, fault: BaseException) -> None:
        super().__init__(inner)
        self._fault = fault

    def start(self) -> None:
        """The box runs when the error comes."""
        super().start()
        raise self._fault


FAULTS: Final[Mapping[str, tuple[str, BaseException]]] = {
    "full disk": ("provision", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/var/lib")),
    "recursion": ("started", RecursionError("maximum recursion depth exceeded")),
}


@pytest.mark.parametrize("target", ["process", "docker"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_an_unexpected_error_fails_the_record_and_leaves_nothing(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], target: str, kind: str, fault: str
) -> None:
    loaded = make_scenario(CALM, name="calm", storm=PATIENT)
    at, error = FAULTS[fault]
    record, output = trial_of(lab, loaded, target, kind, lambda real: Faulty(real, at, error))
    assert_internal(record, output, type(error).__name__)


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_byte_in_the_environment_fails_the_record(
    lab: Lab, make_scenario: Callable[..., LoadedScenario], kind: str
) -> None:
    """No image has one; the engine cannot pass it to any process."""
    loaded = make_scenario(CALM, name="calm", storm=PATIENT)
    record, _ = trial_of(lab, loaded, "docker", kind, lambda real: ProxiedTarget(real, order=with_null))
    failures = [record.failure, *(member.failure for member in record.members)]
    assert [failure for failure in failures if failure is not None]


def with_null(order: Order) -> Order:
    config = replace(order.image.config, env=(*order.image.config.env, "BAD=a\0b"))
    return replace(order, image=replace(order.image, config=config))


def trial_of(
    lab: Lab, loaded: LoadedScenario, target: str, kind: str, wrap: Callable[[Any], Any]
) -> tuple[Record, Output | None]:
    """One trial of a kind; its record can be stored, and nothing of it is left on the host."""
    setting = lab.setting(target, loaded, wrap=wrap)
    trial = lab.trial(setting, **FACTORS[kind])
    record, output = KINDS[kind](trial, setting)
    tag = box_tag(lab.campaign, trial.id)
    assert [str(found) for found in find_leftovers(tag)] == []
    assert [str(found) for found in find_containers(lab.client, tag)] == []
    assert [mark for mark in record.doubts if mark.startswith(("leftover:", "not removed:"))] == []
    assert parse_record(record.line(), where="here") == record
    return record, output


def assert_internal(record: Record, output: Output | None, name: str) -> None:
    assert record.outcome == "failed"
    assert record.failure is not None
    assert (record.failure.code, name in record.failure.message) == ("InternalError", True)
    assert output is not None
    assert b"Traceback (most recent call last):" in output.contents()[TRACEBACK]
