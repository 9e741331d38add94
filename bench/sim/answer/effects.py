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
    """The effects of some roles, from at most two further runs for each of their numbers.

    Args:
        draws: of the model.
        answers: (draws,)
        weights: (draws,)
    """
    base = _base(roles, answers, weights)
    ends = [[_ends(one.values, weights, base) for one in role.members] for role in roles]
    runs = [
        [
            _run(model, member, draws[base], pair, float(member.values[base]), float(answers[base]), answer_of)
            for member, pair in zip(role.members, pairs, strict=True)
        ]
        for role, pairs in zip(roles, ends, strict=True)
    ]
    seen = [*answers.tolist(), *(value for some in runs for pair in some for value in pair)]
    scale = Scale(logs=min(seen) > 0)
    found = tuple(
        _effect(role, pairs, some, base, float(answers[base]), weights, scale)
        for role, pairs, some in zip(roles, ends, runs, strict=True)
    )
    scaled = np.array([scale.of(float(value)) for value in answers])
    shares, together = shares_of([one.curve for one in found], scaled, weights)
    return Effects(effects=found, shares=tuple(shares), together=together, base=base)


def _base(roles: Sequence[Role], answers: Floats, weights: Floats) -> int:
    """Place of a draw whose answer is near the middle and whose parameters are, too."""
    low, high = (weighted_quantile(answers, weights, share) for share in _NEAR)
    far = np.zeros(len(answers))
    for role in roles:
        for one in role.members:
            middle = weighted_median(one.values, weights)
            far += ((one.values - middle) / max(weighted_sd(one.values, weights), np.finfo(np.float64).tiny)) ** 2
    far[(answers < low) | (answers > high)] = np.inf
    return int(np.argmin(far))


def _ends(values: Floats, weights: Floats, base: int) -> tuple[float, float]:
    """Where a number is low and where it is high; its value in the draw that is compared with lies between.

    A number that nearly all draws have at one value has its ends where it is least and where it is largest.
    """
    low, high = (weighted_quantile(values, weights, share) for share in _ENDS)
    if low == high:
        low, high = float(values.min()), float(values.max())
    here = float(values[base])
    return min(low, here), max(high, here)


def _run(
    model: Model,
    member: Member,
    draw: int,
    ends: tuple[float, float],
    here: float,
    answer: float,
    answer_of: AnswerOf,
) -> tuple[float, float]:
    """The answers with a number at its ends. Where it is there already, the answer is known."""
    low, high = (answer if end == here else float(answer_of(member.moved(model, draw, end), draw)) for end in ends)
    return low, high


def _effect(
    role: Role,
    ends: Sequence[tuple[float, float]],
    runs: Sequence[tuple[float, float]],
    base: int,
    answer: float,
    weights: Floats,
    scale: Scale,
) -> Effect:
    curves = [
        _curve(member.values, pair, (scale.of(found[0]), scale.of(found[1])), base, scale.of(answer))
        for member, pair, found in zip(role.members, ends, runs, strict=True)
    ]
    curve: Floats = np.sum(curves, axis=0)
    if len(role.members) == 1:
        seen = {ends[0][0]: runs[0][0], ends[0][1]: runs[0][1]}
        low, high = _of_one(role.members[0].values, curve, seen, base, answer, weights, scale)
    else:
        # Numbers of different units have no common value: low is where both together move the answer least.
        low, high = (scale.moved(answer, weighted_quantile(curve, weights, share)) for share in _ENDS)
        low, high = min(low, answer), max(high, answer)
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
    found = []
    for point in (min(low, here), max(high, here)):
        if point == here:
            found.append(answer)
        elif point in seen:
            found.append(seen[point])
        else:
            found.append(scale.moved(answer, float(np.interp(point, values[order], curve[order]))))
    return found[0], found[1]


def _curve(values: Floats, ends: tuple[float, float], answers: tuple[float, float], base: int, answer: float) -> Floats:
    """(draws,) The effect of a number: lines through the answers at its ends and in the draw that is compared with.

    Beyond its ends a number goes on as the line between them.
    """
    low, high = ends
    here, span = float(values[base]), high - low
    slope = (answers[1] - answers[0]) / span
    inside = low + _INSIDE * span < here < high - _INSIDE * span
    at, to = ([low, here, high], [answers[0], answer, answers[1]]) if inside else ([low, high], list(answers))
    beyond = slope * (np.minimum(values - low, 0.0) + np.maximum(values - high, 0.0))
    found: Floats = np.interp(values, at, to) + beyond
    return np.asarray(found - found[base], dtype=np.float64)
