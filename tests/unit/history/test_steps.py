"""The step detector on series of known truth; ``tests.studies.steps`` has the long version."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from bench.history.steps import LONGEST, _critical, _scores, _statistics, commits_needed, counted_steps, find_steps
from tests.studies.steps import FAMILIES, draw, ours, scores


def noisy(levels: list[float], spread: float = 0.01, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [level * rng.lognormvariate(0, spread) for level in levels]


def test_false_alarms_stay_near_the_level_and_clear_steps_are_found() -> None:
    for (family, n), row in scores(60, ["ours"], seed=7).items():
        allowed = 0.1 if family.startswith("AR") else 0.05
        assert row["ours"].false_alarms <= allowed, family
        if n == 60 and not family.startswith("AR"):
            assert row["ours"].found[3.0] >= 0.9, family


def test_the_family_error_keeps_its_level() -> None:
    for name, family in FAMILIES.items():
        values = [value for series in draw(family, 400, 0.0, 50, 3)[0] for value in series]
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
        assert (abs(mean) < 0.05, 0.85 < deviation < 1.15) == (True, True), name


def test_one_step_with_its_levels() -> None:
    (step,) = find_steps(noisy([100.0] * 20 + [110.0] * 20))
    assert step.index == 20
    assert step.earliest <= 20 <= step.latest
    assert step.before == pytest.approx(100, rel=0.01)
    assert step.after == pytest.approx(110, rel=0.01)
    assert step.ratio == pytest.approx(1.1, rel=0.01)


def test_a_bump_is_two_steps() -> None:
    steps = find_steps(noisy([100.0] * 30 + [110.0] * 20 + [100.0] * 30))
    assert [step.index for step in steps] == [30, 50]


def test_two_slow_runs_are_no_level() -> None:
    values = noisy([100.0] * 40)
    values[20:22] = [180.0, 175.0]
    assert find_steps(values) == ()


def test_units_do_not_matter_and_boots_that_never_came_are_the_largest() -> None:
    values = noisy([100.0] * 20 + [110.0] * 20)
    assert [step.index for step in find_steps([value * 1e9 for value in values])] == [20]
    (step,) = find_steps([*values[:20], *[math.inf] * 20])
    assert (step.index, step.ratio) == (20, math.inf)


def test_nothing_is_found_in_equal_or_short_series() -> None:
    assert find_steps([5.0] * 50) == ()
    assert find_steps([]) == ()
    assert find_steps([1.0, 1.0, 1.0, 2.0, 2.0, 2.0]) == ()
    assert 8 < commits_needed() < 20


def test_counted_steps() -> None:
    def places(*ranges: tuple[float, float]) -> list[int]:
        return [step.index for step in counted_steps([sum(pair) / 2 for pair in ranges], ranges)]

    exact = [(value, value) for value in (7.0, 7.0, 7.007, 7.007)]
    assert places(*exact) == [2]
    assert places((7.0, 7.0)) == []
    # Runs that overlap those of the level before are no change, also those of an earlier commit of it.
    assert places((6, 8), (7, 9), (8.5, 10), (6, 7)) == []
    assert places((6, 8), (7, 9), (9.1, 10), (9.5, 11), (6, 7)) == [2, 4]
    (step,) = counted_steps([1.0, 3.0, 2.0, 9.0], [(0, 4), (0, 4), (0, 4), (8, 10)])
    assert (step.before, step.after) == (2.0, 9.0)


def test_bad_series_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        find_steps([1.0, math.nan])
    with pytest.raises(ValueError, match="at most 200"):
        find_steps([1.0] * (LONGEST + 1))


def test_a_smaller_level_needs_a_larger_step_and_never_an_infinite_one() -> None:
    levels = (0.02, 0.01, 0.005, 0.0049, 0.001, 1 / 4000, 0.05 / 250, 1e-5, 1e-7)
    for length, correlation in ((8, 0.0), (30, 0.0), (30, 0.8), (200, 0.4)):
        values = [_critical(length, correlation, level) for level in levels]
        assert values == sorted(values)
        assert math.isfinite(values[-1])
    needed = [commits_needed(level=level) for level in levels]
    assert needed == sorted(needed)
    assert needed[-1] <= 80


@pytest.mark.parametrize(("length", "count"), [(20, 100_000), (30, 100_000), (60, 40_000)])
def test_the_tail_is_extrapolated_to_the_safe_side(length: int, count: int) -> None:
    rng = np.random.default_rng(42)
    order = _scores(np.arange(length, dtype=np.float64))
    chunks = (rng.permuted(np.tile(order, (1000, 1)), axis=1) for _ in range(count // 1000))
    largest = np.concatenate([_statistics(chunk).max(axis=1) for chunk in chunks])
    for level in (0.004, 0.001, 1 / 5000):
        assert (largest > _critical(length, 0.0, level)).mean() <= level


def test_a_level_of_many_series_still_finds_a_step() -> None:
    level = 0.05 / 1000
    assert [step.index for step in find_steps(noisy([100.0] * 30 + [110.0] * 30), level=level)] == [30]
    assert find_steps(noisy([100.0] * 60), level=level) == ()


def test_the_same_series_gives_the_same_answer() -> None:
    series, _ = draw(FAMILIES["t(3)"], 60, 2.0, 5, 1)
    assert ours(series) == ours(series)
