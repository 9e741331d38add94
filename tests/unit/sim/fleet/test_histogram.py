"""Logarithmic buckets."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.fleet.histogram import bounds, quantile, share_up_to


def _counts(values: list[int]) -> np.ndarray:
    counts = np.zeros(len(bounds()), dtype=np.int64)
    np.add.at(counts, np.searchsorted(bounds(), values, side="right") - 1, 1)
    return counts


def test_buckets_are_at_most_one_percent_wide_and_leave_nothing_out() -> None:
    edges = bounds()
    assert edges[0] == 0
    widths = np.diff(edges)
    assert (widths >= 1).all()
    wide = edges[:-1] >= 100
    assert (widths[wide] <= edges[:-1][wide] // 100).all()
    assert edges[-1] > 2**61


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0])
def test_a_quantile_is_at_most_one_percent_too_large(share: float) -> None:
    values = sorted(np.random.default_rng(3).lognormal(18, 2, 1001).astype(int).tolist())
    exact = values[max(1, int(np.ceil(share * len(values)))) - 1]
    assert exact <= quantile(_counts(values), share) <= exact * 1.01


def test_histograms_merge_exactly() -> None:
    one, other = [5, 70, 10**9], [5, 2 * 10**9, 0]
    np.testing.assert_array_equal(_counts(one) + _counts(other), _counts(one + other))


def test_an_empty_histogram_has_the_quantile_zero() -> None:
    assert quantile(_counts([]), 0.5) == 0
    assert share_up_to(_counts([]), 5) == 1


def test_shares_below_a_value() -> None:
    assert share_up_to(_counts([0, 0, 50, 10**9]), 100) == 0.75
