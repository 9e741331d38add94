"""Bayesian bootstrap over blocks: weights, weighted middles, and how far draws are stretched for few blocks.

Rubin 1981, The Bayesian Bootstrap. With few blocks its draws scatter too little: of ``n`` values the variance of a
weighted mean is ``(n - 1) / (n + 1)`` of the usual estimate, and the tails are those of a normal instead of a t
distribution. Neighbouring blocks are correlated, which it does not see. ``Stretch`` corrects all three.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_PAIRS: Final = 8
"""Of neighbouring blocks: with fewer nothing is said about their correlation."""
MOST_CORRELATION: Final = 0.9

_LOW, _HIGH = 0.25, 0.75


@dataclass(frozen=True)
class Blocks:
    """The blocks of all targets, and the weights of every draw.

    Attributes:
        numbers: (blocks,) ascending.
        weights: (1 + draws, blocks) of which row 0 has equal weights: the centre.
        tails: (1 + draws,) chi-square variates over their degrees of freedom, by which t-tails are made; row 0 is 1.
    """

    numbers: Ints
    weights: Floats
    tails: Floats

    def of(self, blocks: Sequence[int]) -> Floats:
        """(1 + draws, len(blocks)) The weights of trials of these blocks, with a sum of 1 in each row."""
        found: Floats = self.weights[:, np.searchsorted(self.numbers, np.asarray(blocks, np.int64))]
        shares: Floats = found / found.sum(axis=1, keepdims=True)
        return shares


def draw_blocks(blocks: Sequence[int] | Ints, draws: int, chance: np.random.Generator) -> Blocks:
    """Weights of ``draws`` resamples of blocks: a flat Dirichlet distribution each."""
    numbers = np.unique(np.asarray(blocks, np.int64))
    weights = chance.exponential(size=(draws, len(numbers)))
    degrees = max(1, len(numbers) - 1)
    tails = chance.chisquare(degrees, size=draws) / degrees
    return Blocks(
        numbers=numbers,
        weights=np.vstack([np.ones(len(numbers)), weights]),
        tails=np.concatenate([[1.0], tails]),
    )


def midmean(values: Floats, weights: Floats) -> Floats:
    """The weighted mean of the middle half: close to the median, and smooth in the weights.

    Args:
        values: (trials,)
        weights: (draws, trials) with a sum of 1 in each row.

    Returns:
        (draws,)
    """
    order = np.argsort(values, kind="stable")
    mass = weights[:, order]
    above = np.cumsum(mass, axis=1)
    inside = np.minimum(above, _HIGH) - np.maximum(above - mass, _LOW)
    inside = np.clip(inside, 0.0, None)
    found: Floats = (inside * values[order]).sum(axis=1) / inside.sum(axis=1)
    return found


def stretched(draws: Floats, blocks: int, correlation: float, tails: Floats | None = None) -> Floats:
    """Draws around their centre, scattered as few and correlated blocks demand.

    Args:
        draws: (1 + draws, ...) of which row 0 is the centre.
        blocks: how many blocks they rest on, at least 2.
        correlation: of neighbouring blocks, in [0, 1).
        tails: (1 + draws,) as of ``Blocks``; None: normal tails.
    """
    factor = np.sqrt((blocks + 1) / (blocks - 1) * (1 + correlation) / (1 - correlation))
    by_draw = np.full(len(draws), factor) if tails is None else factor / np.sqrt(tails)
    shaped = by_draw.reshape((-1,) + (1,) * (draws.ndim - 1))
    found: Floats = draws[0] + (draws - draws[0]) * shaped
    return found


def neighbours(sittings: Sequence[int]) -> list[int]:
    """Numbers of the values whose neighbour before is of the same sitting."""
    return [number for number in range(1, len(sittings)) if sittings[number] == sittings[number - 1]]


def lag_correlation(values: Floats, sittings: Sequence[int]) -> float:
    """The correlation of neighbouring values of one sitting, in [0, MOST_CORRELATION]; 0 with too few pairs.

    Args:
        values: (blocks,) in order of blocks.
        sittings: of each value.
    """
    centred = values - values.mean()
    pairs = neighbours(sittings)
    spread = float((centred**2).mean())
    if len(pairs) < LEAST_PAIRS or spread <= 0:
        return 0.0
    together = float(np.mean([centred[number] * centred[number - 1] for number in pairs]))
    # The estimate of few values is too low by about 1 / n (Kendall 1954).
    return float(np.clip(together / spread + 1 / len(values), 0.0, MOST_CORRELATION))
