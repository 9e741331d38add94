"""Storms: answers that can be worked out by hand, both forms, and many storms in one call."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.noise import factors
from bench.sim.starts import ManyStarts, Starts, Storm, grid_of, simulate_many, simulate_starts
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError

MS = 1_000_000
DOCKER = TargetValues(
    stages=(
        StageValues(endpoint=Endpoint.CREATED, delay_ns=20 * MS, work_ns=30 * MS, background_ns=15 * MS),
        StageValues(
            endpoint=Endpoint.INIT,
            delay_ns=40 * MS,
            work_ns=60 * MS,
            background_ns=70 * MS,
            hold_work_ns=8 * MS,
            hold_delay_ns=4 * MS,
        ),
        StageValues(endpoint=Endpoint.READY, delay_ns=1 * MS, work_ns=5 * MS),
    ),
    inflation=0.1,
    growth_ns=0.3 * MS,
    block_sd=0.1,
    block_correlation=0.4,
    box_sd=0.15,
)


def ready(found: Starts) -> list[int]:
    return found.times_ns[Endpoint.READY].tolist()  # type: ignore[no-any-return]


def one_stage(**values: int) -> TargetValues:
    return TargetValues(stages=(StageValues(endpoint=Endpoint.READY, **values),))


def together(boxes: int) -> NDArray[np.int64]:
    return np.zeros(boxes, dtype=np.int64)


def test_a_box_alone_takes_its_solo_time_and_costs_its_cpu_time() -> None:
    found = simulate_starts(replace(DOCKER, inflation=0.0), cpus=2, scheduled_ns=together(1))
    assert ready(found) == [DOCKER.solo_ns]
    assert found.times_ns[Endpoint.CREATED].tolist() == [50 * MS]
    assert found.cpu_ns == DOCKER.cpu_ns
    assert found.lock_wait_ns.tolist() == [0]
    assert found.cpu_wait_ns.tolist() == [0]


def test_delays_pass_side_by_side() -> None:
    found = simulate_starts(one_stage(delay_ns=7), cpus=1, scheduled_ns=np.array([0, 3, 5]))
    assert ready(found) == [7, 7, 7]
    assert found.cpu_ns == 0


def test_the_lock_makes_a_line() -> None:
    found = simulate_starts(one_stage(delay_ns=100, hold_delay_ns=10), cpus=1, scheduled_ns=together(5))
    assert ready(found) == [110, 120, 130, 140, 150]
    assert found.lock_wait_ns.tolist() == [0, 10, 20, 30, 40]


def test_work_is_shared_by_all_and_background_takes_its_part() -> None:
    found = simulate_starts(one_stage(work_ns=100 * MS), cpus=2, scheduled_ns=together(6))
    assert ready(found) == [300 * MS] * 6
    assert found.busy_share == 1.0
    assert found.cpu_wait_ns.tolist() == [200 * MS] * 6
    beside = simulate_starts(one_stage(work_ns=100 * MS, background_ns=100 * MS), cpus=2, scheduled_ns=together(6))
    assert ready(beside) == [600 * MS] * 6
    late = simulate_starts(one_stage(work_ns=10 * MS, background_ns=1000 * MS), cpus=2, scheduled_ns=together(1))
    assert ready(late) == [10 * MS]
    assert late.cpu_ns == 1010 * MS
    assert late.cpu_until_up_ns == 20 * MS
    assert late.busy_share == 1.0


def test_inflation_slows_work_by_the_cpus_that_are_busy() -> None:
    values = replace(one_stage(work_ns=100 * MS), inflation=0.5)
    assert ready(simulate_starts(values, cpus=4, scheduled_ns=together(1))) == [100 * MS]
    assert ready(simulate_starts(values, cpus=4, scheduled_ns=together(3))) == [200 * MS] * 3
    found = simulate_starts(values, cpus=4, scheduled_ns=together(8))
    assert np.abs(found.times_ns[Endpoint.READY] - 500 * MS).max() <= 500
    assert found.cpu_ns == pytest.approx(2_000 * MS, rel=1e-6)


def test_a_crowd_slows_all_work_by_the_boxes_that_are_not_up() -> None:
    values = replace(one_stage(work_ns=100 * MS), crowding=0.5)
    for boxes, slower in ((1, 1.0), (2, 1.0), (4, 2.0**0.5), (8, 2.0)):
        found = simulate_starts(values, cpus=2, scheduled_ns=together(boxes), residents=70)
        assert ready(found) == [pytest.approx(max(boxes, 2) / 2 * 100 * MS * slower, rel=1e-6)] * boxes
        assert found.cpu_ns == pytest.approx(boxes * 100 * MS * slower, rel=1e-6)


def test_a_crowd_counts_boxes_that_wait_and_changes_at_once() -> None:
    """One CPU, work twice as long beside another box.

    The first box works from 50 to 100 alone; until 150 it gets 25, and then shares the slow CPU until it is up at 250.
    The second box is requested at 100, works from 150 on and has got 25 when it is alone.
    """
    values = replace(one_stage(delay_ns=50 * MS, work_ns=100 * MS), crowding=1.0)
    found = simulate_starts(values, cpus=1, scheduled_ns=np.array([0, 100 * MS]))
    assert ready(found) == [250 * MS, 225 * MS]
    assert found.cpu_ns == 275 * MS
    lock = replace(one_stage(hold_delay_ns=10 * MS, work_ns=30 * MS), crowding=1.0)
    # The first box has the lock until 10; then it works beside one that holds the lock and, from 20 on, works too.
    assert ready(simulate_starts(lock, cpus=1, scheduled_ns=together(2))) == [120 * MS, 125 * MS]


def test_boxes_that_are_up_leave_their_background_work_to_the_speed_of_those_that_are_not() -> None:
    values = replace(one_stage(work_ns=10 * MS, background_ns=40 * MS), crowding=1.0)
    # Both are up after 80 ms of a CPU at half its speed; what is left in the background is as fast as ever.
    found = simulate_starts(values, cpus=1, scheduled_ns=together(2))
    assert ready(found) == [80 * MS] * 2
    assert found.cpu_ns == (80 + 60) * MS


def test_the_hold_grows_with_residents_and_with_boxes_that_are_up() -> None:
    values = replace(one_stage(hold_work_ns=1000), growth_ns=10.5)
    found = simulate_starts(values, cpus=64, scheduled_ns=together(3), residents=100)
    holds = np.diff([0, *ready(found)])
    assert holds.tolist() == [1000 + 1050, 1000 + 1060, 1000 + 1071]
    without = simulate_starts(replace(one_stage(work_ns=9), growth_ns=10.5), cpus=64, scheduled_ns=together(3))
    assert ready(without) == [9, 9, 9]


def test_the_noise_of_a_box_stretches_all_of_its_times() -> None:
    values = replace(DOCKER, inflation=0.0, growth_ns=0.0)
    found = simulate_starts(values, cpus=2, scheduled_ns=together(1), noise=np.array([1.5]))
    assert ready(found) == [DOCKER.solo_ns * 3 // 2]
    assert found.cpu_ns == DOCKER.cpu_ns * 3 // 2


def test_boxes_keep_their_places_when_they_are_not_requested_in_order() -> None:
    schedule = np.array([50 * MS, 0, 20 * MS])
    noise = np.array([1.1, 1.2, 0.9])
    order = np.argsort(schedule)
    found = simulate_starts(DOCKER, cpus=2, scheduled_ns=schedule, noise=noise)
    other = simulate_starts(DOCKER, cpus=2, scheduled_ns=schedule[order], noise=noise[order])
    for name, times in found.times_ns.items():
        assert times[order].tolist() == other.times_ns[name].tolist()
    assert found.lock_wait_ns[order].tolist() == other.lock_wait_ns.tolist()


def some_storms() -> list[Storm]:
    storms = []
    for trial, boxes in enumerate((1, 8, 3, 40)):
        noise = factors(DOCKER, seed=3, trial=trial, block=trial // 2, boxes=boxes)
        storms.append(Storm(scheduled_ns=np.arange(boxes) * (trial % 2) * MS, residents=5 * trial, noise=noise))
    return storms


def digest(found: ManyStarts) -> str:
    whole = hashlib.sha256()
    for array in (found.times_ns, found.lock_wait_ns, found.cpu_wait_ns, found.cpu_ns, found.events):
        whole.update(np.ascontiguousarray(array).astype("<i8").tobytes())
    whole.update(np.ascontiguousarray(found.busy_share).tobytes())
    return whole.hexdigest()


def test_both_forms_give_the_same_bits() -> None:
    grid = grid_of(
        [
            replace(DOCKER, inflation=0.05 * point, growth_ns=1e5 * point, crowding=0.2 * (point % 3))
            for point in range(5)
        ]
    )
    found, other = (simulate_many(grid, some_storms(), cpus=2, pure_python=pure) for pure in (False, True))
    assert digest(found) == digest(other)
    assert found.events.min() > 5


def test_a_storm_among_many_is_the_storm_alone() -> None:
    points = [replace(DOCKER, inflation=0.3 * point, crowding=0.25 * (2 - point)) for point in range(3)]
    storms = some_storms()
    many = simulate_many(grid_of(points), storms, cpus=4)
    for point, values in enumerate(points):
        for place, storm in enumerate(storms):
            alone = simulate_starts(
                values, cpus=4, scheduled_ns=storm.scheduled_ns, residents=storm.residents, noise=storm.noise
            )
            among = many.starts(point, place)
            assert ready(among) == ready(alone) == many.goal_ns(place)[point].tolist()
            assert among.lock_wait_ns.tolist() == alone.lock_wait_ns.tolist()
            assert among.cpu_wait_ns.tolist() == alone.cpu_wait_ns.tolist()
            assert (among.cpu_ns, among.busy_share) == (alone.cpu_ns, alone.busy_share)


def test_cpu_time_is_conserved_and_never_above_the_host() -> None:
    storms = some_storms()
    found = simulate_many(grid_of([replace(DOCKER, growth_ns=0.0, inflation=0.0)]), storms, cpus=3)
    for place, storm in enumerate(storms):
        assert storm.noise is not None
        asked = DOCKER.cpu_ns * storm.noise.sum()
        pieces = 8 * len(storm.scheduled_ns)
        assert -pieces < found.cpu_ns[0, place] - asked < 2 * pieces
    assert found.busy_share.max() <= 1


def test_no_storm_is_faster_than_its_bounds() -> None:
    boxes, cpus = 200, 2
    found = simulate_starts(DOCKER, cpus=cpus, scheduled_ns=together(boxes))
    assert max(ready(found)) >= max(DOCKER.solo_ns, boxes * (DOCKER.cpu_ns - 90 * MS) / cpus, boxes * DOCKER.hold_ns)


@pytest.mark.parametrize(
    "wrong",
    [
        {"cpus": 0},
        {"scheduled_ns": np.array([], dtype=np.int64)},
        {"scheduled_ns": np.array([-1])},
        {"residents": -1},
        {"noise": np.ones(2)},
        {"noise": np.array([0.0])},
        {"noise": np.array([np.nan])},
        {"values": one_stage(work_ns=-1)},
        {"values": replace(DOCKER, inflation=-0.1)},
        {"values": replace(DOCKER, growth_ns=float("nan"))},
        {"values": replace(DOCKER, crowding=-0.1)},
        {"values": replace(DOCKER, crowding=float("nan"))},
        {"values": TargetValues(stages=())},
    ],
)
def test_values_without_a_meaning_are_refused(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"values": DOCKER, "cpus": 2, "scheduled_ns": together(1), **wrong}
    with pytest.raises(ValueError, match=r"cannot|negative|needs|requested|not a positive"):
        simulate_starts(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "residents"),
    [
        (one_stage(hold_delay_ns=2**53), 0),
        (one_stage(delay_ns=2**62), 0),
        (replace(one_stage(hold_work_ns=1), growth_ns=2.0**40), 10**6),
        (replace(one_stage(work_ns=1), inflation=float("inf")), 0),
        (replace(one_stage(work_ns=2**45), inflation=1e6), 0),
        (replace(one_stage(work_ns=1), crowding=float("inf")), 0),
        (replace(one_stage(work_ns=1), crowding=5.0), 0),
    ],
)
def test_sums_of_times_that_leave_64_bits_are_refused(values: TargetValues, residents: int) -> None:
    with pytest.raises(UsageError, match="1000 boxes at once"):
        simulate_starts(values, cpus=64, scheduled_ns=together(1000), residents=residents)


def test_a_storm_beyond_the_range_of_integers_is_refused() -> None:
    with pytest.raises(UsageError, match=r"3000 boxes at once with up to 1e\+06 s"):
        simulate_starts(one_stage(work_ns=10**15), cpus=2, scheduled_ns=together(3000))
