"""The median of a storm, as reports count it and as tables state it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.check.levels import StormNumber as Scored
from bench.sim.check.levels import statistic_of
from bench.sim.fit.levels import Statistic, times_of
from bench.sim.observe.levels import Level
from bench.sim.observe.medians import median_of, median_places


@pytest.mark.parametrize("boxes", [1, 2, 3, 4, 7, 8, 400])
def test_a_published_median_is_that_of_statistics_programs(boxes: int) -> None:
    times = np.sort(np.random.default_rng(boxes).random((5, boxes)), axis=-1)
    assert median_of(times, published=True) == pytest.approx(np.median(times, axis=-1))


@pytest.mark.parametrize(("boxes", "place"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (8, 3), (400, 199)])
def test_our_own_median_is_the_box_by_which_half_are_up(boxes: int, place: int) -> None:
    assert median_places(boxes, published=False) == (place,)
    assert median_of(np.arange(float(boxes)), published=False) == place


def test_a_box_that_never_got_there_is_the_last_one() -> None:
    times = np.array([1.0, 2.0, 3.0, math.inf])
    assert median_of(times, published=False) == 2.0
    assert median_of(times, published=True) == 2.5
    assert median_of(np.array([1.0, math.inf]), published=True) == math.inf


@pytest.mark.parametrize(("published", "of"), [(True, "middle"), (False, "median")])
def test_the_fit_and_the_check_mean_the_same_box(published: bool, of: str) -> None:
    times = np.random.default_rng(3).permutation(np.arange(20.0)) ** 2
    fitted = times_of(Statistic(Level(boxes=20), Endpoint.READY, of), {Endpoint.READY: times})
    assert fitted == statistic_of(times, Scored.MEDIAN, published=published)
