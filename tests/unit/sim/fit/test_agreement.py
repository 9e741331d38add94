"""The misfit is the least with which the best candidate is as far away as noise would be."""

from __future__ import annotations

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
    # Four squares over three free ones: 4 * 0.09 / (noise + misfit) = 3.
    assert agreement.misfit(residuals) == pytest.approx(np.sqrt(4 * 0.09 / 3 - 0.05**2), rel=1e-6)
    assert agreement.chi_square(residuals, agreement.misfit(residuals))[0] == pytest.approx(3, rel=1e-6)


def test_what_cannot_be_has_no_probability() -> None:
    logs = _agreement(0.05).log_likelihood(np.array([[0.0] * 4, [np.inf] * 4]), 0.02)
    assert logs.tolist() == [0.0, -np.inf]


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
