"""Shares: what effects explain of the answers' variance, together and one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.answer.shares import shares_of

COUNT = 400
ALIKE = np.ones(COUNT)


def _normal(number: int, sd: float = 1.0) -> np.ndarray:
    found: np.ndarray = sd * np.random.default_rng(number).standard_normal(COUNT)
    return found


def test_independent_effects_have_the_shares_of_their_variances() -> None:
    parts = [_normal(1, 3.0), _normal(2, 1.0)]
    shares, rest = shares_of(parts, parts[0] + parts[1], ALIKE)
    assert shares[0] == pytest.approx(0.9, abs=0.05)
    assert sum(shares) + rest == pytest.approx(1.0)
    assert rest < 1e-6


def test_equal_effects_have_half_each() -> None:
    one = _normal(1)
    shares, rest = shares_of([one, one], one, ALIKE)
    assert shares == pytest.approx([0.5, 0.5], abs=1e-6)
    assert rest < 1e-9


def test_effects_that_cancel_have_hardly_a_share() -> None:
    """Each of the two moves the answer by ten times what decides it, and their sum by nothing."""
    large, small = _normal(1, 10.0), _normal(2, 1.0)
    shares, _ = shares_of([large, -large, small], 7 + small, ALIKE)
    assert shares[2] > 0.97


def test_an_effect_that_goes_against_the_answers_explains_nothing_by_itself() -> None:
    up = _normal(1)
    down = -0.6 * up + _normal(2, 0.05)
    answers = up + down
    assert np.corrcoef(down, answers)[0, 1] < -0.9
    assert shares_of([down], answers, ALIKE) == ([0.0], 1.0)
    shares, rest = shares_of([up, down], answers, ALIKE)
    assert shares[0] > 0.9
    assert sum(shares) + rest == pytest.approx(1.0)


def test_a_tiny_effect_cannot_stand_in_for_what_it_goes_with() -> None:
    answers = _normal(1)
    shares, rest = shares_of([answers / 1000], answers, ALIKE)
    # A slope of 2 explains 4 thousandths; a regression explains all.
    assert shares[0] < 0.005
    assert rest > 0.995


def test_of_many_effects_those_that_matter_are_found() -> None:
    parts = [_normal(number, 3.0 if number == 17 else 0.3) for number in range(20)]
    shares, rest = shares_of(parts, np.sum(parts, axis=0), ALIKE)
    assert int(np.argmax(shares)) == 17
    assert shares[17] > 0.75
    assert sum(shares) + rest == pytest.approx(1.0)
    assert min(shares) >= 0


def test_weights_count_and_equal_answers_leave_nothing() -> None:
    first, second = _normal(1), _normal(2)
    half = np.arange(COUNT) < COUNT // 2
    answers = np.where(half, first, second)
    shares, _ = shares_of([first, second], answers, half.astype(np.float64))
    assert shares[0] > 0.95
    assert shares_of([first, second], np.full(COUNT, 3.0), ALIKE) == ([0.0, 0.0], 0.0)
    assert shares_of([], first, ALIKE) == ([], 1.0)
