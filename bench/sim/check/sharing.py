"""What single starts would do in a storm if the CPUs were all that they share: two forms, neither needs a simulation.

Both take the luck of boxes from single starts. In the first one every box has luck of its own, so boxes of a storm
scatter as much as single starts of different days do. In the second one half of the variance of that luck is common to
the boxes of a storm: single starts alone do not tell how much of it is.

A statistic is given by its ranks: the mean of the boxes that have them in ascending order, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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


def ordered_starts(alone: Sample, boxes: int, ranks: Sequence[int]) -> Sample:
    """The law of some of ``boxes`` independent single starts: exact for one rank.

    At most x is the start of rank r if at least r + 1 of n are: the share I_F(x)(r + 1, n - r), with the regularised
    incomplete beta function and the share F of single starts of at most x. Two neighbours in the order are taken to
    have their quantiles together.

    Source: David & Nagaraja, Order Statistics, 2003, section 2.1.
    """
    order = np.argsort(alone.values, kind="stable")
    reached = np.clip(np.cumsum(alone.weights[order]), 0.0, 1.0)
    reached[-1] = 1.0
    values = alone.values[order]
    below = [betainc(rank + 1, boxes - rank, reached) for rank in ranks]
    steps = np.unique(np.concatenate(below))
    middles = (steps + np.concatenate([[0.0], steps[:-1]])) / 2
    together = np.mean([values[np.searchsorted(one, middles)] for one in below], axis=0)
    return Sample(together, np.diff(steps, prepend=0.0))


def shared_cpus(alone: Sample, cpu_ns: float, *, cpus: int, boxes: int, ranks: Sequence[int]) -> Sample:
    """The end of boxes of some ranks when boxes of unlike work begin together on CPUs that they share equally.

    Between two ends all boxes that are left advance alike. So with ascending CPU times w(0), w(1), ... of n boxes on c
    CPUs the one of rank r ends at the sum over k <= r of (n - k) (w(k) - w(k - 1)) / c, and not before it would alone.

    Args:
        alone: single starts, ns. A box that starts longer than the median needs as much more CPU time.
        cpu_ns: CPU time of the median start.
    """
    factors = np.sort(_factors(alone, boxes), axis=1)
    steps = np.diff(factors, axis=1, prepend=0.0)
    left = boxes - np.arange(boxes)
    shared = np.cumsum(steps * left, axis=1)[:, list(ranks)] * cpu_ns / cpus
    return equal_weights(np.maximum(factors[:, list(ranks)] * alone.median, shared).mean(axis=1))


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
