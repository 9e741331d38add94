"""Scores against their definitions, and intervals against their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.sim.check.scores import (
    Sample,
    crps,
    equal_weights,
    hit_interval,
    noise_ceiling,
    percentile_interval,
    relative_errors,
    resampled_blocks,
    resampled_means,
    resampled_medians,
    skill,
)


def _by_definition(sample: Sample, observed: float) -> float:
    pairs = np.abs(sample.values[:, None] - sample.values[None, :]) * np.outer(sample.weights, sample.weights)
    return float((sample.weights * np.abs(sample.values - observed)).sum() - pairs.sum() / 2)


@pytest.mark.parametrize("seed", range(5))
def test_crps_is_its_definition_also_with_weights_and_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=31), 1)
    weights = rng.random(31) * (rng.random(31) < 0.8)
    sample = Sample(values, weights / weights.sum())
    observed = np.array([-5.0, 0.0, 0.1, 7.0])
    assert crps(sample, observed) == pytest.approx([_by_definition(sample, value) for value in observed])


def test_crps_of_a_normal_sample_is_the_closed_form() -> None:
    sample = equal_weights(np.asarray(scipy_stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)))
    at = 0.7
    known = at * (2 * scipy_stats.norm.cdf(at) - 1) + 2 * scipy_stats.norm.pdf(at) - 1 / math.sqrt(math.pi)
    assert crps(sample, np.array([at]))[0] == pytest.approx(known, rel=1e-3)


def test_the_true_distribution_has_the_best_score() -> None:
    rng = np.random.default_rng(3)
    observed = rng.normal(10, 1, 4000)
    middle = np.asarray(scipy_stats.norm.ppf((np.arange(500) + 0.5) / 500))
    scores = {
        (mean, sd): crps(equal_weights(mean + sd * middle), observed).mean()
        for mean in (9.5, 10, 10.5)
        for sd in (0.5, 1, 2)
    }
    assert min(scores, key=scores.__getitem__) == (10, 1)


def test_an_error_is_relative_to_the_storm_and_a_lost_box_is_a_whole_error() -> None:
    assert relative_errors(2.0, np.array([1.0, 2.0, 4.0, math.inf])) == pytest.approx([1.0, 0.0, 0.5, 1.0])


def test_the_noise_ceiling_is_the_spread_of_the_storms() -> None:
    rng = np.random.default_rng(1)
    ceiling = noise_ceiling(np.exp(0.1 * rng.standard_normal(400)), rng)
    # The median distance of a log-normal value from its median is 0.674 sd.
    assert ceiling == pytest.approx(0.0674, rel=0.1)
    assert noise_ceiling(np.full(10, 5.0), rng) == 0
    assert noise_ceiling(np.ones(3), rng) is None


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (7, 20), (20, 20), (1, 1)])
def test_the_interval_of_a_share_is_that_of_scipy(hits: int, n: int) -> None:
    known = scipy_stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    found = hit_interval(hits, n)
    assert (found.low, found.high) == pytest.approx((known.low, known.high))


def test_resampled_statistics_are_those_of_the_repeated_storms() -> None:
    rng = np.random.default_rng(2)
    known = (3, 4, 7, 9)
    blocks = np.array([3, 4, 4, 7, 9, 9])
    values = rng.random(6)
    counts = resampled_blocks(known, rng, 50)
    assert counts.sum(axis=1).tolist() == [4] * 50
    medians, means = (one(values, blocks, known, counts) for one in (resampled_medians, resampled_means))
    for row, middle, mean in zip(counts, medians, means, strict=True):
        times = [row[known.index(block)] for block in blocks]
        repeated = np.repeat(values, times)
        assert middle == pytest.approx(np.median(repeated))
        assert mean == pytest.approx(repeated.mean())


def test_a_resample_without_a_level_is_no_number() -> None:
    counts = np.array([[2, 0], [0, 2]])
    found = resampled_medians(np.array([5.0]), np.array([1]), (1, 2), counts)
    assert found[0] == 5.0
    assert math.isnan(found[1])
    assert percentile_interval(found) is None


def test_runs_of_neighbours_stay_together() -> None:
    counts = resampled_blocks(range(100), np.random.default_rng(5), 400)
    together = np.corrcoef(counts[:, 10], counts[:, 11])[0, 1]
    apart = np.corrcoef(counts[:, 10], counts[:, 60])[0, 1]
    assert together > 0.7 > apart


def test_skill_is_one_less_the_ratio_of_scores() -> None:
    assert float(skill(1.0, 2.0)) == 0.5
    assert float(skill(3.0, 2.0)) == -0.5
