"""Bayesian bootstrap over blocks: weights, middles, and the scatter of few blocks."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.fit.chance import stream
from bench.sim.fit.resample import draw_blocks, lag_correlation, midmean, stretched


def test_streams_depend_on_every_argument() -> None:
    first = stream(1, "blocks", "docker").random(4).tolist()
    assert stream(1, "blocks", "docker").random(4).tolist() == first
    for other in (stream(2, "blocks", "docker"), stream(1, "boxes", "docker"), stream(1, "blocks", "runc")):
        assert other.random(4).tolist() != first


def test_weights_of_blocks() -> None:
    blocks = draw_blocks([3, 1, 3, 7], 50, stream(1, "blocks"))
    assert blocks.numbers.tolist() == [1, 3, 7]
    weights = blocks.of([7, 3, 3])
    assert weights.shape == (51, 3)
    assert weights[0].tolist() == pytest.approx([1 / 3] * 3)
    assert np.allclose(weights.sum(axis=1), 1)
    # Trials of one block have the weight of the block.
    assert np.allclose(weights[:, 1], weights[:, 2])
    assert np.ptp(weights[1:, 0]) > 0.3


def test_the_midmean_is_that_of_the_middle_half() -> None:
    equal = np.full((1, 8), 1 / 8)
    values = np.array([100.0, 3, 1, 2, 4, 5, 6, -50])
    assert midmean(values, equal)[0] == pytest.approx(np.mean([2, 3, 4, 5]))
    assert midmean(np.array([2.0]), np.ones((3, 1))).tolist() == [2, 2, 2]
    heavy = np.array([[0.1, 0.8, 0.1]])
    assert midmean(np.array([1.0, 5.0, 9.0]), heavy)[0] == 5.0


@pytest.mark.parametrize("blocks", [5, 20])
def test_bands_hold_the_middle_as_often_as_they_say(blocks: int) -> None:
    """Normal values: without the stretch 95 % bands of 5 blocks would hold it in 80 %."""
    chance = np.random.Generator(np.random.Philox(7))
    held = 0
    for number in range(400):
        values = chance.standard_normal(blocks)
        weights = draw_blocks(range(blocks), 200, stream(number, "blocks"))
        draws = stretched(midmean(values, weights.of(range(blocks))), blocks, 0.0, weights.tails)
        low, high = np.quantile(draws[1:], [0.025, 0.975])
        held += low <= 0 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_correlated_blocks_widen_a_band() -> None:
    draws = np.concatenate([[0.0], np.linspace(-1, 1, 11)])
    plain, wide = stretched(draws, 20, 0.0), stretched(draws, 20, 0.5)
    assert wide[-1] / plain[-1] == pytest.approx(np.sqrt(3))
    assert stretched(draws, 20, 0.0)[0] == 0


def test_the_correlation_of_neighbours() -> None:
    chance = np.random.Generator(np.random.Philox(3))
    values = np.zeros(4000)
    for at in range(1, len(values)):
        values[at] = 0.6 * values[at - 1] + 0.8 * chance.standard_normal()
    assert lag_correlation(values, [0] * len(values)) == pytest.approx(0.6, abs=0.05)
    # Values of different sittings are no neighbours.
    assert lag_correlation(values, list(range(len(values)))) == 0
    assert lag_correlation(values[:5], [0] * 5) == 0
    assert lag_correlation(np.ones(50), [0] * 50) == 0
