"""The misfit is the least with which the best candidate is as far away as noise would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.fit.agreement import Agreement, Best, Seen, name
from bench.sim.fit.levels import Statistic
from bench.sim.observe.levels import Level

STATISTICS = tuple(Statistic(Level(boxes=boxes), Endpoint.READY, "last") for boxes in (2, 4, 8, 16))


def _agreement(noise: float, unknowns: int = 1) -> Agreement:
    seen = Seen(STATISTICS, np.zeros(4), noise**2 * np.eye(4), 19, 0.02)
    return Agreement.of(seen, unknowns)


def test_a_model_that_agrees_is_trusted_to_the_least_misfit() -> None:
    residuals = 0.05 * np.array([[1.0, -1, 1, 1], [9, 9, 9, 9]])
    assert _agreement(0.06).misfit(residuals) == 0.02


def test_a_model_that_does_not_has_the_misfit_that_makes_it() -> None:
    agreement = _agreement(0.05)
    residuals = np.array([[0.3, -0.3, 0.3, -0.3]])
    # Four squares over three free ones of 20 blocks: 4 * 0.09 / (noise + misfit) = 3 * 20 / 18.
    usual = 3 * 20 / 18
    assert agreement.usual == pytest.approx(usual)
    assert agreement.misfit(residuals) == pytest.approx(np.sqrt(4 * 0.09 / usual - 0.05**2), rel=1e-6)
    assert agreement.chi_square(residuals, agreement.misfit(residuals))[0] == pytest.approx(usual, rel=1e-6)


@pytest.mark.parametrize("blocks", [5, 20, 75])
def test_noise_is_not_taken_for_misfit(blocks: int) -> None:
    """Statistics of a right model, and the covariance of few blocks: the misfit is far below their noise."""
    chance = np.random.Generator(np.random.Philox(blocks))
    count, unknowns = 14, 6
    statistics = STATISTICS[:1] * count
    mixing = np.eye(count) + 0.6
    found = []
    for _ in range(60):
        values = chance.standard_normal((blocks, count)) @ mixing * 0.1
        covariance = np.cov(values, rowvar=False) / blocks
        seen = Seen(statistics, values.mean(axis=0), covariance, blocks - 1, 0.001)
        agreement = Agreement.of(seen, unknowns)
        # The best candidate makes up for as much as there are unknowns.
        directions = np.linalg.qr(chance.standard_normal((count, unknowns)))[0]
        weights = agreement.axes @ np.diag(1 / (agreement.variances + 0.001**2)) @ agreement.axes.T
        normal = directions.T @ weights @ directions
        explained = directions @ np.linalg.solve(normal, directions.T @ weights @ seen.observed)
        found.append(agreement.misfit((seen.observed - explained)[None]) / (seen.noise or 0.0))
    assert np.median(found) < 0.5


def test_correlations_that_may_be_chance_are_not_believed() -> None:
    chance = np.random.Generator(np.random.Philox(2))
    values = chance.standard_normal((5, 4))
    seen = Seen(STATISTICS, np.zeros(4), np.cov(values, rowvar=False), 4, 0.0)
    few, many = Agreement.of(seen, 1), Agreement.of(replace(seen, degrees=1000), 1)

    def apart(one: Agreement) -> float:
        covariance = one.axes @ np.diag(one.variances) @ one.axes.T
        assert np.diag(covariance) == pytest.approx(np.diag(seen.covariance))
        return float(np.abs(covariance - np.diag(np.diag(covariance))).sum())

    assert apart(few) < 0.6 * apart(many)


def test_what_cannot_be_has_no_probability() -> None:
    logs = _agreement(0.05).log_likelihood(np.array([[0.0] * 4, [np.inf] * 4]), 0.02)
    assert logs.tolist() == [0.0, -np.inf]


def test_few_blocks_exclude_little() -> None:
    """The law of noise whose covariance comes from n blocks: (1 + chi_square / (n - 1)) ** (-n / 2)."""
    residuals = np.array([[0.3, -0.3, 0.3, -0.3]])

    def log(blocks: int, misfit: float) -> float:
        seen = Seen(STATISTICS, np.zeros(4), 0.05**2 * np.eye(4), blocks - 1, 0.02)
        return float(Agreement.of(seen, 1).log_likelihood(residuals, misfit)[0])

    chi_square = 4 * 0.3**2 / 0.05**2
    assert log(20, 0.0) == pytest.approx(-10 * np.log(1 + chi_square / 19))
    assert log(5, 0.0) == pytest.approx(-2.5 * np.log(1 + chi_square / 4))
    assert log(5, 0.0) > log(20, 0.0) > log(75, 0.0) > -chi_square / 2
    # So many that the covariance is known.
    assert log(100_000, 0.0) == pytest.approx(-chi_square / 2, rel=1e-3)


@pytest.mark.parametrize("blocks", [5, 20])
@pytest.mark.parametrize("misfit", [0.1, 1.0])
def test_the_law_holds_the_truth_as_often_as_it_says(blocks: int, misfit: float) -> None:
    """One unknown moves 14 correlated statistics, and the covariance is that of few blocks.

    Args:
        misfit: in standard errors.
    """
    chance = np.random.Generator(np.random.Philox(5))
    count, held = 14, 0
    root = np.linalg.cholesky(
        0.5 * np.eye(count) + 0.3 + 0.2 * (np.arange(count)[:, None] // 5 == np.arange(count) // 5)
    )
    error = 1 / np.sqrt(blocks)
    grid = np.linspace(-6, 6, 1201) * error * (1 + misfit)
    for _ in range(300):
        values = chance.standard_normal((blocks, count)) @ root.T
        observed = values.mean(axis=0) + misfit * error * chance.standard_normal(count)
        seen = Seen(STATISTICS[:1] * count, observed, np.cov(values, rowvar=False) / blocks, blocks - 1, 0.0)
        moves = 1 + 0.3 * chance.standard_normal(count)
        logs = Agreement.of(seen, 1).log_likelihood(observed - grid[:, None] * moves, misfit * error)
        passed = np.cumsum(np.exp(logs - logs.max())) / np.exp(logs - logs.max()).sum()
        low, high = grid[np.searchsorted(passed, [0.1, 0.9])]
        held += low <= 0 <= high
    assert 0.70 <= held / 300 <= 0.90


def test_the_noise_of_what_was_seen() -> None:
    seen = Seen(STATISTICS, np.zeros(4), np.diag([1e-4, 4e-4, 9e-4, 16e-4]), 19, 0.005)
    assert seen.noise == pytest.approx(0.025)
    assert replace(seen, stated=0.05).noise is None
    assert Seen((), np.zeros(0), np.zeros((0, 0)), 1, 0.005).noise is None


def test_the_best_of_all_counts() -> None:
    best = Best(_agreement(0.05), 4)
    best.add(np.full((200, 4), 0.5))
    first = best.misfit
    best.add(np.full((200, 4), 0.2))
    assert best.misfit < first
    again = best.misfit
    best.add(np.full((200, 4), 0.9))
    assert best.misfit == again


def test_without_statistics_everything_agrees() -> None:
    agreement = Agreement.of(Seen((), np.zeros(0), np.zeros((0, 0)), 1, 0.02), 5)
    assert agreement.misfit(np.zeros((3, 0))) == 0.02
    assert agreement.log_likelihood(np.zeros((3, 0)), 0.02).tolist() == [0, 0, 0]


def test_names() -> None:
    assert name(STATISTICS[0]) == "the last of 2 boxes at ready"
    assert (
        name(Statistic(Level(boxes=1, residents=7), Endpoint.INIT, "median")) == "a single box beside 7 others at init"
    )
    assert name(Statistic(Level(boxes=4, residents=8), Endpoint.READY, "cpu")) == "CPU time of 4 boxes beside 8 others"
