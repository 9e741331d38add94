"""Ratios of medians and verdicts: known values, properties, and what censoring does to them."""

from __future__ import annotations

import math
from statistics import median as plain_median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.estimates import Interval
from bench.analysis.ratios import median_ratio
from bench.analysis.verdicts import RatioVerdict, band, same_within, verdict
from bench.util.errors import TooFewBootsError

INF = math.inf
durations = st.floats(min_value=1e3, max_value=1e12, allow_nan=False)


def blocks(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


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
    assert list(found.block_ratios) == [2.0] * 5


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
    assert list(found.block_ratios) == [2, 2, 2, INF, 2]


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


def test_coverage_holds_at_seven_boots() -> None:
    # A quick look only; tests/studies/coverage.py is the study.
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(400):
        base, other = (blocks(*np.exp(rng.normal(0, 0.15, 7))) for _ in range(2))
        found = median_ratio(base, other).interval
        inside += found.low <= 1 <= found.high
    assert inside / 400 >= 0.94
