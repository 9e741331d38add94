"""Closed forms against textbooks, against each other, and against balance equations that are solved as they stand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.linalg import expm, null_space

from bench.sim import theory
from bench.util.errors import UsageError


def steady(up: Callable[[int], float], down: Callable[[int], float], last: int) -> NDArray[np.float64]:
    """The shares of time of a birth-death process on 0..last, from its balance equations."""
    rates = np.zeros((last + 1, last + 1))
    for number in range(last):
        rates[number, number + 1] = up(number)
        rates[number + 1, number] = down(number + 1)
    np.fill_diagonal(rates, -rates.sum(axis=1))
    found = null_space(rates.T)[:, 0]
    return np.asarray(found / found.sum())


@pytest.mark.parametrize(
    ("servers", "offered", "lost"),
    [(1, 1.0, 0.5), (2, 1.0, 0.2), (5, 3.0, 0.110054), (10, 5.0, 0.018385), (0, 7.0, 1.0), (3, 0.0, 0.0)],
)
def test_erlang_b_of_tables(servers: int, offered: float, lost: float) -> None:
    assert theory.erlang_b(servers, offered) == pytest.approx(lost, rel=1e-4)


def test_erlang_b_of_a_large_system_is_that_of_its_balance_equations() -> None:
    assert theory.erlang_b(60, 55.0) == pytest.approx(steady(lambda _: 55.0, float, 60)[-1], rel=1e-9)
    assert 0.0 < theory.erlang_b(5000, 4900.0) < 0.02


@pytest.mark.parametrize(("servers", "offered", "waits"), [(1, 0.7, 0.7), (2, 1.0, 1 / 3), (10, 8.0, 0.409180)])
def test_erlang_c_of_tables(servers: int, offered: float, waits: float) -> None:
    assert theory.erlang_c(servers, offered) == pytest.approx(waits, rel=1e-5)


def test_the_mean_wait_is_the_area_under_its_tail() -> None:
    area, _error = quad(theory.mmc_wait_beyond, 0, 400, args=(1.7, 1.0, 2))
    assert theory.mmc_wait(1.7, 1.0, 2) == pytest.approx(area)


def test_one_server_is_the_same_by_two_formulas() -> None:
    assert theory.mg1_wait(0.8, 1.0, 2.0) == pytest.approx(theory.mmc_wait(0.8, 1.0, 1)) == pytest.approx(4.0)
    assert theory.mg1_wait(0.8, 1.0, 1.0) == pytest.approx(2.0)


def test_one_shared_cpu_is_the_well_known_form() -> None:
    assert theory.shared_sojourn(0.8, 1.0) == pytest.approx(5.0)


def test_shared_cpus_without_inflation_are_as_full_as_servers() -> None:
    assert theory.shared_sojourn(1.7, 1.0, cpus=2) == pytest.approx(1 + theory.mmc_wait(1.7, 1.0, 2))


def test_shared_cpus_with_inflation_are_those_of_their_balance_equations() -> None:
    shares = steady(lambda _: 1.3, lambda number: theory.capacity(number, cpus=3, inflation=0.1), 120)
    pieces = shares @ np.arange(121)
    assert theory.shared_sojourn(1.3, 1.0, cpus=3, inflation=0.1) == pytest.approx(pieces / 1.3, rel=1e-9)


def test_many_shared_cpus_overflow_nothing() -> None:
    assert theory.shared_sojourn(1900.0, 1.0, cpus=2000) == pytest.approx(1.0, rel=0.01)


def test_the_capacity_of_a_node() -> None:
    assert [theory.capacity(number, cpus=2) for number in range(4)] == [0, 1, 2, 2]
    assert theory.capacity(9, cpus=3, inflation=0.25) == pytest.approx(2.0)


def test_machines_by_mean_values_and_by_balance() -> None:
    for machines in (1, 2, 7, 60):
        by_means = theory.machine_repairman(machines, 10.0, 1.0)
        by_balance = theory.closed_sharing(machines, 10.0, 1.0)
        assert by_means.throughput == pytest.approx(by_balance.throughput)
        assert by_means.sojourn == pytest.approx(by_balance.sojourn)
        assert by_means.working == pytest.approx(by_balance.working)
        # Little: jobs either think or work.
        assert by_means.throughput * (10.0 + by_means.sojourn) == pytest.approx(machines)
    assert theory.machine_repairman(1, 10.0, 1.0).sojourn == 1.0


def test_closed_sharing_with_inflation_is_that_of_its_balance_equations() -> None:
    shares = steady(lambda number: (9 - number) / 4.0, lambda number: theory.capacity(number, cpus=2, inflation=0.2), 9)
    found = theory.closed_sharing(9, 4.0, 1.0, cpus=2, inflation=0.2)
    assert found.working == pytest.approx(shares @ np.arange(10))


def test_a_crowd_takes_from_the_capacity() -> None:
    assert theory.crowd(3, cpus=4, crowding=0.5) == 1.0
    assert theory.crowd(16, cpus=4, crowding=0.5) == 2.0
    assert theory.capacity(16, cpus=4, crowding=0.5) == 2.0
    assert theory.capacity(1, cpus=4, crowding=0.5, in_flight=64) == 0.25


def test_a_batch_of_equal_works_ends_at_once_and_others_one_by_one() -> None:
    assert theory.batch_ends([100.0] * 8, cpus=2, crowding=0.5) == pytest.approx([800.0] * 8)
    # 3 on one CPU, each at a ninth; then 2, each at a quarter; then one alone.
    assert theory.batch_ends([30.0, 10.0, 20.0], cpus=1, crowding=1.0) == pytest.approx([90.0, 130.0, 140.0])
    assert theory.batch_ends([5.0], cpus=2, inflation=0.3) == pytest.approx([5.0])


def test_a_crowd_with_room_for_so_many_is_that_of_its_balance_equations() -> None:
    shares = steady(lambda _: 1.4, lambda number: theory.capacity(number, cpus=2, inflation=0.1, crowding=0.5), 6)
    found = theory.shared_loss(1.4, 1.0, room=6, cpus=2, inflation=0.1, crowding=0.5)
    assert found.working == pytest.approx(shares @ np.arange(7))
    assert found.throughput == pytest.approx(1.4 * (1 - shares[-1]))
    assert found.sojourn == pytest.approx(found.working / found.throughput)
    # With so much room, nothing is lost: the form without a limit.
    assert theory.shared_loss(1.3, 1.0, room=400, cpus=2).sojourn == pytest.approx(
        theory.shared_sojourn(1.3, 1.0, cpus=2)
    )


def test_jobs_that_all_stay_in_flight_are_slowed_by_all() -> None:
    slower = theory.crowd(9, cpus=2, crowding=0.3)
    found = theory.closed_sharing(9, 4.0, 1.0, cpus=2, crowding=0.3)
    assert found.working == pytest.approx(theory.closed_sharing(9, 4.0, slower, cpus=2).working)


def test_nobody_waits_with_infinitely_many_servers() -> None:
    assert theory.mginf_busy(3.0, 0.5) == 1.5
    assert theory.mginf_share(0, 3.0, 0.5) == pytest.approx(math.exp(-1.5))
    assert sum(theory.mginf_share(number, 3.0, 0.5) for number in range(60)) == pytest.approx(1.0)


def test_keep_alive_of_one_box() -> None:
    assert theory.keep_alive_cold_share(0.1, 10.0) == pytest.approx(math.exp(-1))
    assert theory.keep_alive_idle(0.1, 10.0) == pytest.approx(1 - math.exp(-1))
    assert theory.keep_alive_cold_share(0.1, 0.0) == 1.0


def test_a_pool_of_instant_invocations_is_one_box() -> None:
    assert theory.pool_cold_share(0.1, 1e-9, 10.0) == pytest.approx(theory.keep_alive_cold_share(0.1, 10.0))
    assert theory.pool_boxes(0.1, 1e-9, 10.0) == pytest.approx(theory.keep_alive_idle(0.1, 10.0))


def test_a_pool_without_keep_alive_is_always_cold_and_has_busy_boxes_only() -> None:
    for service in (0.5, 5.0, 40.0):
        assert theory.pool_cold_share(1.0, service, 0.0) == pytest.approx(1.0)
        assert theory.pool_boxes(1.0, service, 0.0) == pytest.approx(service)


def test_a_pool_by_matrix_exponentials() -> None:
    """The definition as it stands: never above the present number for so long."""
    rate, service, keep_alive, cold, boxes = 2.0, 1.5, 1.2, 0.0, 0.0
    shares = [theory.mginf_share(number, rate, service) for number in range(31)]
    for number in range(31):
        states = np.arange(number + 1)
        stays = np.diag(-(rate + states / service)) + np.diag(np.full(number, rate), 1)
        stays += np.diag(states[1:] / service, -1)
        kept = expm(stays * keep_alive).sum(axis=1)
        cold += shares[number] * kept[number]
        boxes += 1 - sum(share * below for share, below in zip(shares, kept, strict=False))
    assert theory.pool_cold_share(rate, service, keep_alive) == pytest.approx(cold, rel=1e-9)
    assert theory.pool_boxes(rate, service, keep_alive) == pytest.approx(boxes, rel=1e-9)


def test_longer_keep_alive_is_warmer_and_larger() -> None:
    times = (0.0, 0.1, 1.0, 10.0, 100.0)
    colds = [theory.pool_cold_share(1.0, 8.0, time) for time in times]
    boxes = [theory.pool_boxes(1.0, 8.0, time) for time in times]
    assert colds == sorted(colds, reverse=True)
    assert boxes == sorted(boxes)


REFUSED: Final[dict[str, Callable[[], object]]] = {
    "servers is nan": lambda: theory.erlang_b(cast(int, math.nan), 1.0),
    "servers is -1": lambda: theory.erlang_b(-1, 1.0),
    "offered is -2": lambda: theory.erlang_b(1, -2.0),
    "2 of work per unit of time, and at most 2 can be done": lambda: theory.erlang_c(2, 2.0),
    "1.5 of work per unit of time, and at most 1 can": lambda: theory.mg1_wait(1.5, 1.0, 2.0),
    "second moment 0.5 is below the square": lambda: theory.mg1_wait(0.5, 1.0, 0.5),
    "2 of work per unit of time, and at most 1.6": lambda: theory.shared_sojourn(2.0, 1.0, cpus=2, inflation=0.25),
    "rate is nan": lambda: theory.shared_sojourn(math.nan, 1.0),
    "service is 0": lambda: theory.mginf_busy(1.0, 0.0),
    "machines is 0": lambda: theory.machine_repairman(0, 1.0, 1.0),
    "cpus is 0": lambda: theory.closed_sharing(3, 1.0, 1.0, cpus=0),
    "crowding is -0.1": lambda: theory.capacity(1, cpus=1, crowding=-0.1),
    "the works of a batch": lambda: theory.batch_ends([1.0, math.nan]),
    "room is 0": lambda: theory.shared_loss(1.0, 1.0, room=0),
    "inflation is -0.1": lambda: theory.capacity(1, cpus=1, inflation=-0.1),
    "keep_alive is -1": lambda: theory.keep_alive_cold_share(1.0, -1.0),
    "time is -1": lambda: theory.mmc_wait_beyond(-1.0, 1.0, 0.5, 1),
    "900 busy boxes on average are too many": lambda: theory.pool_cold_share(900.0, 1.0, 1.0),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_has_no_steady_state_is_refused(message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        REFUSED[message]()
    assert refused.value.hint
