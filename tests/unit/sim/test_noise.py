"""Luck of boxes: a function of seed, block, trial and box, with the spread that the model says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.noise import factors
from bench.sim.values import StageValues, TargetValues

CALM = TargetValues(stages=(StageValues(endpoint=Endpoint.READY, work_ns=1),))
NOISY = replace(CALM, block_sd=0.2, block_correlation=0.6, box_sd=0.1)


def test_without_noise_all_factors_are_1() -> None:
    assert factors(CALM, seed=1, trial=2, block=3, boxes=4).tolist() == [1.0] * 4


def test_the_same_seed_is_the_same_luck_for_every_target() -> None:
    one = np.log(factors(NOISY, seed=1, trial=2, block=3, boxes=4))
    other = np.log(factors(replace(NOISY, block_sd=0.4, box_sd=0.2), seed=1, trial=2, block=3, boxes=4))
    assert other == pytest.approx(2 * one)


def test_more_boxes_do_not_change_the_luck_of_the_first() -> None:
    few = factors(NOISY, seed=1, trial=2, block=3, boxes=4)
    assert factors(NOISY, seed=1, trial=2, block=3, boxes=9)[:4].tolist() == few.tolist()


def test_trials_of_a_block_share_its_factor_and_have_boxes_of_their_own() -> None:
    block_only = replace(NOISY, box_sd=0.0)
    shared = {float(factors(block_only, seed=1, trial=trial, block=3, boxes=1)[0]) for trial in range(5)}
    assert len(shared) == 1
    own = {float(factors(NOISY, seed=1, trial=trial, block=3, boxes=1)[0]) for trial in range(5)}
    assert len(own) == 5


def test_the_spread_and_the_correlation_are_the_models() -> None:
    blocks = [
        float(np.log(factors(replace(NOISY, box_sd=0.0), seed=seed, trial=0, block=block, boxes=1)[0]))
        for seed in range(60)
        for block in range(40)
    ]
    table = np.array(blocks).reshape(60, 40)
    assert table.std() == pytest.approx(0.2, rel=0.08)
    assert table[:, 0].std() == pytest.approx(0.2, rel=0.3)
    assert np.corrcoef(table[:, 1:].ravel(), table[:, :-1].ravel())[0, 1] == pytest.approx(0.6, abs=0.06)
    boxes = np.log(factors(replace(NOISY, block_sd=0.0), seed=1, trial=1, block=0, boxes=5000))
    assert boxes.std() == pytest.approx(0.1, rel=0.04)
    assert abs(boxes.mean()) < 0.006


@pytest.mark.parametrize(
    ("wrong", "values"),
    [
        ({"block": -1}, NOISY),
        ({"boxes": 0}, NOISY),
        ({"trial": -1}, NOISY),
        ({"seed": -1}, NOISY),
        ({}, replace(NOISY, block_correlation=1.0)),
    ],
)
def test_numbers_outside_their_range_are_refused(wrong: dict[str, int], values: TargetValues) -> None:
    with pytest.raises(ValueError, match=r"too small|outside|correlation"):
        factors(values, **{"seed": 1, "trial": 1, "block": 1, "boxes": 1, **wrong})
