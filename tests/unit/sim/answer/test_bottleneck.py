"""Bottlenecks: the largest bound, and where another one takes over."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.answer.answer import Bottleneck
from bench.sim.answer.bottleneck import bottleneck, judged
from bench.sim.answer.form import Drawn
from bench.sim.values import StageValues, TargetValues

MS = 10**6


def _values(*, delay: int = 0, work: int = 0, hold: int = 0, growth: float = 0.0) -> TargetValues:
    stage = StageValues(endpoint=Endpoint.READY, delay_ns=delay * MS, work_ns=work * MS, hold_delay_ns=hold * MS)
    return TargetValues(stages=(stage,), growth_ns=growth * MS)


def _limit(*draws: TargetValues, cpus: int, residents: int, scheduled_ns: np.ndarray) -> Bottleneck:
    drawn = [Drawn(values=values) for values in draws]
    weights = [1.0] * len(draws)
    return bottleneck("a", drawn, weights, cpus=cpus, residents=residents, scheduled_ns=scheduled_ns)


def _at_once(boxes: int) -> np.ndarray:
    return np.zeros(boxes, dtype=np.int64)


def test_a_single_box_needs_its_start() -> None:
    found = _limit(_values(delay=100, work=10), cpus=2, residents=0, scheduled_ns=_at_once(1))
    assert found.name == "start"
    assert found.bounds_ns["start"] == 110 * MS


def test_many_boxes_need_the_cpu() -> None:
    found = _limit(_values(delay=100, work=10), cpus=2, residents=0, scheduled_ns=_at_once(100))
    assert found.name == "CPU"
    assert found.bounds_ns["CPU"] == 500 * MS


def test_many_boxes_on_many_cpus_need_the_lock() -> None:
    found = _limit(_values(work=100, hold=10), cpus=64, residents=0, scheduled_ns=_at_once(64))
    assert found.name == "lock"
    assert found.bounds_ns["lock"] == (110 + 63 * 10) * MS


def test_the_switch_names_the_size_at_which_another_bound_is_larger() -> None:
    # 110 ms against N * 5 ms: 23 boxes need 115 ms, and 24 is the next size that is tried.
    found = _limit(_values(delay=100, work=10), cpus=2, residents=0, scheduled_ns=_at_once(4))
    assert found.name == "start"
    assert found.switch is not None
    assert found.switch == "from 24 boxes on CPU decides"


def test_more_cpus_hand_over_to_the_lock() -> None:
    found = _limit(_values(work=100, hold=10), cpus=4, residents=0, scheduled_ns=_at_once(64))
    assert found.name == "CPU"
    assert found.switch is not None
    assert "CPUs the lock decides" in found.switch


def test_residents_lengthen_the_lock() -> None:
    found = _limit(_values(work=100, hold=1, growth=0.5), cpus=4, residents=0, scheduled_ns=_at_once(64))
    assert found.switch is not None
    assert "that live already the lock decides" in found.switch


def _one_after_another(boxes: int, gap_ms: int) -> np.ndarray:
    return np.arange(boxes, dtype=np.int64) * gap_ms * MS


def test_of_requests_far_apart_the_time_between_them_decides() -> None:
    found = _limit(_values(delay=100, work=10), cpus=2, residents=0, scheduled_ns=_one_after_another(100, 1000))
    assert found.name == "requests"
    # Bounds of the model are without the schedule that the question states.
    assert found.bounds_ns == {"requests": 99_000 * MS, "start": 110 * MS, "CPU": 500 * MS, "lock": 0.0}
    assert found.switch is None or "boxes on" not in found.switch
    assert judged(found, 99_110 * MS, None).reached == pytest.approx(1.0)


def test_a_start_that_is_longer_than_all_requests_decides_itself() -> None:
    found = _limit(_values(delay=1000), cpus=2, residents=0, scheduled_ns=_one_after_another(4, 100))
    assert found.name == "start"
    assert judged(found, 1300 * MS, None).reached == pytest.approx(1.0)


def test_requests_that_come_faster_than_they_are_served_leave_it_to_the_cpu_or_the_lock() -> None:
    cpu = _limit(_values(delay=100, work=100), cpus=2, residents=0, scheduled_ns=_one_after_another(100, 20))
    assert (cpu.name, cpu.bounds_ns["CPU"]) == ("CPU", 5000 * MS)
    lock = _limit(_values(delay=100, hold=50), cpus=2, residents=0, scheduled_ns=_one_after_another(100, 20))
    assert (lock.name, lock.bounds_ns["lock"]) == ("lock", (100 + 100 * 50) * MS)


def test_more_boxes_wait_for_their_requests() -> None:
    found = _limit(_values(delay=1000), cpus=2, residents=0, scheduled_ns=_one_after_another(4, 100))
    assert found.switch == "from 12 boxes on the time between requests decides"


def test_what_the_data_leave_open_has_a_share() -> None:
    """The lock decides in two draws of three: neither has a hold that is their mean."""
    draws = [_values(work=100, hold=hold) for hold in (0, 50, 60)]
    found = _limit(*draws, cpus=64, residents=0, scheduled_ns=_at_once(64))
    assert found.name == "lock"
    assert found.share == pytest.approx(2 / 3)


def test_a_short_wait_for_the_lock_is_not_what_decides() -> None:
    """The bound of the lock holds a whole start: from two boxes on it is the largest for any hold."""
    short = _limit(_values(delay=200, hold=2), cpus=64, residents=0, scheduled_ns=_at_once(4))
    assert short.bounds_ns["lock"] > short.bounds_ns["start"]
    assert short.name == "start"
    long = _limit(_values(delay=200, hold=2), cpus=64, residents=0, scheduled_ns=_at_once(103))
    # 102 waits of 2 ms are longer than a start of 202 ms.
    assert long.name == "lock"
    assert _limit(_values(delay=200, hold=2), cpus=64, residents=0, scheduled_ns=_at_once(101)).name == "start"


def test_a_short_wait_for_the_lock_leaves_it_to_the_cpu() -> None:
    found = _limit(_values(delay=80, work=20, hold=7), cpus=2, residents=0, scheduled_ns=_at_once(14))
    # 140 ms of CPU, 107 + 91 ms of the lock.
    assert found.bounds_ns["lock"] > found.bounds_ns["CPU"] > found.bounds_ns["start"]
    assert found.name == "CPU"


def test_more_cpus_than_measured_take_the_form_of_each_draw() -> None:
    """The line ends at 1 / inflation CPUs' worth of work; a form that stays goes on."""
    values = dataclasses.replace(_values(work=100), inflation=0.5)
    bounds = []
    for exponent in (0.0, 1.0):
        drawn = [Drawn(values=values, known=2, exponent=exponent)]
        found = bottleneck("a", drawn, [1.0], cpus=64, residents=0, scheduled_ns=_at_once(640))
        bounds.append(found.bounds_ns["CPU"] / MS)
    assert bounds[1] == pytest.approx(640 * 100 / (64 / (1 + 0.5 * 63)), rel=1e-6)
    assert bounds[0] == pytest.approx(640 * 100 / (64 / 1.5), rel=1e-6)


@pytest.mark.parametrize(
    ("middle", "role", "reached", "said"),
    [
        (5.0, "hold", 0.6, "the lock hold"),
        (5.0, "work", 0.6, None),
        (3.2, "hold", 3.0 / 3.2, None),
        (5.0, None, 0.6, None),
    ],
)
def test_a_bound_far_below_the_answer_names_what_is_open(
    middle: float, role: str | None, reached: float, said: str | None
) -> None:
    limit = Bottleneck(target="a", name="CPU", bounds_ns={"start": 0.2e9, "CPU": 3e9, "lock": 1e9})
    found = judged(limit, middle * 1e9, role)
    assert found.reached == pytest.approx(reached)
    assert found.open == said
    assert judged(limit, 5e9, "work", humps=True).open == "which of two answers holds"
