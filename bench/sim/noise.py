"""The luck of boxes: log-normal factors on all of a box's times, one shared by a block and one of its own.

Luck is a function of (seed, block) and of (seed, trial, box), never of the target: with the same seed, boxes of two
targets have the same luck, and their ratio has less noise than either (common random numbers).
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.sim.engine.rng import uniforms
from bench.sim.limits import MOST_FACTOR
from bench.sim.values import TargetValues

_MOST_LOG: Final = float(np.log(MOST_FACTOR))


class Purpose(IntEnum):
    """What a draw is for: draws for different purposes are independent. See ``bench.sim.engine.rng``."""

    BLOCK = 1
    BOX = 2


def factors(values: TargetValues, *, seed: int, trial: int, block: int, boxes: int) -> NDArray[np.float64]:
    """(boxes,) The factor of each box of a trial: its block's factor times its own.

    Logarithms of blocks' factors are normal with ``block_sd``, and neighbours have the correlation
    ``block_correlation`` (an autoregression of order 1 that is stationary from block 0 on). Logarithms of boxes' own
    factors are independent and normal with ``box_sd``. Medians are 1. A factor above ``MOST_FACTOR`` is cut there:
    where scatter is as large as a model may have it, that is one box of two million.

    Args:
        seed: in [0, 2**63).
        trial: number of the trial in its campaign, in [0, 2**48): trials have boxes with different luck.
        block: number of the trial's block, from 0: trials of a block share its luck.

    Raises:
        ValueError: a number outside its range.
    """
    if block < 0 or boxes < 1:
        raise ValueError(f"block {block} or boxes {boxes} is too small")
    own = values.box_sd * ndtri(uniforms(seed, Purpose.BOX, trial, np.arange(boxes)))
    shared = values.block_sd * _block_normal(seed, block, values.block_correlation)
    found: NDArray[np.float64] = np.minimum(np.exp(np.minimum(shared + own, _MOST_LOG)), MOST_FACTOR)
    return found


@lru_cache(maxsize=4096)
def _block_normal(seed: int, block: int, correlation: float) -> float:
    """The standard normal of a block, correlated with that of the block before."""
    if not 0 <= correlation < 1:
        raise ValueError(f"a correlation of neighbouring blocks of {correlation} is not in [0, 1)")
    steps = ndtri(uniforms(seed, Purpose.BLOCK, np.arange(block + 1), 0))
    normal = float(steps[0])
    rest = float(np.sqrt(1 - correlation**2))
    for step in steps[1:]:
        normal = correlation * normal + rest * float(step)
    return normal
