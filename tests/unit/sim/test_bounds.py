"""No simulated storm beats a bound, and where one resource alone is used the bound is the time itself."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.bounds import costs, storm_bounds
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError

MS: Final = 1_000_000
SLACK_NS: Final = 100
SLACK: Final = 1e-6
"""The engine rounds each instant to whole ns, and the speed of CPUs that slow each other down to 2**-20."""


def one_stage(**times_ns: int) -> TargetValues:
    """A start of one stage."""
    return TargetValues(stages=(StageValues(endpoint=Endpoint.READY, **times_ns),))


def last_ns(values: TargetValues, *, boxes: int, cpus: int, residents: int = 0, every_ns: int = 0) -> int:
    """When the last box of a simulated storm is up, since the first request."""
    at = np.arange(boxes, dtype=np.int64) * every_ns
    starts = simulate_starts(values, cpus=cpus, scheduled_ns=at, residents=residents, noise=None)
    return int((starts.times_ns[Endpoint.READY] + at).max())


def test_a_storm_without_resources_lasts_as_long_as_one_start() -> None:
    values = one_stage(delay_ns=100 * MS)
    assert storm_bounds(values, boxes=9, cpus=1).name == "start"
    assert last_ns(values, boxes=9, cpus=1) == storm_bounds(values, boxes=9, cpus=1).last_ns == 100 * MS


def test_a_storm_of_work_alone_lasts_as_long_as_the_cpus_need() -> None:
    values = one_stage(work_ns=100 * MS)
    found = storm_bounds(values, boxes=8, cpus=2)
    assert (found.name, found.cpu_ns) == ("CPU", 400 * MS)
    assert abs(last_ns(values, boxes=8, cpus=2) - 400 * MS) <= SLACK_NS


def test_a_storm_of_one_lock_lasts_as_long_as_its_queue() -> None:
    values = one_stage(delay_ns=30 * MS, hold_delay_ns=20 * MS)
    found = storm_bounds(values, boxes=8, cpus=2)
    assert (found.name, found.lock_ns) == ("lock", 50 * MS + 7 * 20 * MS)
    assert last_ns(values, boxes=8, cpus=2) == found.lock_ns


def test_residents_lengthen_the_hold() -> None:
    values = TargetValues(
        stages=(StageValues(endpoint=Endpoint.READY, hold_delay_ns=10 * MS, delay_ns=5 * MS),), growth_ns=1.0 * MS
    )
    assert storm_bounds(values, boxes=3, cpus=1, residents=20).lock_ns == 5 * MS + 3 * 30 * MS


def test_inflation_takes_from_all_cpus() -> None:
    values = TargetValues(stages=(StageValues(endpoint=Endpoint.READY, work_ns=100 * MS),), inflation=0.25)
    assert storm_bounds(values, boxes=8, cpus=2).cpu_ns == pytest.approx(800 * MS / 1.6)
    assert last_ns(values, boxes=8, cpus=2) == pytest.approx(500 * MS, rel=SLACK)


def test_background_work_counts_only_as_far_as_the_goal_must_wait_for_it() -> None:
    values = one_stage(work_ns=10 * MS, background_ns=1000 * MS)
    assert costs(values, cpus=1).cpu_ns == 20 * MS
    assert abs(last_ns(values, boxes=1, cpus=1) - 20 * MS) <= SLACK_NS


def random_values(rng: random.Random) -> TargetValues:
    """A target with up to three stages, each with anything."""
    endpoints = (Endpoint.CREATED, Endpoint.EXEC, Endpoint.READY)[-rng.randint(1, 3) :]
    stages = tuple(
        StageValues(
            endpoint=endpoint,
            delay_ns=rng.choice((0, rng.randrange(50 * MS))),
            work_ns=rng.choice((0, rng.randrange(80 * MS))),
            background_ns=rng.choice((0, rng.randrange(80 * MS))),
            hold_work_ns=rng.choice((0, 0, rng.randrange(20 * MS))),
            hold_delay_ns=rng.choice((0, 0, rng.randrange(20 * MS))),
        )
        for endpoint in endpoints
    )
    return TargetValues(
        stages=stages,
        inflation=rng.choice((0.0, rng.random())),
        crowding=rng.choice((0.0, 0.8 * rng.random())),
        growth_ns=rng.choice((0.0, 1e5 * rng.random())),
    )


def test_no_storm_beats_its_bounds() -> None:
    rng = random.Random(12)
    reached = {"start": 0, "CPU": 0, "lock": 0}
    for _ in range(300):
        values, boxes, cpus = random_values(rng), rng.randint(1, 12), rng.randint(1, 4)
        residents, every_ns = rng.choice((0, 30)), rng.choice((0, rng.randrange(20 * MS)))
        at = np.arange(boxes, dtype=np.int64) * every_ns
        found = storm_bounds(values, boxes=boxes, cpus=cpus, residents=residents, scheduled_ns=at)
        last = last_ns(values, boxes=boxes, cpus=cpus, residents=residents, every_ns=every_ns)
        assert last >= found.last_ns * (1 - SLACK) - SLACK_NS, (values, boxes, cpus)
        reached[found.name] += last <= 1.1 * found.last_ns
    # Bounds far below every storm would say nothing.
    assert min(reached.values()) >= 10, reached


def test_a_crowd_slows_the_holders_of_a_lock_one_after_the_other() -> None:
    """The first one works beside 8 boxes on 2 CPUs, the next one beside 7."""
    values = replace(one_stage(hold_work_ns=100 * MS, hold_delay_ns=10 * MS), crowding=0.5)
    exact = sum(100 * MS * max(1.0, number / 2) ** 0.5 + 10 * MS for number in range(1, 9))
    found = storm_bounds(values, boxes=8, cpus=2)
    assert last_ns(values, boxes=8, cpus=2) == pytest.approx(exact, rel=SLACK)
    assert found.name == "lock"
    assert 0.99 * exact < found.lock_ns <= exact


def test_a_crowd_is_certain_only_of_boxes_that_are_requested_together() -> None:
    values = replace(one_stage(work_ns=100 * MS), crowding=1.0)
    apart = np.arange(8, dtype=np.int64)
    assert storm_bounds(values, boxes=8, cpus=2, scheduled_ns=apart).cpu_ns == pytest.approx(400 * MS, abs=10)
    # (1 + 1 + 1.5 + 2 + 2.5 + 3 + 3.5 + 4) * 50 ms
    assert storm_bounds(values, boxes=8, cpus=2).cpu_ns == pytest.approx(925 * MS)
    assert storm_bounds(values, boxes=2, cpus=2).cpu_ns == 100 * MS


@pytest.mark.parametrize(("name", "wrong"), [("boxes", 0), ("cpus", 0), ("residents", -1)])
def test_what_is_no_storm_is_refused(name: str, wrong: int) -> None:
    given = {"boxes": 1, "cpus": 1, "residents": 0} | {name: wrong}
    with pytest.raises(UsageError, match=f"{name} is {wrong}"):
        storm_bounds(one_stage(), boxes=given["boxes"], cpus=given["cpus"], residents=given["residents"])
