"""Exercises in real boxes: metrics in the record, stored output, failures, and batch workloads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from bench.records.record import Record
from bench.scenario.exercise import Exercise, Profile
from bench.scenario.model import LoadedScenario, load_scenario
from bench.scenario.readiness import ReadyExit
from bench.util.package_data import find_scenario
from tests.lab import Lab
from tests.noise import TRIES, one_is_right
from tests.waiting import PATIENCES_S

pytestmark = pytest.mark.live

HELLO: Final = """\
FROM boxbench/base-busybox:latest AS tools
FROM scratch
COPY --from=tools /usr/bin/busybox /bin/busybox
USER 12345:12345
ENV GREETING="hello there"
WORKDIR /tmp
CMD {command}
"""
SLEEP: Final = '["/bin/busybox", "sh", "-c", "echo ready; exec /bin/busybox sleep 1000000"]'
ALL: Final = ("process", "docker", "libvirt")

Make = Callable[..., LoadedScenario]


def shell(text: str, *, timeout_s: int = 60, operations: int | None = None) -> Exercise:
    profile = Profile(command=("/bin/busybox", "sh", "-c", text), timeout=timeout_s * 10**9, operations=operations)
    return Exercise(parser="key-value", quick=profile)


def in_short(name: str, command: tuple[str, ...], operations: int | None) -> LoadedScenario:
    """A bundled scenario with less to do than even its quick profile has."""
    loaded = load_scenario(find_scenario(name))
    exercise = loaded.scenario.exercise
    assert exercise is not None
    quick = exercise.quick.model_copy(update={"command": command, "operations": operations})
    changed = loaded.scenario.model_copy(update={"exercise": exercise.model_copy(update={"quick": quick})})
    return loaded.model_copy(update={"scenario": changed})


@pytest.mark.parametrize("target", ALL)
def test_redis_in_every_kind_of_box(lab: Lab, target: str) -> None:
    command = ("redis-benchmark", "-p", "6471", "-t", "get", "-n", "2000", "-c", "4", "--csv")
    done = lab.run(target, in_short("redis", command, 2000))
    assert done.record.failure is None
    found, facts = done.record.exercise, done.record.exercise_facts
    assert found["get_per_s"] > 10
    assert 0 < found["get.p50_ns"] <= found["get.p99_ns"]
    assert found["operations"] == 2000
    assert found["own_cpu_ns"] > 0
    assert 0 < found["cpu_per_operation_ns"] == done.record.cpu_ns["exercise.total"] / 2000
    assert (facts["profile"], facts["parser"]) == ("quick", "redis-benchmark")
    assert done.output is not None
    assert b'"GET"' in done.output.files["exercise.stdout"]
    done.assert_gone()


@pytest.mark.parametrize("target", ALL)
def test_cpu_in_every_kind_of_box(lab: Lab, target: str) -> None:
    loaded = in_short("cpu", ("sysbench", "cpu", "--cpu-max-prime=500", "--time=1", "run"), None)

    def measured() -> Iterator[Record]:
        for _ in range(TRIES):
            done = lab.run(target, loaded)
            assert done.record.failure is None
            assert done.record.exercise["cpu.events_per_s"] > 0
            assert done.record.exercise["wall_ns"] > 0.9e9
            done.assert_gone()
            yield done.record

    def check(record: Record) -> None:
        found = record.exercise
        # The box's own clock and the host's went alike: the marks of both are of the same two instants. A stall of the
        # host moves its stamp.
        assert abs(found["wall_ns"] - found["guest_wall_ns"]) < 0.9e9
        if target != "libvirt":
            # All that the host spent on the box was spent by the exercise itself.
            assert record.cpu_ns["exercise.box"] == pytest.approx(found["own_cpu_ns"], rel=0.1, abs=2e7)

    one_is_right(measured(), check)


@pytest.mark.parametrize("target", ALL)
def test_it_runs_as_the_workload_does(lab: Lab, make_scenario: Make, target: str) -> None:
    check = '[ "$GREETING" = "hello there" ] && [ "$(id -u):$(id -g)" = 12345:12345 ] && [ "$(pwd)" = /tmp ]'
    loaded = make_scenario(
        HELLO.format(command=SLEEP), name="exercise-as", exercise=shell(f"{check} && echo done_per_s=1 || id >&2")
    )
    done = lab.run(target, loaded)
    assert done.record.failure is None, done.output
    assert done.record.exercise["done_per_s"] == 1


@pytest.mark.parametrize("target", ALL)
def test_one_that_fails_fails_its_trial_and_is_kept(lab: Lab, make_scenario: Make, target: str) -> None:
    loaded = make_scenario(
        HELLO.format(command=SLEEP), name="exercise-bad", exercise=shell("echo half=1; echo no such table >&2; exit 3")
    )
    done = lab.run(target, loaded)
    assert done.record.outcome == "failed"
    assert done.record.failure is not None
    assert done.record.failure.code == "ExerciseError"
    assert done.record.failure.message == "the exercise ended with status 3: no such table"
    assert done.output is not None
    assert done.output.files == {"exercise.stdout": b"half=1\n", "exercise.stderr": b"no such table\n"}
    done.assert_gone()


def test_one_that_takes_too_long_is_ended_with_its_box(lab: Lab, make_scenario: Make) -> None:
    for patience_s in PATIENCES_S:
        exercise = shell("echo begun; sleep 1000", timeout_s=round(patience_s))
        done = lab.run("docker", make_scenario(HELLO.format(command=SLEEP), name="exercise-long", exercise=exercise))
        assert done.record.failure is not None
        said = done.record.failure.message
        if "begun" in said:  # it has begun in time
            break
    assert re.search(r"not done within (1\.00|10\.0|60\.0) s and was killed; its last output: begun", said)
    done.assert_gone()


def test_a_workload_that_ends_under_its_exercise_is_the_cause(lab: Lab, make_scenario: Make) -> None:
    # It ends once the exercise has begun, however long the host takes to begin it.
    script = "echo ready; until [ -e /tmp/begun ]; do sleep 0.05; done; exit 7"
    loaded = make_scenario(
        HELLO.replace("USER 12345:12345\n", "").format(command=f'["/bin/busybox", "sh", "-c", "{script}"]'),
        name="exercise-crash",
        exercise=shell("echo > /tmp/begun; sleep 1000"),
    )
    done = lab.run("process", loaded)
    assert done.record.failure is not None
    assert done.record.failure.message == "the workload ended with status 7 during the exercise"
    done.assert_gone()


# How vm-docker keeps the output of a workload that has ended is in test_ladder_vms.py.
@pytest.mark.parametrize("target", [*ALL, "containerd"])
def test_a_batch_workload_is_its_own_exercise(lab: Lab, make_scenario: Make, target: str) -> None:
    loaded = make_scenario(
        HELLO.format(command='["/bin/busybox", "sh", "-c", "echo rows_per_s=42; sleep 0.3; echo operations=7"]'),
        name="exercise-batch",
        ready=ReadyExit(when="exit"),
        exercise=Exercise(parser="key-value", run="workload"),
    )
    done = lab.run(target, loaded)
    assert done.record.failure is None
    assert done.record.exercise["rows_per_s"] == 42
    assert done.record.exercise["operations"] == 7
    assert done.record.exercise["wall_ns"] > 0.1e9
    assert done.output is not None
    assert done.output.files["exercise.stdout"] == b"rows_per_s=42\noperations=7\n"
