"""Effects: how far each role moves an answer, by the simulator itself, and which share of what is open is whose.

One draw near the middle is taken. Each number is moved there to its 10 % and its 90 % point while all others stay, and
the answer is simulated. This gives each role an effect in every draw: its curve through the three answers. How much of
what is open these effects explain, ``bench.sim.answer.shares`` tells. The rest belongs to several parameters together.

A regression of the answers on the parameters would need no further runs. It was given up: where the data tie two
parameters to each other it gives one of them a sign that the simulator contradicts, and few draws give every one of
them a share by chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.roles import Member, Role
from bench.sim.answer.shares import shares_of
from bench.sim.model.draws import weighted_median, weighted_quantile, weighted_sd
from bench.sim.model.file import Model

Floats = NDArray[np.float64]

AnswerOf = Callable[[Model, int], float]
"""The answer at one draw of a model, without noise."""

_ENDS: Final = (0.1, 0.9)
"""Where a number is low, and where it is high."""
_NEAR: Final = (0.4, 0.6)
"""The draw that others are compared with has an answer between these quantiles."""
_RARE: Final = 0.05
"""A way in which fewer draws hold the lock is not looked at."""
_INSIDE: Final = 0.05
"""The middle of a curve is used where it is farther from both ends than this part of their distance."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """The scale on which effects add up: the logarithm, where all answers are above 0; else the answers themselves."""

    logs: bool

    def of(self, value: float) -> float:
        """An answer on the scale."""
        return math.log(value) if self.logs else value

    def moved(self, answer: float, effect: float) -> float:
        """An answer with an effect."""
        return answer * math.exp(effect) if self.logs else answer + effect


@dataclass(frozen=True, kw_only=True, eq=False)
class Effect:
    """How far a role moves an answer."""

    role: Role
    sizes: tuple[float, ...]
    """For each member of the role, the standard deviation of its own effect."""
    curve: Floats
    """(draws,) The effect in each draw, on the scale; 0 in the draw that is compared with."""
    low: float
    """The answer where the role is low, all else as in the draw that is compared with."""
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Effects:
    """What moves an answer."""

    effects: tuple[Effect, ...]
    shares: tuple[float, ...]
    """For each of them, of what is open in the parameters."""
    together: float
    """The share that no role explains by itself. All of them are 1, or 0 where all draws have one answer."""
    base: int
    """Place of the draw that others are compared with."""


def effects_of(
    model: Model, roles: Sequence[Role], draws: Sequence[int], answers: Floats, weights: Floats, answer_of: AnswerOf
) -> Effects:
    """The effects of some roles, from two further runs for each of their numbers, or one for each way.

    Args:
        draws: of the model.
        answers: (draws,)
        weights: (draws,)
    """
    base = _base(roles, answers, weights)
    answer = float(answers[base])

    def seen_of(member: Member) -> dict[float, float]:
        here = float(member.values[base])
        points = _points(member, weights, here)
        return {here: answer} | {
            point: float(answer_of(member.moved(model, draws[base], point), draws[base]))
            for point in points
            if point != here
        }

    seen = [[seen_of(member) for member in role.members] for role in roles]
    every = [*answers.tolist(), *(value for some in seen for one in some for value in one.values())]
    scale = Scale(logs=min(every) > 0)
    found = tuple(_effect(role, some, base, answer, weights, scale) for role, some in zip(roles, seen, strict=True))
    scaled = np.array([scale.of(float(value)) for value in answers])
    shares, together = shares_of([one.curve for one in found], scaled, weights)
    return Effects(effects=found, shares=tuple(shares), together=together, base=base)


def _base(roles: Sequence[Role], answers: Floats, weights: Floats) -> int:
    """Place of a draw whose answer is near the middle and whose parameters are, too."""
    low, high = (weighted_quantile(answers, weights, share) for share in _NEAR)
    far = np.zeros(len(answers))
    for one in (member for role in roles for member in role.members):
        if one.ways:
            far += one.values != _commonest(one.values, weights)
        else:
            middle = weighted_median(one.values, weights)
            far += ((one.values - middle) / max(weighted_sd(one.values, weights), np.finfo(np.float64).tiny)) ** 2
    far[(answers < low) | (answers > high)] = np.inf
    return int(np.argmin(far))


def _weights_of(values: Floats, weights: Floats) -> dict[float, float]:
    """The share of the draws that have each way; not of those that have none."""
    return {float(way): float(weights[values == way].sum() / weights.sum()) for way in np.unique(values) if way >= 0}


def _commonest(values: Floats, weights: Floats) -> float:
    found = _weights_of(values, weights)
    return max(found, key=lambda way: found[way])


def _points(member: Member, weights: Floats, here: float) -> list[float]:
    """Values at which a number is looked at: where it is low and high, or the ways that are not rare.

    Its value in the draw that is compared with lies between. A number that nearly all draws have at one value has its
    ends where it is least and where it is largest.
    """
    if member.ways:
        # A draw without any has none to be changed.
        return (
            [way for way, share in _weights_of(member.values, weights).items() if share >= _RARE] if here >= 0 else []
        )
    low, high = (weighted_quantile(member.values, weights, share) for share in _ENDS)
    if low == high:
        low, high = float(member.values.min()), float(member.values.max())
    return [min(low, here), max(high, here)]


def _effect(
    role: Role, seen: Sequence[Mapping[float, float]], base: int, answer: float, weights: Floats, scale: Scale
) -> Effect:
    curves = [
        _curve(member, {point: scale.of(value) for point, value in found.items()}, base)
        for member, found in zip(role.members, seen, strict=True)
    ]
    curve: Floats = np.sum(curves, axis=0)
    if len(role.members) > 1:
        # Numbers of different units have no common value: low is where both together move the answer least.
        low, high = (scale.moved(answer, weighted_quantile(curve, weights, share)) for share in _ENDS)
        low, high = min(low, answer), max(high, answer)
    elif role.members[0].ways:
        low, high = min(seen[0].values()), max(seen[0].values())
    else:
        low, high = _of_one(role.members[0].values, curve, seen[0], base, answer, weights, scale)
    return Effect(role=role, sizes=tuple(weighted_sd(one, weights) for one in curves), curve=curve, low=low, high=high)


def _of_one(
    values: Floats,
    curve: Floats,
    seen: Mapping[float, float],
    base: int,
    answer: float,
    weights: Floats,
    scale: Scale,
) -> tuple[float, float]:
    """The answers where one number is low and where it is high; the draw that is compared with lies between.

    Args:
        seen: answers that were simulated, by the value of the number.
    """
    order = np.argsort(values, kind="stable")
    here = float(values[base])
    low, high = (weighted_quantile(values, weights, share) for share in _ENDS)
    points = (min(low, here), max(high, here))
    found = [
        seen[point] if point in seen else scale.moved(answer, float(np.interp(point, values[order], curve[order])))
        for point in points
    ]
    return found[0], found[1]


def _curve(member: Member, seen: Mapping[float, float], base: int) -> Floats:
    """(draws,) The effect of a number: lines through the answers that were simulated; of a way its own answer.

    Beyond its ends a number goes on as the line between them. Rare ways and none have no effect.

    Args:
        seen: answers on the scale, by value; that of the draw that is compared with is among them.
    """
    values, here = member.values, float(member.values[base])
    if member.ways:
        return np.array([seen.get(float(way), seen[here]) - seen[here] for way in values])
    low, high = min(seen), max(seen)
    span = high - low
    slope = (seen[high] - seen[low]) / span
    inside = low + _INSIDE * span < here < high - _INSIDE * span
    at = [low, here, high] if inside else [low, high]
    beyond = slope * (np.minimum(values - low, 0.0) + np.maximum(values - high, 0.0))
    found = np.interp(values, at, [seen[point] for point in at]) + beyond
    return np.asarray(found - found[base], dtype=np.float64)
