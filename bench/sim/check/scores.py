"""Scores of a predictive distribution on storms that it did not see. Pure functions on arrays.

A predictive distribution is a weighted sample: ``values`` and ``weights`` of shape (samples,), the weights with a sum
of 1. The storm is the statistical unit. Storms of one block share the host's state, and so do neighbouring blocks:
intervals resample runs of neighbouring blocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.estimates import Interval
from bench.sim.answer.bands import quantiles

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES: Final = 1000
SPLITS: Final = 400
LEVEL: Final = 0.95
MIN_HALVES: Final = 4
"""Storms from which on one half can predict the other."""


@dataclass(frozen=True)
class Sample:
    """A predictive distribution."""

    values: Floats
    """(samples,) finite."""
    weights: Floats
    """(samples,) Not negative; their sum is 1."""

    @property
    def median(self) -> float:
        """The point prediction."""
        return quantiles(self.values, self.weights, (0.5,))[0]


def equal_weights(values: Floats) -> Sample:
    """A sample whose values count alike."""
    return Sample(values, np.full(len(values), 1 / len(values)))


def crps(sample: Sample, observed: Floats) -> Floats:
    """The continuous ranked probability score of each observation, in the unit of the data; 0 is best.

    CRPS = E|X - y| - E|X - X'| / 2, exact for the weighted sample.

    Args:
        observed: shape (storms,), finite.

    Returns:
        Shape (storms,).

    References: Gneiting & Raftery 2007, Strictly proper scoring rules, prediction, and estimation.
    """
    order = np.argsort(sample.values, kind="stable")
    values, weights = sample.values[order], sample.weights[order]
    before = np.cumsum(weights) - weights
    # Half the mean distance of two draws: each value counts once for every pair in which it is the larger one, less
    # those in which it is the smaller one.
    spread = float((weights * values * (2 * before + weights - 1)).sum())
    distance = (np.abs(values[None, :] - observed[:, None]) * weights[None, :]).sum(axis=1)
    found: Floats = distance - spread
    return found


def relative_errors(point: float, observed: Floats) -> Floats:
    """|prediction / observation - 1| of each storm; 1 for a storm whose box never got there."""
    found: Floats = np.abs(point / observed - 1)
    return found


def noise_ceiling(observed: Floats, rng: np.random.Generator) -> float | None:
    """The error with which one half of the storms predicts the other: no model can do much better.

    The median of one half is the prediction. Its error on the other half is the median of ``relative_errors``, as for
    a model. The result is the median over random splits; None with fewer than MIN_HALVES storms.
    """
    if len(observed) < MIN_HALVES:
        return None
    half = len(observed) // 2
    errors = []
    for _ in range(SPLITS):
        mixed = rng.permutation(observed)
        errors.append(np.median(relative_errors(float(np.median(mixed[:half])), mixed[half:])))
    return float(np.median(errors))


def hit_interval(hits: int, n: int, level: float = LEVEL) -> Interval:
    """The exact interval of a share of ``hits`` in ``n`` >= 1 independent ones (Clopper & Pearson 1934)."""
    from scipy.special import betaincinv  # noqa: PLC0415 - takes a tenth of a second to import

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return Interval(low, high, level)


def resampled_blocks(blocks: Sequence[int], rng: np.random.Generator, resamples: int = RESAMPLES) -> Ints:
    """How often each block occurs in each resample: circular runs of about n^(1/2) neighbours.

    Args:
        blocks: the numbers of the blocks, in the order in which they ran.

    Returns:
        Shape (resamples, blocks).
    """
    n = len(blocks)
    size = max(1, round(math.sqrt(n)))
    starts = rng.integers(0, n, (resamples, -(-n // size)))
    places = ((starts[:, :, None] + np.arange(size)) % n).reshape(resamples, -1)[:, :n]
    counts = np.zeros((resamples, n), dtype=np.int64)
    np.add.at(counts, (np.arange(resamples)[:, None], places), 1)
    return counts


def percentile_interval(values: Floats, level: float = LEVEL) -> Interval | None:
    """The central interval of resampled values without NaN; None when fewer than half of them are numbers."""
    known = values[np.isfinite(values)]
    if 2 * len(known) <= len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def resampled_medians(values: Floats, blocks: Ints, known: Sequence[int], counts: Ints) -> Floats:
    """The median of the storms' values in each resample; NaN where a resample has none of these storms.

    Args:
        values: shape (storms,).
        blocks: shape (storms,): the block of each.
        known: the numbers of the blocks, in the order of the columns of ``counts``.
        counts: from ``resampled_blocks``.

    Returns:
        Shape (resamples,).
    """
    order = np.argsort(values, kind="stable")
    column = {block: number for number, block in enumerate(known)}
    weights = counts[:, [column[int(block)] for block in blocks[order]]]
    reached = np.cumsum(weights, axis=1)
    total = reached[:, -1]
    ordered = values[order]
    lower = (reached >= ((total + 1) // 2)[:, None]).argmax(axis=1)
    upper = (reached >= (total // 2 + 1)[:, None]).argmax(axis=1)
    found: Floats = np.where(total > 0, (ordered[lower] + ordered[upper]) / 2, math.nan)
    return found


def resampled_means(values: Floats, blocks: Ints, known: Sequence[int], counts: Ints) -> Floats:
    """The mean of the storms' values in each resample; see ``resampled_medians``."""
    column = {block: number for number, block in enumerate(known)}
    weights = counts[:, [column[int(block)] for block in blocks]]
    total = weights.sum(axis=1)
    found: Floats = np.where(total > 0, (weights * values).sum(axis=1) / np.maximum(total, 1), math.nan)
    return found


def skill(score: Floats | float, base: Floats | float) -> Floats:
    """1 - score / base: 1 is perfect, 0 is no better than the base, below 0 is worse."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = 1 - np.asarray(score, dtype=np.float64) / np.asarray(base, dtype=np.float64)
    return found
