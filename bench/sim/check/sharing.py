"""What single starts would do in a storm if the CPUs were all that they share: two forms, neither needs a simulation.

Both take the luck of boxes from single starts. In the first one every box has luck of its own, so boxes of a storm
scatter as much as single starts of different days do. In the second one half of the variance of that luck is common to
the boxes of a storm: single starts alone do not tell how much of it is.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from bench.sim.check.scores import Sample, equal_weights
from bench.sim.engine.rng import uniforms

Floats = NDArray[np.float64]

PURPOSE: Final = 0x4801
"""Of the luck of the second form; see ``bench.sim.engine.rng``. It is the same in every check."""
_MOST_SAMPLES: Final = 400
_LEAST_SAMPLES: Final = 50
_ROOM: Final = 2**21
"""Boxes that are drawn at once, which bounds the memory."""


def ordered_starts(alone: Sample, boxes: int, rank: int) -> Sample:
    """The exact law of one of ``boxes`` independent single starts, the shortest of which has the rank 0.

    At most x is the start of rank r if at least r + 1 of n are: the share I_F(x)(r + 1, n - r), with the regularised
    incomplete beta function and the share F of single starts of at most x.

    Source: David & Nagaraja, Order Statistics, 2003, section 2.1.
    """
    order = np.argsort(alone.values, kind="stable")
    reached = np.clip(np.cumsum(alone.weights[order]), 0.0, 1.0)
    reached[-1] = 1.0
    below = betainc(rank + 1, boxes - rank, reached)
    return Sample(alone.values[order], np.diff(below, prepend=0.0))


def shared_cpus(alone: Sample, cpu_ns: float, *, cpus: int, boxes: int, rank: int) -> Sample:
    """The end of the box of one rank when boxes of unlike work begin together on CPUs that they share equally.

    Between two ends all boxes that are left advance alike. So with ascending CPU times w(0), w(1), ... of n boxes on c
    CPUs the one of rank r ends at the sum over k <= r of (n - k) (w(k) - w(k - 1)) / c, and not before it would alone.

    Args:
        alone: single starts, ns. A box that starts longer than the median needs as much more CPU time.
        cpu_ns: CPU time of the median start.
    """
    factors = np.sort(_factors(alone, boxes), axis=1)
    steps = np.diff(factors, axis=1, prepend=0.0)
    left = boxes - np.arange(boxes)
    shared = np.cumsum(steps * left, axis=1)[:, rank] * cpu_ns / cpus
    return equal_weights(np.maximum(factors[:, rank] * alone.median, shared))


def _factors(alone: Sample, boxes: int) -> Floats:
    """(storms, boxes) By how much the boxes of drawn storms take longer than the median single start."""
    storms = max(_LEAST_SAMPLES, min(_MOST_SAMPLES, _ROOM // boxes))
    luck = uniforms(0, PURPOSE, np.arange(storms)[:, None], np.arange(boxes + 1)[None, :])
    order = np.argsort(alone.values, kind="stable")
    place = np.searchsorted(np.cumsum(alone.weights[order]), luck)
    logs = np.log(alone.values[order][np.minimum(place, len(order) - 1)] / alone.median)
    # Two independent halves of the variance: the storm's, and the box's own.
    found: Floats = np.exp((logs[:, :1] + logs[:, 1:]) / math.sqrt(2))
    return found
