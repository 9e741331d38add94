"""Change points in a series of medians: a rank test over many intervals, with a known chance of a false alarm.

How it works (METHOD.md explains why):
    1. The values become normal scores of their ranks. Then outliers, skew and units do not matter, and an infinite
       median (the boots timed out) is the largest value.
    2. For seeded intervals (Kovács et al. 2023) and every split of each, the standardised difference of the two means
       is taken; the largest one is the statistic.
    3. Its critical value comes from simulated series without a change, which are ranked and searched in the same way.
       They have the autocorrelation of the data, which is estimated from differences, because a step hardly changes
       those (after Chakar et al. 2017). A value that fewer than 20 of the 4000 exceed (a level below 0.005) is
       extrapolated from the largest tenth. There the square of the statistic is taken as exponential, with the upper
       limit of a 95 % interval of its mean excess. The tail of a Gaussian's largest square falls faster, and ranks
       have no tail at all. So the critical value tends to be too large: a step may be missed, but not invented.
    4. A series whose statistic exceeds it is split there, and both parts are searched again. Then every split is moved
       to the best place between its neighbours and must pass the test again there.

Pure: the simulation has a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVEL: Final = 0.01
"""The largest chance that a series without a change shows one."""
SHORTEST: Final = 3
"""The fewest commits in a segment: two slow runs in a row are no new level."""
LONGEST: Final = 200
"""Only this many of the last commits are searched."""

_SIMULATED: Final = 4000
_COUNTED: Final = 20
"""A critical value needs this many simulated values above it; with fewer it is extrapolated."""
_TAIL: Final = 400
"""How many of the largest simulated values the extrapolation uses."""
_NORMAL_95: Final = 1.645
_CHUNK: Final = 250
_LENGTHS: Final = (8, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 40, 45, 50, 60, 70, 80, 100, 120, 150, 175, 200)
_CORRELATIONS: Final = tuple(number / 20 for number in range(17))
_CHI_SQUARE_95: Final = 3.84


@dataclass(frozen=True)
class LevelStep:
    """One change of level.

    Attributes:
        index: of the first value on the new level.
        earliest, latest: about 95 % interval of ``index``, which lies between them.
        before, after: medians of the levels on both sides, up to the neighbouring steps.
        ratio: after / before; infinite when ``after`` is, None when ``before`` is zero or infinite.
    """

    index: int
    earliest: int
    latest: int
    before: float
    after: float

    @property
    def ratio(self) -> float | None:
        """The new level divided by the old one; None when that is undefined."""
        if self.before == 0 or math.isinf(self.before):
            return None
        return self.after / self.before


def find_steps(values: Sequence[float], *, level: float = LEVEL) -> tuple[LevelStep, ...]:
    """The significant steps of a series, in order.

    Args:
        values: in the order of commits, at most LONGEST; infinity is allowed, NaN is not.
        level: chance of finding a step in a series without one, in (0, 1).
    """
    data = np.asarray(values, dtype=np.float64)
    if np.isnan(data).any():
        raise ValueError("a series with NaN: leave missing commits out")
    if len(data) > LONGEST:
        raise ValueError(f"{len(data)} values, at most {LONGEST} can be searched")
    correlation = autocorrelation(data)
    found = sorted(_split(data, 0, len(data), correlation, level))
    return _described(data, _refined(data, found, correlation, level), correlation)


def counted_steps(values: Sequence[float], ranges: Sequence[tuple[float, float]]) -> tuple[LevelStep, ...]:
    """The changes in a series of counts: commits whose runs are all above, or all below, all runs of the level before.

    Where nothing changed, 5 runs of a commit are all above 5 of another with a chance of 1 in 252, and more rarely
    where the level has more commits. Counts without noise have ranges without width: every difference is a change.

    Args:
        ranges: the smallest and the largest run of each commit; at least one.
    """
    cuts: list[int] = []
    low, high = ranges[0]
    for at, (lowest, highest) in enumerate(ranges):
        if lowest > high or highest < low:
            cuts.append(at)
            low, high = lowest, highest
        else:
            low, high = min(lowest, low), max(highest, high)
    bounds = [0, *cuts, len(values)]
    levels = [median(values[start:end]) for start, end in pairwise(bounds)]
    return tuple(LevelStep(at, at, at, levels[place], levels[place + 1]) for place, at in enumerate(cuts))


def commits_needed(*, level: float = LEVEL) -> int:
    """The length from which on a perfect step in the middle of a series is significant."""
    return next((length for length in _LENGTHS if _perfect(length) > _critical(length, 0.0, level)), LONGEST + 1)


@lru_cache(maxsize=256)
def _perfect(length: int) -> float:
    """The largest statistic that a series can have."""
    return _best(_scores(np.arange(length, dtype=np.float64)))[0]


def autocorrelation(data: Floats) -> float:
    """The correlation of neighbouring values, in [0, 0.8], little affected by steps."""
    if len(data) < 8:
        return 0.0
    scores = _scores(data)
    # A step is in one difference at lag 1 and in two at lag 2, so twice as many are left out there.
    one, two = (_trimmed_square(scores[lag:] - scores[:-lag], kept=1 - 0.05 * lag) for lag in (1, 2))
    return 0.0 if one == 0 else float(np.clip(two / one - 1, 0.0, _CORRELATIONS[-1]))


def _trimmed_square(differences: Floats, *, kept: float) -> float:
    """Their mean square without the largest ones, where steps are, scaled for a Gaussian."""
    squares = np.sort(differences**2)
    edge = float(ndtri((1 + kept) / 2))
    share = 1 - 2 * edge * math.exp(-(edge**2) / 2) / math.sqrt(2 * math.pi) / kept
    return float(squares[: max(1, round(kept * len(squares)))].mean()) / share


def _scores(data: Floats) -> Floats:
    """Normal scores of ranks, where ties share theirs; mean 0, and variance 1 without ties.

    Ties make the variance smaller: values that are equal because of coarse resolution must not look more certain.
    """
    _, inverse, counts = np.unique(data, return_inverse=True, return_counts=True)
    middles = np.cumsum(counts) - (counts - 1) / 2
    scores: Floats = ndtri((middles[inverse] - 0.5) / len(data))
    return np.asarray((scores - scores.mean()) / _untied_spread(len(data)))


@lru_cache(maxsize=256)
def _untied_spread(length: int) -> float:
    return float(ndtri((np.arange(length) + 0.5) / length).std()) or 1.0


@lru_cache(maxsize=256)
def _places(length: int) -> tuple[Ints, Ints, Ints, Floats]:
    """Start, split and end of every interval that is tried, and the weight of each."""
    found: list[tuple[int, int, int]] = []
    width = float(length)
    while width >= 2 * SHORTEST:
        count = max(1, math.ceil(2 * length / width) - 1)
        shift = (length - width) / max(1, count - 1) if count > 1 else 0.0
        for number in range(count):
            start, end = math.floor(number * shift), min(length, math.ceil(number * shift + width))
            found.extend((start, split, end) for split in range(start + SHORTEST, end - SHORTEST + 1))
        width /= math.sqrt(2)
    places = np.array(sorted(set(found)), dtype=np.int64).reshape(-1, 3)
    starts, splits, ends = places[:, 0], places[:, 1], places[:, 2]
    left, right = splits - starts, ends - splits
    return starts, splits, ends, np.sqrt(left * right / (left + right)).astype(np.float64)


def _statistics(scores: Floats) -> Floats:
    """The statistic of every interval; ``scores`` has one series per row."""
    start, split, end, weight = _places(scores.shape[-1])
    sums = np.concatenate([np.zeros((*scores.shape[:-1], 1)), np.cumsum(scores, axis=-1)], axis=-1)
    left = (sums[..., split] - sums[..., start]) / (split - start)
    right = (sums[..., end] - sums[..., split]) / (end - split)
    return np.asarray(np.abs(left - right) * weight)


def _best(scores: Floats) -> tuple[float, int]:
    """The largest statistic and its split."""
    found = _statistics(scores)
    at = int(found.argmax())
    return float(found[at]), int(_places(len(scores))[1][at])


@lru_cache(maxsize=256)
def _null(length: int, correlation: float) -> Floats:
    """The statistic of simulated series without a change, ascending."""
    rng = np.random.default_rng((20240717, length, round(correlation * 100)))
    largest: list[Floats] = []
    for _ in range(_SIMULATED // _CHUNK):
        noise = rng.normal(size=(_CHUNK, length))
        series = np.empty_like(noise)
        series[:, 0] = noise[:, 0]
        fresh = math.sqrt(1 - correlation**2)
        for at in range(1, length):
            series[:, at] = correlation * series[:, at - 1] + fresh * noise[:, at]
        order = series.argsort(axis=1)
        scores = np.empty_like(series)
        np.put_along_axis(scores, order, np.broadcast_to(_scores(np.arange(length, dtype=np.float64)), series.shape), 1)
        largest.append(_statistics(scores).max(axis=1))
    return np.sort(np.concatenate(largest))


def _critical(length: int, correlation: float, level: float) -> float:
    """The value that the statistic of a series without a change exceeds with probability ``level``, in (0, 1)."""
    simulated = next(known for known in _LENGTHS if known >= length)
    # Rounded up to a stronger correlation, so that a step may be missed but not invented.
    stronger = next(known for known in _CORRELATIONS if known >= correlation - 1e-9)
    null = _null(simulated, stronger)
    above = math.floor(level * len(null))
    if above >= _COUNTED:
        return float(null[len(null) - above])
    square, excess = _tail(simulated, stronger)
    beyond = math.sqrt(square + excess * math.log(_TAIL / len(null) / level))
    return max(beyond, float(null[len(null) - _COUNTED]))


@lru_cache(maxsize=256)
def _tail(length: int, correlation: float) -> tuple[float, float]:
    """The square of the statistic where the tail begins, and an upper limit of the mean excess of squares there."""
    squares = _null(length, correlation)[-_TAIL - 1 :] ** 2
    return float(squares[0]), float((squares[1:] - squares[0]).mean()) * (1 + _NORMAL_95 / math.sqrt(_TAIL))


def _split(data: Floats, low: int, high: int, correlation: float, level: float) -> list[int]:
    if high - low < 2 * SHORTEST:
        return []
    statistic, at = _best(_scores(data[low:high]))
    if statistic <= _critical(high - low, correlation, level):
        return []
    cut = low + at
    return [*_split(data, low, cut, correlation, level), cut, *_split(data, cut, high, correlation, level)]


def _refined(data: Floats, cuts: list[int], correlation: float, level: float) -> list[int]:
    """Every cut moved to the best place between its neighbours; cuts that fail the test there are dropped."""
    kept = list(cuts)
    for _ in range(3):
        before = list(kept)
        place = 0
        while place < len(kept):
            low = kept[place - 1] if place else 0
            high = kept[place + 1] if place + 1 < len(kept) else len(data)
            statistics = _profile(data[low:high])
            if not len(statistics) or statistics.max() <= _critical(high - low, correlation, level):
                del kept[place]
                continue
            kept[place] = low + SHORTEST + int(statistics.argmax())
            place += 1
        if kept == before:
            break
    return kept


def _profile(part: Floats) -> Floats:
    """The statistic of each split of the whole part, from SHORTEST on."""
    start, split, end, _ = _places(len(part)) if len(part) >= 2 * SHORTEST else (np.empty(0, np.int64),) * 4
    whole = (start == 0) & (end == len(part))
    if not whole.any():
        return np.empty(0)
    return np.asarray(_statistics(_scores(part))[whole][np.argsort(split[whole])])


def _described(data: Floats, cuts: list[int], correlation: float) -> tuple[LevelStep, ...]:
    steps = []
    bounds = [0, *cuts, len(data)]
    slack = _CHI_SQUARE_95 * (1 + correlation) / (1 - correlation)
    for place, cut in enumerate(cuts, start=1):
        low, high = bounds[place - 1], bounds[place + 1]
        profile = _profile(data[low:high])
        likely = np.flatnonzero(profile**2 >= profile.max() ** 2 - slack * _noise(profile, high - low))
        earliest, latest = (low + SHORTEST + int(edge) for edge in (likely.min(), likely.max()))
        before, after = median(data[low:cut].tolist()), median(data[cut:high].tolist())
        steps.append(LevelStep(cut, min(earliest, cut), max(latest, cut), before, after))
    return tuple(steps)


def _noise(profile: Floats, length: int) -> float:
    """The variance of the scores that the step does not explain; scores have variance 1."""
    return max(0.0, 1 - float(profile.max()) ** 2 / length)
