"""The tables of speeds: against the formula in floating point, in order, and with the same bits in both forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.sim.engine import rng
from bench.sim.engine.arrays import array_of, zeros
from bench.sim.engine.jit import pure
from bench.sim.engine.speeds import (
    CROWD_ONE,
    MOST_SHIFT,
    crowd_factor,
    crowd_table,
    crowded,
    fill_crowd,
    speed_table,
)
from bench.sim.limits import MOST_CPUS


def test_the_speeds_of_a_node() -> None:
    assert speed_table(cpus=3, inflation=0.0, shift=4) == [0, 16, 32, 48]
    assert speed_table(cpus=3, inflation=0.5, shift=4) == [0, 16, round(32 / 1.5), 24]
    # Inflation so strong that speed is less than half a unit still makes progress.
    assert speed_table(cpus=2, inflation=1e9, shift=4) == [0, 16, 1]


@pytest.mark.parametrize("crowding", [1e-9, 0.14, 1.0, 3.5])
@pytest.mark.parametrize("cpus", [1, 2, 104])
def test_what_a_crowd_leaves(crowding: float, cpus: int) -> None:
    table = np.array(crowd_table(cpus=cpus, crowding=crowding, most=3000))
    boxes = np.arange(3001)
    assert (table[: cpus + 1] == CROWD_ONE).all()
    assert np.abs(table - np.maximum(1, CROWD_ONE / np.maximum(1, boxes / cpus) ** crowding)).max() <= 0.51
    assert (np.diff(table) <= 0).all()
    assert table.min() >= 1
    factors = [crowd_factor(boxes=number, cpus=cpus, crowding=crowding) for number in (1, cpus, 3000)]
    assert factors == pytest.approx([1.0, 1.0, (3000 / cpus) ** crowding])


def test_no_crowding_is_a_table_of_one_line_and_changes_no_speed() -> None:
    assert crowd_table(cpus=2, crowding=0.0, most=50) == [CROWD_ONE]
    left = pure(crowded)
    for speed in (1, 7, MOST_CPUS << MOST_SHIFT):
        assert left(speed, CROWD_ONE) == speed
    assert left(1000, CROWD_ONE // 2) == 500
    assert left(1000, 1) == 1
    assert (MOST_CPUS << MOST_SHIFT) * CROWD_ONE + CROWD_ONE < 2**63


def test_both_forms_write_the_same_crowd() -> None:
    compiled, listed = (zeros(501, lists=lists) for lists in (False, True))
    fill_crowd(compiled, 1, 3, 0.37, 499)
    pure(fill_crowd)(listed, 1, 3, 0.37, 499)
    assert array_of(compiled).tolist() == listed
    assert listed[0] == 0


def test_a_crowd_without_end_leaves_the_least() -> None:
    assert crowd_table(cpus=1, crowding=1e6, most=3) == [CROWD_ONE, CROWD_ONE, 1, 1]
    assert crowd_factor(boxes=3, cpus=1, crowding=1e6) == math.inf


def test_powers_of_e() -> None:
    form = pure(rng.exp)
    for x in np.linspace(-42.9, 42.9, 20_001).tolist():
        assert form(x) == pytest.approx(math.exp(x), rel=3e-16, abs=0)
    assert [form(x) for x in (0.0, -0.0)] == [1.0, 1.0]
    some = (-40.0, -1.0, -1e-9, 0.3, 1.0, 39.5)
    assert [rng.exp(x) for x in some] == [form(x) for x in some]
