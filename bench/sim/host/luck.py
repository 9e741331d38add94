"""Luck of simulated trials: each trial of a question has its own, and all targets have the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.sim.limits import MOST_FACTOR, MOST_SEED, MOST_TRIALS
from bench.sim.noise import factors
from bench.sim.values import TargetValues


def trial_seed(seed: int, trial: int) -> int:
    """The seed of one trial's luck: trials are days apart, so no block's luck carries over to the next.

    No two pairs of a seed and a trial have the same one. Raises ValueError: one of them is outside its range.
    """
    if not 0 <= trial < MOST_TRIALS:
        raise ValueError(f"trial {trial} is outside [0, {MOST_TRIALS})")
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed {seed} is outside [0, {MOST_SEED}]")
    return seed * MOST_TRIALS + trial


def trial_factors(
    values: TargetValues, *, seed: int, trial: int, boxes: int, longer: float = 1.0
) -> NDArray[np.float64]:
    """(boxes,) The factor of each box of a trial. ``longer``: what all of them are multiplied by."""
    own = factors(values, seed=trial_seed(seed, trial), trial=0, block=0, boxes=boxes)
    found: NDArray[np.float64] = np.minimum(own * longer, MOST_FACTOR)
    return found
