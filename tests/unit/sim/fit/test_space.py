"""The cube of unknowns: the prior is uniform in it, and proposals have the density that they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.sim.fit.chance import stream
from bench.sim.fit.space import (
    AXES,
    CROWDING_SD,
    HOLD_SD,
    MOST_LEAN,
    NO_CROWDING,
    Place,
    Points,
    Priors,
    half_normal,
    proposal_around,
    spread_over,
    unknowns,
)

PRIORS = Priors(
    cpu_ns=(100e6, 200e6),
    hold_ns=20e6,
    inflation=0.1,
    growth_ns=None,
    places=(Place((0,), True), Place((1,), True), Place((0, 1), False)),
    stages=2,
    least_share=0.2,
)


def test_the_prior() -> None:
    found = unknowns(spread_over(PRIORS, 30_000, stream(1, "x")), PRIORS)
    assert found.share.mean() == pytest.approx(0.6, abs=1e-3)
    assert found.share.min() >= 0.2
    assert np.log(found.cpu_ns).mean() == pytest.approx(np.log(np.sqrt(2) * 100e6), abs=1e-3)
    assert found.inflation.mean() == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=1e-3)
    assert found.inflation.std() == pytest.approx(0.1 * np.sqrt(1 - 2 / np.pi), rel=1e-2)
    # The part of a half-normal distribution of scale 20 ms that is below 20 ms.
    assert found.hold_ns.max() == pytest.approx(20e6, rel=1e-3)
    assert found.hold_ns.std() == pytest.approx(20e6 * HOLD_SD, rel=1e-2)
    assert not found.growth_ns.any()
    # A third each: all in the first stage, all in the second, half in each.
    assert found.where.sum(axis=1).tolist() == [1.0] * 30_000
    assert found.where[:, 0].mean() == pytest.approx(0.5)
    assert np.bincount((found.where[:, 0] * 2).astype(int)).tolist() == [10_000] * 3
    assert found.works.mean() == pytest.approx(2 / 3)
    # A spike at 0, and beside it a half-normal distribution.
    assert (found.crowding == 0).mean() == pytest.approx(NO_CROWDING, abs=1e-3)
    crowding = found.crowding[found.crowding > 0]
    assert crowding.mean() == pytest.approx(CROWDING_SD * np.sqrt(2 / np.pi), rel=1e-2)
    # Work is spread evenly unless the data can say otherwise.
    assert not found.lean.any()


def test_priors_that_end() -> None:
    points = spread_over(PRIORS, 20_000, stream(1, "x"))
    wide = unknowns(points, replace(PRIORS, inflation=5.0, leans=True))
    assert wide.inflation.max() <= 1
    assert wide.inflation.mean() == pytest.approx(0.5, abs=0.01)
    assert wide.lean.min() == pytest.approx(-MOST_LEAN, rel=1e-3)
    assert wide.back.mean() == pytest.approx(0, abs=1e-3)
    assert half_normal(np.array([0.0, 0.5]), 0.0).tolist() == [0, 0]


def test_only_what_the_data_can_tell_is_counted() -> None:
    """The misfit asks how many statistics there are beyond the unknowns."""
    assert PRIORS.axes == 5
    assert replace(PRIORS, growth_ns=1e6, crowded=True, leans=True).axes == len(AXES)
    assert replace(PRIORS, inflation=0.0).axes == 4


def test_a_proposal_has_the_density_that_it_says() -> None:
    """Importance weights 1 / density turn its points into the uniform prior."""
    chance = stream(2, "x")
    near = Points(np.clip(0.1 + 0.05 * chance.standard_normal((50, len(AXES))), 0, 1), np.zeros(50, np.int64))
    proposal = proposal_around(near, np.full(50, 1 / 50), PRIORS, chance)
    points = proposal.draw(20_000, chance)
    assert points.at.min() >= 0
    assert points.at.max() <= 1
    weights = 1 / proposal.density(points)
    assert weights.mean() == pytest.approx(1, abs=0.05)
    for axis in range(len(AXES)):
        assert (weights * (points.at[:, axis] < 0.2)).mean() == pytest.approx(0.2, abs=0.03)
    assert (weights * (points.place == 2)).mean() == pytest.approx(1 / 3, abs=0.03)
