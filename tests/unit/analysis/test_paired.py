"""The values of two cells side by side are those of the blocks that both have."""

from __future__ import annotations

import random
from array import array

import pytest

from bench.analysis.metrics import Metric
from bench.analysis.paired import paired, pairing
from bench.analysis.ratios import shared_values
from bench.analysis.results import Boot, Boots, MetricSeries
from bench.plan.trials import Cell


def series_of(blocks: list[int], rng: random.Random, target: str) -> MetricSeries:
    """A value for each block in this order; every fifth boot is a warm-up."""
    boots = Boots(Boot(f"t{at}", block, 0, at % 5 == 4, ok=True, doubts=0) for at, block in enumerate(blocks))
    cell = Cell(scenario="s", target=target, accel="native")
    values = array("d", (rng.random() for _ in blocks))
    return MetricSeries(cell=cell, metric=Metric("time.ready_ns"), source="measured", boots=boots, values=values)


@pytest.mark.parametrize("seed", range(20))
def test_pairs_are_those_of_a_dictionary_by_block(seed: int) -> None:
    """Blocks in any order, of one side only, and twice in one side: a dictionary keeps the last of them."""
    rng = random.Random(seed)
    base, other = (series_of([rng.randrange(30) for _ in range(25)], rng, target) for target in ("a", "b"))
    found = paired(base, other, pairing(base.boots, other.boots))
    left, right = shared_values(base.by_block(), other.by_block())
    assert found.base.tolist() == left.tolist()
    assert found.other.tolist() == right.tolist()
    assert found.dropped == len(base.by_block().keys() ^ other.by_block().keys()) > 0
    assert len(left) > 0
