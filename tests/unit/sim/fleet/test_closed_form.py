"""Cold starts against closed forms: a box that waits ``tau`` for Poisson arrivals is missed with exp(-lambda tau)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.fleets import HOST, SECOND, identities_hold, random_trace, simulated

_GAP_NS = SECOND
_COUNT = 4000
_SEEDS = 20


def _cold(keep_alive_ns: int, seed: int) -> int:
    """Cold starts of instant boxes whose invocations take no time, so that one box is enough."""
    trace = random_trace(seed, count=_COUNT, gap_ns=_GAP_NS, duration_ns=0)
    result = simulated(replace(HOST, keep_alive_ns=keep_alive_ns), trace, compiled=True)
    identities_hold(result)
    return result.cold


def _deviation(cold: int, expected: float, seeds: int = 1) -> float:
    """In standard deviations of a binomial count. The first invocation of each run is always cold."""
    trials = seeds * (_COUNT - 1)
    return (cold - seeds - trials * expected) / math.sqrt(trials * expected * (1 - expected))


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_the_cold_share_is_that_of_the_closed_form(ratio: float) -> None:
    expected = math.exp(-ratio)
    cold = [_cold(round(ratio * _GAP_NS), seed) for seed in range(_SEEDS)]
    assert abs(_deviation(sum(cold), expected, _SEEDS)) < 3.5
    # 20 binomial counts: none beyond 4 deviations, and they scatter as such counts do.
    deviations = [_deviation(one, expected) for one in cold]
    assert max(map(abs, deviations)) < 4
    assert 0.5 < math.sqrt(sum(one * one for one in deviations) / _SEEDS) < 1.5


def test_a_keep_alive_that_is_one_in_twenty_longer_is_told_apart() -> None:
    """The test above can fail."""
    cold = sum(_cold(round(1.05 * _GAP_NS), seed) for seed in range(_SEEDS))
    assert abs(_deviation(cold, math.exp(-1.0), _SEEDS)) > 4


def test_without_keep_alive_every_invocation_is_cold() -> None:
    trace = random_trace(3, count=200, gap_ns=SECOND, duration_ns=SECOND)
    assert simulated(replace(HOST, keep_alive_ns=0), trace).cold == 200


def test_boxes_that_stay_for_ever_are_as_many_as_ran_at_once() -> None:
    trace = random_trace(3, count=500, gap_ns=SECOND, duration_ns=5 * SECOND)
    result = simulated(replace(HOST, keep_alive_ns=None), trace)
    assert result.starts == result.cold == result.peak_boxes
