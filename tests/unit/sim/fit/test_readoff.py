"""What is read off: memory per box where it differs from block to block."""

from __future__ import annotations

import numpy as np
import pytest

from bench.sim.fit.readoff import memory_draws
from bench.sim.observe.trials import MemoryTrial

SLOPE = 20.0 * 2**20


def _each(blocks: int, *, seed: int, sd: float = 0.05) -> np.ndarray:
    """(1 + draws,) Memory of a further box where it scatters by ``sd`` from block to block."""
    slopes = SLOPE * np.exp(sd * np.random.default_rng(seed).standard_normal(blocks))
    trials = [
        MemoryTrial(
            digest="", cell="", sitting=0, block=block, boxes=boxes, used_bytes=round(boxes * slope), daemons_bytes=0
        )
        for block, slope in enumerate(slopes)
        for boxes in (1, 2, 4, 8, 16)
    ]
    found = memory_draws(trials, 400, np.random.default_rng(seed))
    assert found is not None
    return found[1]


@pytest.mark.parametrize("blocks", [3, 5, 20])
def test_bands_of_memory_hold_the_truth_where_blocks_differ(blocks: int) -> None:
    bands = [np.quantile(_each(blocks, seed=seed)[1:], [0.025, 0.975]) for seed in range(100)]
    held = np.mean([low <= SLOPE <= high for low, high in bands])
    assert held >= 0.88
    assert (_each(blocks, seed=1) > 0).all()
