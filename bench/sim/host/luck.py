"""Luck of simulated trials: each trial of a question has its own, and all targets have the same."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.noise import factors
from bench.sim.values import TargetValues

_SEEDS: Final = 1 << 63
MOST_TRIALS: Final = 1 << 20
"""At most so many trials of a question have luck of their own."""


def trial_seed(seed: int, trial: int) -> int:
    """The seed of one trial's luck: trials are days apart, so no block's luck carries over to the next."""
    if not 0 <= trial < MOST_TRIALS:
        raise ValueError(f"trial {trial} is outside [0, {MOST_TRIALS})")
    return (seed * MOST_TRIALS + trial) % _SEEDS


def trial_factors(values: TargetValues, *, seed: int, trial: int, boxes: int) -> NDArray[np.float64]:
    """(boxes,) The factor of each box of a trial."""
    return factors(values, seed=trial_seed(seed, trial), trial=0, block=0, boxes=boxes)
