"""Moves keep the distribution that they are for, and bring particles from one mode to another."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.sim.fit.chance import stream
from bench.sim.fit.moves import Mover
from bench.sim.fit.space import AXES, CPU, CROWDING, SHARE, Place, Points, Priors, folded, spread_over

Floats = NDArray[np.float64]

PRIORS = Priors(
    cpu_ns=(100e6, 200e6),
    hold_ns=20e6,
    inflation=0.1,
    growth_ns=1e6,
    places=(Place((0,), True), Place((1,), True), Place((0, 1), False)),
    stages=2,
)


def _log_density(points: Points) -> Floats:
    """A ridge along the first two axes that leans on a face, and a second mode at another place with a third of it."""
    along, across = points.at[:, SHARE], points.at[:, CPU] - 0.6 * points.at[:, SHARE]
    ridge = -0.5 * (along / 0.3) ** 2 - 0.5 * (across / 0.05) ** 2
    apart = -0.5 * ((along - 0.8) / 0.05) ** 2 - 0.5 * ((points.at[:, CPU] - 0.1) / 0.05) ** 2
    found: Floats = np.where(points.place == 0, ridge, np.where(points.place == 1, apart, -np.inf))
    return found


def _moved(points: Points, mover: Mover, moves: int, chance: np.random.Generator) -> tuple[Points, float]:
    at, place, logs = points.at, points.place, _log_density(points)
    taken_of_all = []
    for _ in range(moves):
        new = mover.propose(at, place, chance)
        there = _log_density(Points(folded(new.at), new.place))
        gain = np.where(np.isfinite(there), there - np.maximum(logs, -1e300) + new.ratio, -np.inf)
        taken = np.log(chance.random(len(place))) < gain
        at, place, logs = (
            np.where(taken[:, None], new.at, at),
            np.where(taken, new.place, place),
            np.where(taken, there, logs),
        )
        taken_of_all.append(taken.mean())
    return Points(folded(at), place), float(np.mean(taken_of_all))


def test_moves_find_the_distribution_and_stay_in_it() -> None:
    chance = stream(3, "x")
    first = spread_over(PRIORS, 1500, chance)
    snapshot, _ = _moved(first, Mover.of(first, PRIORS, chance), 60, chance)
    points, taken = _moved(snapshot, Mover.of(snapshot, PRIORS, chance), 40, chance)
    assert taken > 0.15
    # The modes' masses by their areas: half of a normal times a normal, and two whole ones.
    fine = np.linspace(0, 1, 401)
    share, cpu = np.meshgrid(fine, fine, indexing="ij")
    flat = np.zeros((share.size, len(AXES)))
    flat[:, SHARE], flat[:, CPU] = share.ravel(), cpu.ravel()
    masses = [float(np.exp(_log_density(Points(flat, np.full(share.size, place)))).sum()) for place in (0, 1)]
    assert (points.place == 0).mean() == pytest.approx(masses[0] / sum(masses), abs=0.05)
    ridge = points.take(np.flatnonzero(points.place == 0)).at
    weights = np.exp(_log_density(Points(flat, np.zeros(share.size, np.int64))))
    assert ridge[:, SHARE].mean() == pytest.approx(float(np.average(flat[:, SHARE], weights=weights)), abs=0.02)
    assert ridge[:, CPU].std() == pytest.approx(float(np.sqrt(np.cov(flat[:, CPU], aweights=weights))), rel=0.08)
    # Nothing is said about the other axes, so they stay uniform.
    assert points.at[:, CROWDING].mean() == pytest.approx(0.5, abs=0.03)
    assert points.at[:, CROWDING].std() == pytest.approx(np.sqrt(1 / 12), abs=0.01)


def test_a_place_with_few_particles_takes_steps_of_all() -> None:
    chance = stream(4, "x")
    points = spread_over(PRIORS, 60, chance)
    place = np.zeros(60, np.int64)
    place[:2] = 1
    mover = Mover.of(Points(points.at, place), PRIORS, chance)
    assert mover.count.tolist() == [58, 60, 60]
    assert mover.first.tolist() == [0, 0, 0]
    assert mover.propose(points.at, place, chance).at.shape == (60, len(AXES))
