"""Medians, ratios and verdicts: known values, properties, and what censoring does to them."""

from __future__ import annotations

import math
from statistics import median as plain_median

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.analysis.stats import (
    Interval,
    RatioVerdict,
    band,
    ecdf,
    median,
    median_interval,
    median_ratio,
    same_within,
    trend,
    verdict,
    within_blocks,
)
from bench.util.errors import TooFewBootsError

INF = math.inf
durations = st.floats(min_value=1e3, max_value=1e12, allow_nan=False)
maybe_censored = st.one_of(durations, st.just(INF))


def blocks(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


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
    with pytest.raises(TooFewBootsError, match=r"at least 5 boots, there is 1$"):
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


@given(st.lists(st.tuples(durations, durations), min_size=5, max_size=40))
def test_ratio_is_the_ratio_of_medians_and_turns_around(pairs: list[tuple[float, float]]) -> None:
    base, other = (blocks(*side) for side in zip(*pairs, strict=True))
    there, back = median_ratio(base, other), median_ratio(other, base)
    assert there.value is not None
    assert there.value == pytest.approx(plain_median(other.values()) / plain_median(base.values()))
    assert there.interval.low <= there.value * (1 + 1e-9) <= there.interval.high * (1 + 1e-6)
    assert there.interval.low == pytest.approx(1 / back.interval.high)
    assert there.interval.high == pytest.approx(1 / back.interval.low)


@given(st.lists(durations, min_size=5, max_size=20), st.floats(min_value=0.1, max_value=10))
def test_ratio_does_not_depend_on_the_unit(values: list[float], scale: float) -> None:
    base = blocks(*values)
    other = {block: value * 3 for block, value in base.items()}
    scaled = median_ratio({b: v * scale for b, v in base.items()}, {b: v * scale for b, v in other.items()})
    assert scaled.value == pytest.approx(3)
    assert scaled.interval.low == pytest.approx(median_ratio(base, other).interval.low)


def test_blocks_with_one_side_are_dropped_and_counted() -> None:
    base, other = blocks(1, 1, 1, 1, 1, 1), dict.fromkeys(range(1, 8), 2.0)
    found = median_ratio(base, other)
    assert (found.n, found.dropped, found.value) == (5, 3, 2)
    assert found.block_ratios == (2.0,) * 5


def test_ratio_needs_five_whole_blocks() -> None:
    with pytest.raises(TooFewBootsError, match="at least 5 boots, there are 4"):
        median_ratio(blocks(1, 2, 3, 4, 5), blocks(1, 2, 3, 4))


def test_ratio_refuses_what_has_no_logarithm() -> None:
    with pytest.raises(ValueError, match="above 0"):
        median_ratio(blocks(0, 1, 1, 1, 1), blocks(1, 1, 1, 1, 1))


def test_what_blocks_share_narrows_the_ratio() -> None:
    rng = np.random.default_rng(4)
    host = np.exp(rng.normal(0, 0.3, 20))
    base, other = (host * np.exp(rng.normal(0, 0.02, 20)) for _ in range(2))
    paired = median_ratio(blocks(*base), blocks(*other)).interval
    loose = median_ratio(blocks(*base), blocks(*rng.permutation(other))).interval
    assert math.log(paired.high / paired.low) < 0.7 * math.log(loose.high / loose.low)


def test_chance_correlation_of_five_blocks_buys_little() -> None:
    base = blocks(1.0, 1.1, 1.2, 1.3, 1.4)
    paired = median_ratio(base, base).interval
    # Even a perfect correlation of five blocks is trusted by 1 - 1/sqrt(5) only.
    assert paired.high / paired.low > 1.2


def test_ratio_with_censored_sides() -> None:
    fine, lost = blocks(1, 1.1, 1.2, 1.3, 1.4), blocks(5, 6, INF, INF, INF)
    above = median_ratio(fine, lost)
    assert (above.value, above.interval.high) == (INF, INF)
    assert above.interval.low == pytest.approx(5 / 1.4)
    below = median_ratio(lost, fine)
    assert (below.value, below.interval.low) == (0, 0)
    both = median_ratio(lost, lost)
    assert both.value is None
    assert both.interval.high == INF


def test_censored_pairs_have_no_block_ratio() -> None:
    found = median_ratio(blocks(1, 1, 1, 1, INF, 1), blocks(2, 2, 2, INF, INF, 2))
    assert found.block_ratios == (2, 2, 2, INF, 2)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.98, 1.02, RatioVerdict.SAME),
        (1.01, 1.04, RatioVerdict.SAME),
        (1.01, 1.2, RatioVerdict.SLOWER),
        (0.5, 0.9, RatioVerdict.FASTER),
        (0.9, 1.2, RatioVerdict.CANNOT_TELL),
        (0.97, 1.07, RatioVerdict.CANNOT_TELL),
        (17.0, INF, RatioVerdict.SLOWER),
        (0.0, INF, RatioVerdict.CANNOT_TELL),
    ],
)
def test_verdict(low: float, high: float, expected: RatioVerdict) -> None:
    assert verdict(Interval(low, high, 0.95), band(0.05)) is expected


def test_same_needs_the_whole_interval() -> None:
    assert same_within(Interval(0.96, 1.04, 0.95), band(0.05))
    assert not same_within(Interval(0.96, 1.06, 0.95), band(0.05))


def test_ecdf_never_reaches_what_was_censored() -> None:
    steps, shares = ecdf([3, INF, 1, 2])
    assert steps.tolist() == [1, 2, 3]
    assert shares.tolist() == [0.25, 0.5, 0.75]


def test_trend_finds_a_slope_through_an_outlier() -> None:
    series = {block: 100 * 1.01**block for block in range(11)} | {5: 1e6}
    found = trend(series)
    assert found.change == pytest.approx(1.01**10 - 1, abs=0.01)
    assert found.interval.low <= found.change <= found.interval.high


def test_trend_leaves_time_outs_out_and_counts_what_is_left() -> None:
    assert trend(blocks(1, 1, INF, 1, 1, 1)).n == 5
    with pytest.raises(TooFewBootsError):
        trend(blocks(1, 1, 1, 1, INF))


@pytest.mark.parametrize("seed", range(5))
def test_a_trend_is_that_of_scipy(seed: int) -> None:
    from scipy.stats import theilslopes

    rng = np.random.default_rng(seed)
    at = sorted(rng.choice(100, size=5 + 8 * seed, replace=False).tolist())
    # Rounded, so that values are tied.
    series = {block: round(math.exp(rng.normal(block / 100, 0.2)), seed) for block in at}
    slope, _, low, high = theilslopes([math.log(series[block]) for block in at], at, alpha=0.95)
    found, span = trend(series), at[-1] - at[0]
    expected = [math.expm1(one * span) for one in (slope, low, high)]
    assert [found.change, found.interval.low, found.interval.high] == pytest.approx(expected, rel=1e-12)


def test_a_trend_of_many_blocks_is_that_of_groups_of_neighbours() -> None:
    rng = np.random.default_rng(3)
    series = {block: math.exp(0.1 * block / 10_000 + rng.normal(0, 0.05)) for block in range(10_001)}
    found = trend(series)
    assert found.n == 10_001
    assert found.change == pytest.approx(math.expm1(0.1), abs=0.01)
    assert found.interval.low < found.change < found.interval.high
    assert found.interval.high - found.interval.low < 0.02


def test_coverage_holds_at_seven_boots() -> None:
    # A quick look only; tests/studies/coverage.py is the study.
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(400):
        base, other = (blocks(*np.exp(rng.normal(0, 0.15, 7))) for _ in range(2))
        found = median_ratio(base, other).interval
        inside += found.low <= 1 <= found.high
    assert inside / 400 >= 0.94
