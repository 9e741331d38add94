"""What single starts show directly: the length of each stage, how much starts scatter, and memory per box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.fit.levels import LevelData
from bench.sim.fit.resample import Blocks, lag_correlation, midmean, neighbours, stretched
from bench.sim.observe.trials import MemoryTrial, StartTrial

Floats = NDArray[np.float64]

MEMORY_BLOCKS: Final = 3
"""With fewer blocks nothing says how much memory differs from block to block."""
_MOST_LOG: Final = np.log(10.0)
"""Of a factor of the growth per box: tails of few blocks have no end."""


@dataclass(frozen=True)
class Noise:
    """How much single starts scatter.

    Attributes:
        sd: standard deviation of the logarithm, of what a block's boxes share and of each box's own part together.
        correlation: of that logarithm between neighbouring blocks, in [0, MOST_CORRELATION]; 0 with fewer pairs of
            neighbours than LEAST_PAIRS.
        pairs: of neighbouring blocks.
    """

    sd: float
    correlation: float
    pairs: int


def stage_draws(
    trials: Sequence[StartTrial], endpoints: Sequence[Endpoint], blocks: Blocks, correlation: float
) -> tuple[Floats, Floats]:
    """(1 + draws, stages) How long each stage of a single start takes, ns; row 0 is the centre.

    A start is resampled whole. Its length is the midmean of logarithms, and is divided by the mean shares of the
    stages, so that the stages of each draw add up to its length.

    Returns:
        The stages, and (1 + draws,) logarithms of lengths with normal tails, for covariances.
    """
    ends = np.array([[float(trial.times_ns[end][0]) for end in endpoints] for trial in trials])
    stages = np.clip(np.diff(ends, axis=1, prepend=0.0), 0.0, None)
    whole = stages.sum(axis=1)
    weights = blocks.of([trial.block for trial in trials])
    lengths = midmean(np.log(whole), weights)
    shares = weights @ (stages / whole[:, None])
    distinct = len({trial.block for trial in trials})
    wide = stretched(lengths, distinct, correlation, blocks.tails)
    return np.exp(wide)[:, None] * shares, stretched(lengths, distinct, 0.0)


def noise_of(alone: LevelData, goal: Endpoint) -> Noise:
    """How much single starts scatter, and how much neighbouring blocks have in common."""
    trials = sorted(alone.trials, key=lambda trial: trial.block)
    logs = np.log([float(trial.times_ns[goal][0]) for trial in trials])
    sittings = [trial.sitting for trial in trials]
    return Noise(float(logs.std(ddof=1)), lag_correlation(logs, sittings), len(neighbours(sittings)))


def memory_draws(
    trials: Sequence[MemoryTrial], draws: int, chance: np.random.Generator
) -> tuple[Floats, Floats] | None:
    """(1 + draws,) What daemons and the first box's shared parts take, and what each box takes, bytes.

    Heaps of daemons and runtimes grow in steps, so what a further box takes differs from stretch to stretch. The
    sample is therefore the growth per box between neighbouring levels of each block, each weighted by its length. The
    line goes through the mean of all readings. Blocks differ, too: their part is added, with the tails of
    so few blocks. None: fewer than two such stretches.
    """
    by_block: dict[int, dict[int, float]] = {}
    for trial in trials:
        by_block.setdefault(trial.block, {})[trial.boxes] = float(trial.used_bytes)
    stretches = [
        (after - before, points[after] - points[before])
        for points in by_block.values()
        for before, after in pairwise(sorted(points))
    ]
    if len(stretches) < 2:
        return None
    lengths, growths = np.array(stretches).T
    readings = np.array([(boxes, used) for points in by_block.values() for boxes, used in points.items()])
    rise = _weights(draws, len(stretches), chance)
    each = rise @ growths / (rise @ lengths)
    middle = _weights(draws, len(readings), chance)
    middle /= middle.sum(axis=1, keepdims=True)
    each = each * _between_blocks(by_block, draws, chance)
    daemons = float(np.median([trial.daemons_bytes for trial in trials]))
    return daemons + middle @ readings[:, 1] - each * (middle @ readings[:, 0]), each


def _between_blocks(by_block: Mapping[int, Mapping[int, float]], draws: int, chance: np.random.Generator) -> Floats:
    """(1 + draws,) Factors of the growth per box, 1 in row 0: how much its mean over blocks may be off. All are 1 with
    one block, which says nothing of others."""
    slopes = [
        (points[max(points)] - points[min(points)]) / (max(points) - min(points))
        for points in by_block.values()
        if len(points) > 1
    ]
    count, mean = len(slopes), float(np.mean(slopes))
    if count < MEMORY_BLOCKS or not mean > 0:
        return np.ones(1 + draws)
    error = float(np.std(slopes, ddof=1)) / mean / np.sqrt(count)
    logs = np.concatenate([[0.0], error * chance.standard_t(count - 1, draws)])
    found: Floats = np.exp(np.clip(logs, -_MOST_LOG, _MOST_LOG))
    return found


def _weights(draws: int, count: int, chance: np.random.Generator) -> Floats:
    """(1 + draws, count) Of a Bayesian bootstrap; equal in row 0."""
    return np.vstack([np.ones(count), chance.exponential(size=(draws, count))])
