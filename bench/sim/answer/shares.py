"""Shares: how much of what an answer leaves open each of several effects explains.

An effect explains as much of the answers' variance as a straight line in it does. Effects that go together explain some
of it twice, so each one's share is the mean of what it adds to those that are there already, over all orders in which
they may come (Lindeman, Merenda and Gold 1980; a Shapley value). No share is below 0, and together they are what all
effects explain.

The slope of each line is at least 0 and at most 2. Effects come from the simulator: one that goes against the answers,
because the data tie its cause to another one, has the right sign and explains nothing by itself; and one that hardly
moves the answer cannot stand in for what moves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEEPEST: Final = 2.0
"""The largest slope: the effect that the simulator has in the middle is right within this factor."""
_MOST: Final = 10
"""Effects that are looked at in all orders; of more, those that go with the answers most."""
_SWEEPS: Final = 200
_FIXED: Final = 1e-9
"""Answers whose standard deviation is a smaller part of their size are equal."""


def shares_of(effects: Sequence[Floats], answers: Floats, weights: Floats) -> tuple[list[float], float]:
    """The share of each effect in the variance of the answers, and what all of them leave.

    They are 1 together; all are 0 where the answers are equal.

    Args:
        effects: (draws,) each.
        answers: (draws,)
        weights: (draws,) at least 0, not all 0.
    """
    mass = weights / weights.sum()
    aim = answers - answers @ mass
    variance = float(aim @ (mass * aim))
    if not variance > (_FIXED * max(1.0, float(np.abs(answers).max()))) ** 2:
        return [0.0] * len(effects), 0.0
    centred = np.array([one - one @ mass for one in effects]).reshape(len(effects), len(answers))
    common = centred @ (mass * aim)
    own = np.einsum("ij,ij,j->i", centred, centred, mass)
    best = [int(place) for place in np.argsort(-common, kind="stable") if own[place] > 0][:_MOST]
    found = [0.0] * len(effects)
    if best:
        chosen = centred[best]
        parts = _mean_gains(_explained((chosen * mass) @ chosen.T, common[best]) / variance)
        for place, part in zip(best, parts.tolist(), strict=True):
            found[place] = part
    return found, max(0.0, 1.0 - sum(found))


def _explained(own: Floats, common: Floats) -> Floats:
    """(2 ** effects,) The variance that each set of effects explains, by the bits of its number.

    Args:
        own: (effects, effects) covariances of the effects.
        common: (effects,) their covariances with the answers.
    """
    count = len(common)
    sets = np.arange(1 << count)
    there = (sets[:, np.newaxis] >> np.arange(count)) & 1
    slopes = there.astype(np.float64)
    for _ in range(_SWEEPS):
        for one in range(count):
            others = slopes @ own[:, one] - slopes[:, one] * own[one, one]
            slopes[:, one] = there[:, one] * np.clip((common[one] - others) / own[one, one], 0.0, _STEEPEST)
    found: Floats = 2 * slopes @ common - np.einsum("si,ij,sj->s", slopes, own, slopes)
    return np.maximum(found, 0.0)


def _mean_gains(explained: Floats) -> Floats:
    """(effects,) What each effect adds, over all orders in which they may come."""
    count = int(len(explained) - 1).bit_length()
    sets = np.arange(len(explained))
    sizes = np.array([int(one).bit_count() for one in sets])
    chance = np.array([factorial(size) * factorial(max(0, count - size - 1)) / factorial(count) for size in sizes])
    found = []
    for one in range(count):
        without = sets[(sets >> one) & 1 == 0]
        gains = np.maximum(0.0, explained[without | (1 << one)] - explained[without])
        found.append(float(chance[without] @ gains))
    return np.array(found)
