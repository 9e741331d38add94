"""Influences: which parameter is responsible for what an answer leaves open, and how much the data narrowed it.

Each parameter is set to its own 10th and 90th percentile while the others stay at their centre. That gives one slope
below the centre and one above, and so an additive approximation of the answer. Over the model's joint draws the share
of a parameter is the covariance of its term with the whole approximation (Xu & Gertner 2008): parameters that the data
tie together, so that one rises where the other falls, are not counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Influence
from bench.sim.answer.bands import quantiles
from bench.sim.answer.words import identifying_cell, in_unit, parameter_label
from bench.sim.model.draws import weighted_sd
from bench.sim.model.file import Model, Parameter

DOMINANT: Final = 0.3
"""The parameter with the largest share decides an answer when its share is at least this."""
_NARROWED: Final = 0.5
"""A deciding parameter that the data narrowed by less makes the answer a bound."""
_MATTERS: Final = 0.1
"""A parameter that moves the answer by less than this between its 10th and 90th percentile makes no bound."""
_NAMED: Final = 0.05
"""Parameters with a smaller share are not worth measuring."""
_STATED: Final = (0.5, 2.0)
"""A parameter that a user stated has no draws. It is shown at half and at twice its value."""

AnswerOf = Callable[[Model], float]
"""The answer at the model's centre, without noise: the first quantity."""


@dataclass(frozen=True)
class _Swing:
    """The answer at two values of one parameter."""

    target: str
    name: str
    at: tuple[float, float]
    low: float
    high: float


def influences(model: Model, targets: Sequence[str], answer_of: AnswerOf, *, answer: str = "") -> tuple[Influence, ...]:
    """The parameters of these targets that move one answer, the largest share first, then those without draws.

    Args:
        answer: the target of the answer's quantities, where it is not the parameters' own.
    """
    centre = answer_of(model)
    weights = np.asarray(model.weights)
    swings = [
        swing
        for target in targets
        for name in model.targets[target].parameters
        if (swing := _swing(model, target, name, answer_of)) is not None and not swing.low == swing.high == centre
    ]
    terms = [_term(model, swing, centre) for swing in swings]
    shares = _shares(np.array(terms), weights) if terms else []
    found = [_influence(model, swing, share, answer) for swing, share in zip(swings, shares, strict=True)]
    return tuple(sorted(found, key=lambda one: (-one.share, one.target, one.parameter)))


def _influence(model: Model, swing: _Swing, share: float, answer: str) -> Influence:
    parameter = model.targets[swing.target].parameters[swing.name]
    draws = model.draws.get(swing.target, {}).get(swing.name)
    return Influence(
        target=swing.target,
        parameter=swing.name,
        kind=parameter.kind,
        share=share,
        narrowed=narrowed(parameter, draws, np.asarray(model.weights)),
        low=swing.low,
        high=swing.high,
        answer="" if answer == swing.target else answer,
    )


def narrowed(parameter: Parameter, draws: tuple[float, ...] | None, weights: NDArray[np.float64]) -> float:
    """How much the data narrowed a parameter, in [0, 1]: 1 - sd after / sd before them.

    1 for a parameter that is read off; 0 for one that a user stated.
    """
    if parameter.kind == "assumed":
        return 0.0
    if parameter.prior_sd is None or draws is None:
        return 1.0
    if parameter.prior_sd <= 0:
        return 0.0
    return min(1.0, max(0.0, 1 - weighted_sd(draws, weights) / parameter.prior_sd))


def with_value(model: Model, target: str, name: str, value: float) -> Model:
    """The model with another value of one parameter at its centre."""
    entry = model.targets[target]
    parameters = entry.parameters | {name: entry.parameters[name].model_copy(update={"value": value})}
    return model.model_copy(
        update={"targets": model.targets | {target: entry.model_copy(update={"parameters": parameters})}}
    )


def deciding(found: tuple[Influence, ...]) -> Influence | None:
    """The parameter that decides an answer; None when no single one does."""
    first = max(found, key=lambda one: one.share, default=None)
    return first if first is not None and first.share >= DOMINANT else None


def bound_sentence(model: Model, found: tuple[Influence, ...], band: Band, unit: str) -> str | None:
    """Why an answer is a bound and no estimate; None when it is an estimate."""
    first = deciding(found)
    if first is None or first.narrowed >= _NARROWED or not _moves(first):
        return None
    parameter = model.targets[first.target].parameters[first.parameter]
    known = (
        f"of which the data give an upper limit of {_upper_limit(model, first, parameter)}"
        if parameter.kind == "limit"
        else f"which the data narrowed by {first.narrowed:.0%} only"
    )
    return (
        f"at least {in_unit(band.low95, unit)}, at most {in_unit(band.high95, unit)}: decided by the "
        f"{parameter_label(first.parameter)} of {first.target}, {known}"
    )


def identify_sentences(model: Model, found: tuple[Influence, ...]) -> tuple[str, ...]:
    """Which cells would narrow what decides an answer: its deciding parameter, and all that the data only bound."""
    first = deciding(found)
    chosen = [
        one
        for one in found
        if _moves(one) and (one is first or (one.share >= _NAMED and one.kind == "limit" and one.narrowed < _NARROWED))
    ]
    return tuple(_identify(model, one) for one in chosen)


def _identify(model: Model, one: Influence) -> str:
    parameter = model.targets[one.target].parameters[one.parameter]
    if parameter.kind == "assumed":
        known = "was stated by you"
    elif parameter.prior_sd is None:
        known = "was read off"
    else:
        known = f"was narrowed by {one.narrowed:.0%}"
    return (
        f"{one.target}: the {parameter_label(one.parameter)} decides {one.share:.0%} of what is open and {known}; "
        f"measure {identifying_cell(one.parameter)}"
    )


def _moves(one: Influence) -> bool:
    low, high = sorted((one.low, one.high))
    return high - low > _MATTERS * max(abs(low), abs(high))


def _upper_limit(model: Model, one: Influence, parameter: Parameter) -> str:
    draws = model.draws.get(one.target, {}).get(one.parameter)
    if draws is None:
        return in_unit(parameter.value, parameter.unit)
    (limit,) = quantiles(np.asarray(draws), np.asarray(model.weights), (0.95,))
    return in_unit(limit, parameter.unit)


def _swing(model: Model, target: str, name: str, answer_of: AnswerOf) -> _Swing | None:
    """The answer at a low and at a high value of a parameter; None when it has only one value."""
    parameter = model.targets[target].parameters[name]
    draws = model.draws.get(target, {}).get(name)
    if parameter.kind == "assumed" or draws is None:
        at = (_STATED[0] * parameter.value, _STATED[1] * parameter.value)
    else:
        low, high = quantiles(np.asarray(draws), np.asarray(model.weights), (0.1, 0.9))
        at = (low, high)
    if at[0] == at[1]:
        return None
    answers = [answer_of(with_value(model, target, name, value)) for value in at]
    return _Swing(target, name, at, answers[0], answers[1])


def _term(model: Model, swing: _Swing, centre: float) -> NDArray[np.float64]:
    """The parameter's term of the additive approximation at each draw: two straight lines that meet at the centre."""
    parameter = model.targets[swing.target].parameters[swing.name]
    draws = model.draws.get(swing.target, {}).get(swing.name)
    if draws is None or parameter.kind == "assumed":
        return np.zeros(len(model.weights))
    moved = np.asarray(draws) - parameter.value
    below, above = parameter.value - swing.at[0], swing.at[1] - parameter.value
    down = (centre - swing.low) / below if below > 0 else 0.0
    up = (swing.high - centre) / above if above > 0 else 0.0
    return np.where(moved < 0, down * moved, up * moved)


def _shares(terms: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """Shares of the variance of the terms' sum, at least 0 each, 1 together; all 0 when it does not vary.

    Args:
        terms: (parameters, draws)
    """
    centred = terms - (terms @ weights / weights.sum())[:, np.newaxis]
    with_sum = np.maximum(0.0, (centred * centred.sum(axis=0)) @ weights)
    total = float(with_sum.sum())
    return [float(one) / total if total > 0 else 0.0 for one in with_sum]
