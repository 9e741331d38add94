"""Arrivals: at once, at a fixed distance, at random."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.host.arrivals import Arrivals, read_arrivals
from bench.util.errors import UsageError


def test_at_once() -> None:
    assert Arrivals().schedule(3, seed=1, trial=0).tolist() == [0, 0, 0]
    assert Arrivals().describe() == "at once"


def test_at_a_fixed_distance() -> None:
    assert Arrivals(gap_ns=5).schedule(3, seed=1, trial=0).tolist() == [0, 5, 10]


def test_at_random_with_the_mean_that_was_asked_for() -> None:
    times = Arrivals(gap_ns=10**6, random=True).schedule(20_001, seed=1, trial=0)
    assert times[0] == 0
    gaps = np.diff(times)
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(10**6, rel=0.03)
    assert gaps.std() == pytest.approx(10**6, rel=0.05)


def test_the_expected_times_are_the_mean_of_random_ones() -> None:
    random = Arrivals(gap_ns=10**6, random=True)
    drawn = [random.schedule(9, seed=1, trial=trial) for trial in range(2000)]
    assert np.mean(drawn, axis=0)[1:] == pytest.approx(random.expected(9)[1:], rel=0.1)
    assert Arrivals(gap_ns=7).expected(4).tolist() == Arrivals(gap_ns=7).schedule(4, seed=1, trial=0).tolist()


def test_a_longer_storm_begins_like_a_shorter_one() -> None:
    random = Arrivals(gap_ns=10**6, random=True)
    assert random.schedule(9, seed=1, trial=4)[:5].tolist() == random.schedule(5, seed=1, trial=4).tolist()
    assert random.schedule(5, seed=1, trial=4).tolist() != random.schedule(5, seed=1, trial=5).tolist()


@pytest.mark.parametrize(
    ("interval", "poisson", "said"),
    [
        ("1s", "1s", "exclude each other"),
        ("fast", None, "--interval"),
        (None, "0ms", "must be more than 0"),
        ("-1ms", None, "--interval"),
        ("1000000s", None, "more than a year"),
    ],
)
def test_wrong_distances(interval: str | None, poisson: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_arrivals(interval=interval, poisson=poisson, boxes=100)


def test_right_distances() -> None:
    assert read_arrivals(interval=None, poisson=None, boxes=1) == Arrivals()
    assert read_arrivals(interval="50ms", poisson=None, boxes=9) == Arrivals(gap_ns=50_000_000)
    assert read_arrivals(interval=None, poisson="50ms", boxes=9) == Arrivals(gap_ns=50_000_000, random=True)
