"""Bands: weighted quantiles, and widening on both sides or on the worse one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sim.answer.bands import Widening, band_of, quantiles, ratio_band


def test_the_middle_is_the_weighted_median() -> None:
    values = np.array([3.0, 1.0, 2.0])
    assert band_of(values).middle == 2.0
    assert band_of(values, np.array([10.0, 1.0, 1.0])).middle == 3.0


def test_quantiles_of_many_equal_weights_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).lognormal(size=2001)
    found = quantiles(values, None, (0.025, 0.1, 0.5, 0.9, 0.975))
    expected = np.quantile(values, (0.025, 0.1, 0.5, 0.9, 0.975), method="inverted_cdf")
    assert found == pytest.approx(expected, rel=1e-9)


def test_a_sample_without_weight_has_no_say() -> None:
    assert band_of(np.array([1.0, 1.0, 900.0]), np.array([1.0, 1.0, 0.0])).high95 == 1.0


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [1.0, float("inf")]])
def test_no_band_without_finite_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        band_of(np.array(values))


def test_times_are_widened_upwards_only() -> None:
    values = np.linspace(90.0, 110.0, 201)
    plain, wide = band_of(values), band_of(values, None, Widening(up=0.3))
    assert (wide.middle, wide.low80, wide.low95) == (plain.middle, plain.low80, plain.low95)
    # The factor's 97.5 % point alone is exp(0.3 * 2.24).
    assert wide.high95 == pytest.approx(100 * np.exp(0.3 * 2.24), rel=0.08)
    assert wide.high80 > plain.high95


def test_benefits_are_widened_downwards_only() -> None:
    values = np.linspace(90.0, 110.0, 201)
    plain, wide = band_of(values), band_of(values, None, Widening(down=0.3))
    assert (wide.middle, wide.high80, wide.high95) == (plain.middle, plain.high80, plain.high95)
    assert wide.low95 == pytest.approx(100 * np.exp(-0.3 * 2.24), rel=0.08)


def test_what_a_model_misses_within_its_data_widens_both_sides() -> None:
    values = np.linspace(99.0, 101.0, 201)
    plain, wide = band_of(values), band_of(values, None, Widening(both=0.2))
    assert wide.middle == plain.middle
    # Normal factors: the 97.5 % point is 1.96 standard deviations away, the 90 % point 1.28.
    assert np.log(wide.high95 / 100) == pytest.approx(0.2 * 1.96, rel=0.06)
    assert np.log(wide.low95 / 100) == pytest.approx(-0.2 * 1.96, rel=0.06)
    assert np.log(wide.high80 / 100) == pytest.approx(0.2 * 1.28, rel=0.06)
    assert np.log(wide.low80 / 100) == pytest.approx(-0.2 * 1.28, rel=0.06)


def test_both_widenings_together_are_a_sum_of_logarithms() -> None:
    """Against a simulation of the same sum: a normal factor on both sides, a half-normal one upwards."""
    values = np.full(50, 100.0)
    band = band_of(values, None, Widening(up=0.3, both=0.2))
    chance = np.random.default_rng(5).standard_normal((2, 400_000))
    truth = 100 * np.exp(0.3 * np.abs(chance[0]) + 0.2 * chance[1])
    assert band.high95 == pytest.approx(np.quantile(truth, 0.975), rel=0.03)
    assert band.high80 == pytest.approx(np.quantile(truth, 0.9), rel=0.03)
    assert band.low95 == band_of(values, None, Widening(both=0.2)).low95


def test_errors_of_both_signs_beyond_the_data_widen_both_sides() -> None:
    values = np.linspace(99.0, 101.0, 201)
    assert band_of(values, None, Widening(either=0.2)) == band_of(values, None, Widening(both=0.2))
    assert band_of(values, None, Widening(both=0.3, either=0.4)) == band_of(values, None, Widening(both=0.5))


def test_misfits_of_two_sides_do_not_cancel() -> None:
    values = np.full(50, 2.0)
    band = ratio_band(3 * values, values, None, Widening(both=0.3), Widening(both=0.4))
    alone = band_of(np.full(50, 3.0), None, Widening(both=0.5)).model_dump()
    assert band.model_dump() == pytest.approx(alone)
    far = ratio_band(3 * values, values, None, Widening(either=0.3), Widening(either=0.4))
    assert far == band


def test_a_ratio_of_paired_samples_is_surer_than_its_sides() -> None:
    luck = np.random.default_rng(2).lognormal(sigma=0.5, size=400)
    band = ratio_band(3 * luck, luck, None, Widening(), Widening())
    assert band.low95 == pytest.approx(3.0)
    assert band.high95 == pytest.approx(3.0)


def test_what_a_base_may_lack_makes_a_ratio_smaller() -> None:
    values = np.full(50, 2.0)
    band = ratio_band(3 * values, values, None, Widening(), Widening(up=0.2))
    assert band.low95 < 2.5
    assert band.high95 == pytest.approx(3.0)


@given(
    st.lists(st.floats(0.001, 1e12), min_size=1, max_size=30),
    st.floats(0, 2),
    st.floats(0, 2),
    st.floats(0, 2),
)
def test_limits_are_in_order(values: list[float], up: float, down: float, both: float) -> None:
    band = band_of(np.array(values), None, Widening(up=up, down=down, both=both))
    slack = 1e-9 * band.middle
    assert band.low95 <= band.low80 + slack
    assert band.low80 <= band.middle + slack
    assert band.middle <= band.high80 + slack
    assert band.high80 <= band.high95 + slack
