"""Which levels must hold the limit."""

from __future__ import annotations

import pytest

from bench.sim.check.misses import largest_levels
from bench.sim.observe.levels import Level


@pytest.mark.parametrize(
    ("levels", "largest"),
    [
        ([(0, 4), (0, 8)], [(0, 8)]),
        ([(0, 8)], [(0, 8)]),
        ([(0, 4), (0, 8), (8, 4)], [(0, 8), (8, 4)]),
        ([(0, 8), (8, 1), (8, 4), (16, 1)], [(0, 8), (8, 4), (16, 1)]),
        ([(8, 8), (0, 8), (8, 4)], [(8, 8)]),
    ],
)
def test_a_level_is_largest_where_no_other_exceeds_it(
    levels: list[tuple[int, int]], largest: list[tuple[int, int]]
) -> None:
    found = largest_levels([Level(boxes=boxes, residents=residents) for residents, boxes in levels])
    assert [(one.residents, one.boxes) for one in found] == largest
