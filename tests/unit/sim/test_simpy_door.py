"""Starts inside a SimPy simulation have the times that the engine gives them."""

from __future__ import annotations

import importlib
import math
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from simpy import Environment, Process

from bench.records.record import Endpoint
from bench.sim import simpy_door
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.model.values import target_values
from bench.sim.noise import factors
from bench.sim.simpy_door import Host, Lock, Steps, start
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError
from tests.synthetic_models import STAGES, make_model
from tests.unit.sim.test_bounds import random_values

MS: Final = 1_000_000
DOC: Final = Path(__file__).parents[3] / "docs/how-to/simpy.md"


def storm(
    values: TargetValues, *, cpus: int, at: NDArray[np.int64], residents: int, noise: NDArray[np.float64]
) -> tuple[dict[Endpoint, list[int]], Host]:
    """The times of boxes that are requested as scheduled, each since its own request."""
    env = Environment()
    host = Host(env, cpus=cpus, inflation=values.inflation, crowding=values.crowding, residents=residents)
    boxes: dict[int, Process] = {}

    def requests() -> Steps:
        for box in np.argsort(at, kind="stable").tolist():
            yield env.timeout(int(at[box]) - int(env.now))
            boxes[box] = env.process(start(host, values, factor=float(noise[box])))

    env.process(requests())
    env.run()
    reached = [cast(dict[Endpoint, int], boxes[box].value) for box in range(len(at))]
    return {stage.endpoint: [times[stage.endpoint] for times in reached] for stage in values.stages}, host


def test_storms_have_the_times_of_the_engine() -> None:
    rng = random.Random(5)
    for trial in range(100):
        values = replace(random_values(rng), box_sd=rng.choice((0.0, 0.2)))
        boxes, cpus, residents = rng.randint(1, 12), rng.randint(1, 4), rng.choice((0, 25))
        at = np.array([rng.choice((0, 0, 10 * MS, rng.randrange(50 * MS))) for _ in range(boxes)], dtype=np.int64)
        noise = factors(values, seed=1, trial=trial, block=0, boxes=boxes)
        engine = simulate_starts(values, cpus=cpus, scheduled_ns=at, residents=residents, noise=noise)
        ours, host = storm(values, cpus=cpus, at=at, residents=residents, noise=noise)
        assert ours == {endpoint: times.tolist() for endpoint, times in engine.times_ns.items()}, trial
        assert host.busy_ns == engine.cpu_ns
        assert (host.alive, host.starting) == (residents + boxes, 0)


@pytest.mark.parametrize("label", STAGES)
def test_targets_of_a_model_have_the_times_of_the_engine(label: str) -> None:
    """With noise, beside residents, for single draws of the model."""
    model = make_model()
    for draw in (None, 3):
        values = target_values(model, label, draw)
        at = np.array([0, 0, 0, 40 * MS, 40 * MS, 90 * MS], dtype=np.int64)
        noise = factors(values, seed=7, trial=2, block=1, boxes=len(at))
        engine = simulate_starts(values, cpus=2, scheduled_ns=at, residents=8, noise=noise)
        ours, _host = storm(values, cpus=2, at=at, residents=8, noise=noise)
        assert ours == {endpoint: times.tolist() for endpoint, times in engine.times_ns.items()}


def test_boxes_of_two_targets_on_one_host() -> None:
    """Each target has a lock of its own; the hold grows with all boxes that are up."""
    model = make_model()
    counts = {"docker": 5, "gvisor": 4}
    values = {label: target_values(model, label, None) for label in counts}
    values["docker"] = replace(values["docker"], crowding=0.45)
    shared = float(np.average([values[label].inflation for label in counts], weights=list(counts.values())))
    crowding = 0.45 * 5 / 9
    at_once = np.zeros(9, dtype=np.int64)
    groups = [
        SharedGroup(values=values[label], scheduled_ns=at_once[:count], noise=np.linspace(0.9, 1.2, count))
        for label, count in counts.items()
    ]
    env = Environment()
    host = Host(env, cpus=2, inflation=shared, crowding=crowding, residents=50)
    same = {label: replace(one, inflation=shared, crowding=crowding) for label, one in values.items()}
    boxes = [
        [env.process(start(host, same[label], factor=float(factor), lock=label)) for factor in group.noise]
        for label, group in zip(counts, groups, strict=True)
    ]
    env.run()
    ups = [[cast(dict[Endpoint, int], box.value)[Endpoint.READY] for box in group] for group in boxes]
    assert ups == [up.tolist() for up in simulate_shared(groups, cpus=2, residents=50)]


def test_a_large_storm_is_off_by_rounding_alone() -> None:
    """The engine's unit of work is coarser here."""
    stage = StageValues(
        endpoint=Endpoint.READY, delay_ns=90 * MS, work_ns=700 * MS, background_ns=90 * MS, hold_work_ns=3 * MS
    )
    values = TargetValues(stages=(stage,), inflation=0.1, growth_ns=1e4)
    at = np.zeros(300, dtype=np.int64)
    noise = factors(replace(values, box_sd=0.2), seed=1, trial=0, block=0, boxes=len(at))
    engine = simulate_starts(values, cpus=8, scheduled_ns=at, residents=0, noise=noise)
    ours, _host = storm(values, cpus=8, at=at, residents=0, noise=noise)
    assert np.abs(engine.times_ns[Endpoint.READY] - np.array(ours[Endpoint.READY])).max() <= 5


def test_work_is_shared_and_background_work_is_not_waited_for() -> None:
    done: list[int] = []
    env = Environment()
    host = Host(env, cpus=1)

    def box() -> Steps:
        host.background(10)
        yield from host.work(10)
        done.append(int(env.now))

    env.process(box())
    env.process(box())
    env.run()
    assert done == [40, 40]
    assert host.busy_ns == 40


def test_a_lock_serves_in_order_and_an_interrupted_start_leaves_nothing_behind() -> None:
    env = Environment()
    host = Host(env, cpus=1)
    stage = StageValues(endpoint=Endpoint.READY, hold_delay_ns=100, work_ns=10)
    values = TargetValues(stages=(stage,))
    boxes = [env.process(start(host, values)) for _ in range(4)]

    def interrupt(box: Process, at_ns: int) -> Steps:
        box.callbacks.append(lambda event: setattr(event, "defused", True))
        yield env.timeout(at_ns)
        box.interrupt()

    env.process(interrupt(boxes[0], 50))  # it has the lock
    env.process(interrupt(boxes[2], 60))  # it waits for it
    env.process(interrupt(boxes[1], 155))  # it works
    env.run()
    assert [box.ok for box in boxes] == [False, False, False, True]
    assert boxes[3].value == {Endpoint.READY: 50 + 100 + 100 + 10}
    assert (host.alive, host.starting, host.lock().free, host.busy_ns) == (1, 0, 1, 5 + 10)


def test_a_grant_that_nobody_takes_is_passed_on() -> None:
    lock = Lock(Environment())
    assert list(lock.acquire()) == []
    second, third = lock.acquire(), lock.acquire()
    events = [next(second), next(third)]
    lock.release()
    assert [event.triggered for event in events] == [True, False]
    second.close()
    assert [event.triggered for event in events] == [True, True]
    third.close()
    assert lock.free == 1


def test_hosts_that_make_no_sense_are_refused() -> None:
    env = Environment()
    for name, value in (("cpus", 0), ("inflation", -1), ("crowding", -1), ("residents", -1)):
        given: dict[str, Any] = {"cpus": 1, name: value}
        with pytest.raises(UsageError, match=f"{name} is {value}"):
            Host(env, **given)
    with pytest.raises(UsageError, match=r"the simulation is at 0\.5"):
        Host(Environment(0.5), cpus=1)
    values = TargetValues(stages=(StageValues(endpoint=Endpoint.READY),), inflation=0.25)
    for wrong in (-1.0, 0.0, math.nan, math.inf):
        with pytest.raises(UsageError, match=f"the factor of a box is {wrong}"):
            next(start(Host(env, cpus=2, inflation=0.25), values, factor=wrong))
    for duration in (-1, 2.5):
        for steps in (Host(env, cpus=1).work, Host(env, cpus=1).delay):
            with pytest.raises(UsageError, match=f"a duration is {duration}"):
                next(steps(duration))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"grows by 0\.25 per further CPU, and the host's by 0\.0"):
        next(start(Host(env, cpus=2), values))
    with pytest.raises(UsageError, match=r"grows by 0\.0 with the boxes that start at once, and the host's by 0\.5"):
        next(start(Host(env, cpus=2, inflation=0.25, crowding=0.5), values))


def test_without_simpy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simpy", None)
    with pytest.raises(UsageError, match="SimPy is not installed") as refused:
        importlib.reload(simpy_door)
    assert refused.value.hint == "pip install simpy"


def test_the_example_of_the_documentation(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The code block of docs/how-to/simpy.md prints what stands below it."""
    monkeypatch.chdir(DOC.parents[1])
    code, printed = _blocks()
    exec(compile(code, str(DOC), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out == printed


def _blocks() -> tuple[str, str]:
    """The example and its output."""
    parts = DOC.read_text(encoding="utf-8").split("```")
    code = next(part.removeprefix("python\n") for part in parts if part.startswith("python\n"))
    printed = next(part.removeprefix("text\n") for part in parts if part.startswith("text\n"))
    return code, printed
