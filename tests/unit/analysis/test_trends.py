"""Trends over blocks: known slopes, censored blocks, and the same as scipy's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.analysis.trends import trend
from bench.util.errors import TooFewBootsError


def blocks(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_trend_finds_a_slope_through_an_outlier() -> None:
    series = {block: 100 * 1.01**block for block in range(11)} | {5: 1e6}
    found = trend(series)
    assert found.change == pytest.approx(1.01**10 - 1, abs=0.01)
    assert found.interval.low <= found.change <= found.interval.high


def test_trend_leaves_time_outs_out_and_counts_what_is_left() -> None:
    assert trend(blocks(1, 1, math.inf, 1, 1, 1)).n == 5
    with pytest.raises(TooFewBootsError):
        trend(blocks(1, 1, 1, 1, math.inf))


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
