"""Medians, their intervals and the empirical distribution: known values, properties, and what censoring does."""

from __future__ import annotations

import math
from statistics import median as plain_median

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.analysis.estimates import Interval
from bench.analysis.order_statistics import ecdf, median, median_interval, within_blocks
from bench.util.errors import TooFewBootsError

INF = math.inf
durations = st.floats(min_value=1e3, max_value=1e12, allow_nan=False)
maybe_censored = st.one_of(durations, st.just(INF))


@given(st.lists(durations, min_size=1, max_size=50))
def test_median_is_the_median(values: list[float]) -> None:
    assert median(values) == pytest.approx(plain_median(values))


def test_median_falls_on_censored_boots_when_half_of_them_are() -> None:
    assert median([1, 2, INF]) == 2
    assert median([1, INF, INF]) == INF
    assert median([1, 2, INF, INF]) == INF


def test_median_of_nothing_is_refused() -> None:
    with pytest.raises(TooFewBootsError, match="no boots"):
        median([])


def test_nan_is_never_a_number() -> None:
    with pytest.raises(ValueError, match="NaN"):
        median([1.0, math.nan])


def test_five_boots_give_minimum_to_maximum_and_say_what_that_covers() -> None:
    assert median_interval([5, 1, 4, 2, 3]) == Interval(1, 5, 0.9375)


def test_six_boots_need_no_interpolation() -> None:
    assert median_interval([1, 2, 3, 4, 5, 6]) == Interval(1, 6, 0.96875)


def test_seven_boots_reach_the_level_by_interpolation() -> None:
    # Hettmansperger & Sheather: 1-7 covers 98.4 %, 2-6 covers 87.5 %; 95 % lies between them.
    found = median_interval([1, 2, 3, 4, 5, 6, 7])
    surplus = (0.984375 - 0.95) / (0.984375 - 0.875)
    weight = 6 * surplus / (1 + 5 * surplus)
    assert found.low == pytest.approx(1 + weight)
    assert found.high == pytest.approx(7 - weight)
    assert found.level == 0.95


def test_fewer_than_five_boots_have_no_interval() -> None:
    with pytest.raises(TooFewBootsError, match="at least 5"):
        median_interval([1, 2, 3, 4])
    with pytest.raises(TooFewBootsError, match=r"(?m)at least 5 boots, there is 1$"):
        median_interval([1.0])
    assert within_blocks([1, 2, 3, 4]).interval is None


@example([1000.0] * 5 + [501263885517.41266] * 2)
@given(st.lists(maybe_censored, min_size=5, max_size=60))
def test_interval_holds_the_median_and_lies_within_the_data(values: list[float]) -> None:
    found, middle = median_interval(values), median(values)
    assert min(values) <= found.low * (1 + 1e-12)
    assert found.low <= middle * (1 + 1e-12)
    assert middle <= found.high * (1 + 1e-12)
    assert found.high <= max(values)


def test_one_censored_boot_of_seven_leaves_no_upper_limit() -> None:
    found = within_blocks([4, 5, 6, 7, 8, 9, INF])
    assert (found.value, found.censored, found.n) == (7, 1, 7)
    assert found.interval is not None
    assert math.isinf(found.interval.high)


def test_one_censored_boot_of_forty_does_not_matter() -> None:
    found = median_interval([*range(1, 40), INF])
    assert found.high < 30


def test_ecdf_never_reaches_what_was_censored() -> None:
    steps, shares = ecdf([3, INF, 1, 2])
    assert steps.tolist() == [1, 2, 3]
    assert shares.tolist() == [0.25, 0.5, 0.75]
