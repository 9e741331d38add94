"""Influences: which parameter is responsible for what an answer leaves open, and how much the data narrowed it.

The answer is simulated without noise at each joint draw of the model. A linear regression of it on the parameters gives
each of them a slope, and the covariance of slope times parameter with the answer gives its share (Xu & Gertner 2008).
Only draws are used, never a mixture of them: where the data say that the lock is held in one stage or in another, no
answer has both holds or none. Parameters that the data tie together, so that one rises where the other falls, are not
counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Influence
from bench.sim.answer.words import identifying_cell, in_unit, role_label, role_of
from bench.sim.model.draws import weighted_median, weighted_quantile, weighted_sd
from bench.sim.model.file import Model, Parameter

Floats = NDArray[np.float64]

DOMINANT: Final = 0.3
"""The kind of parameter with the largest share decides an answer when its share is at least this."""
_NARROWED: Final = 0.5
"""A deciding parameter that the data narrowed by less makes the answer a bound."""
_MATTERS: Final = 0.1
"""A parameter that moves the answer by less than this between its low and its high fifth makes no bound."""
_NAMED: Final = 0.05
"""Parameters with a smaller share are not worth measuring."""
_FIFTH: Final = 0.2
_RIDGE: Final = 1e-3
"""Of the regression, in variances of a parameter: two parameters whose sum is fixed share the slope."""
_STATED: Final = (0.5, 2.0)
"""A parameter without draws is shown at half and at twice its value."""

AnswerOf = Callable[[Model, int], float]
"""The answer at one draw of a model, without noise: the first quantity."""


def influences(
    model: Model, targets: Sequence[str], draws: Sequence[int], answer_of: AnswerOf, *, answer: str = ""
) -> tuple[Influence, ...]:
    """The parameters of these targets that one answer depends on, the largest share first, then those without draws.

    Args:
        draws: of the model, that are used.
        answer: the target of the answer's quantities, where it is not the parameters' own.
    """
    answers = np.array([answer_of(model, draw) for draw in draws])
    weights = np.asarray(model.weights)[list(draws)]
    names = [(target, name) for target in targets for name in model.targets[target].parameters]
    drawn = [(target, name, values) for target, name in names if (values := _draws(model, target, name, draws))]
    varying = [(target, name, np.asarray(values)) for target, name, values in drawn if min(values) < max(values)]
    shares = _shares(np.array([values for _, _, values in varying]), answers, weights) if varying else []
    found = [
        Influence(
            target=target,
            parameter=name,
            kind=model.targets[target].parameters[name].kind,
            share=share,
            narrowed=narrowed(model, target, (name,)),
            low=weighted_median(answers[low], weights[low]),
            high=weighted_median(answers[high], weights[high]),
            answer="" if answer == target else answer,
        )
        for (target, name, values), share in zip(varying, shares, strict=True)
        for low, high in [_fifths(values, weights)]
    ]
    middle = draws[int(np.argmin(np.abs(answers - weighted_median(answers, weights))))]
    found += [
        one for target, name in names if (one := _stated(model, target, name, middle, answer_of, answer)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (-one.share, one.target, one.parameter)))


def narrowed(model: Model, target: str, names: Sequence[str]) -> float:
    """How much the data narrowed the sum of some parameters, in [0, 1]: 1 - sd after / sd before them.

    1 where all are read off; 0 where a user stated one.
    """
    parameters = [model.targets[target].parameters[name] for name in names]
    if any(parameter.kind == "assumed" for parameter in parameters):
        return 0.0
    # Before the data the parameters were independent.
    before = float(np.sqrt(sum((parameter.prior_sd or 0.0) ** 2 for parameter in parameters)))
    if all(parameter.prior_sd is None for parameter in parameters):
        return 1.0
    values = _sum_of(model, target, names)
    return min(1.0, max(0.0, 1 - weighted_sd(values, model.weights) / before)) if before > 0 else 0.0


def with_value(model: Model, target: str, name: str, value: float) -> Model:
    """The model with another value of one parameter, also in its draws."""
    entry = model.targets[target]
    parameters = entry.parameters | {name: entry.parameters[name].model_copy(update={"value": value})}
    draws = model.draws.get(target, {}) | {name: (value,) * len(model.weights)}
    return model.model_copy(
        update={
            "targets": model.targets | {target: entry.model_copy(update={"parameters": parameters})},
            "draws": model.draws | {target: draws},
        }
    )


@dataclass(frozen=True, kw_only=True)
class Deciding:
    """The kind of parameter that decides an answer: one parameter, or the same of several stages."""

    target: str
    role: str
    names: tuple[str, ...]
    share: float
    narrowed: float


def deciding(model: Model, found: Sequence[Influence]) -> Deciding | None:
    """What decides an answer; None when nothing does by itself. Holds of several stages count as one, and so on."""
    groups: dict[tuple[str, str], list[Influence]] = {}
    for one in found:
        groups.setdefault((one.target, role_of(one.parameter)), []).append(one)
    best = max(groups.items(), key=lambda item: sum(one.share for one in item[1]), default=None)
    if best is None:
        return None
    (target, role), members = best
    names = tuple(one.parameter for one in members)
    share = sum(one.share for one in members)
    if share < DOMINANT:
        return None
    return Deciding(target=target, role=role, names=names, share=share, narrowed=narrowed(model, target, names))


def bound_sentence(model: Model, found: Sequence[Influence], band: Band, unit: str) -> str | None:
    """Why an answer is a bound and no estimate; None when it is an estimate."""
    first = deciding(model, found)
    if first is None or first.narrowed >= _NARROWED:
        return None
    if not any(_moves(one) for one in found if one.target == first.target and one.parameter in first.names):
        return None
    kinds = {model.targets[first.target].parameters[name].kind for name in first.names}
    known = (
        f"of which the data give an upper limit of {_upper_limit(model, first)}"
        if "limit" in kinds
        else f"which the data narrowed by {first.narrowed:.0%} only"
    )
    return (
        f"at least {in_unit(band.low95, unit)}, at most {in_unit(band.high95, unit)}: decided by the "
        f"{role_label(first.role)} of {first.target}, {known}"
    )


def identify_sentences(model: Model, found: Sequence[Influence]) -> tuple[str, ...]:
    """Which cells would narrow what decides an answer, one sentence for each kind of parameter that is worth it."""
    first = deciding(model, found)
    chosen: dict[tuple[str, str], list[Influence]] = {}
    for one in found:
        weak = one.share >= _NAMED and one.kind == "limit" and one.narrowed < _NARROWED
        mine = first is not None and (one.target, role_of(one.parameter)) == (first.target, first.role)
        if _moves(one) and (weak or mine):
            chosen.setdefault((one.target, role_of(one.parameter)), []).append(one)
    return tuple(_identify(model, target, role, members) for (target, role), members in chosen.items())


def _identify(model: Model, target: str, role: str, members: Sequence[Influence]) -> str:
    parameters = [model.targets[target].parameters[one.parameter] for one in members]
    if any(parameter.kind == "assumed" for parameter in parameters):
        known = "has no data"
    elif all(parameter.prior_sd is None for parameter in parameters):
        known = "was read off"
    else:
        known = f"was narrowed by {narrowed(model, target, [one.parameter for one in members]):.0%}"
    share = sum(one.share for one in members)
    return (
        f"{target}: the {role_label(role)} decides {share:.0%} of what is open and {known}; measure "
        f"{identifying_cell(members[0].parameter, model.targets[target].measured)}"
    )


def _moves(one: Influence) -> bool:
    low, high = sorted((one.low, one.high))
    return high - low > _MATTERS * max(abs(low), abs(high))


def _upper_limit(model: Model, first: Deciding) -> str:
    unit = model.targets[first.target].parameters[first.names[0]].unit
    return in_unit(weighted_quantile(_sum_of(model, first.target, first.names), model.weights, 0.95), unit)


def _sum_of(model: Model, target: str, names: Sequence[str]) -> Floats:
    """(draws,) Of all draws."""
    total = np.zeros(len(model.weights))
    for name in names:
        values = model.draws.get(target, {}).get(name)
        total = total + (model.targets[target].parameters[name].value if values is None else np.asarray(values))
    return total


def _draws(model: Model, target: str, name: str, draws: Sequence[int]) -> list[float]:
    values = model.draws.get(target, {}).get(name)
    if values is None or model.targets[target].parameters[name].kind == "assumed":
        return []
    return [values[draw] for draw in draws]


def _fifths(values: Floats, weights: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which draws have the parameter in its lowest and in its highest fifth."""
    low, high = (weighted_quantile(values, weights, share) for share in (_FIFTH, 1 - _FIFTH))
    return values <= low, values >= high


def _stated(model: Model, target: str, name: str, draw: int, answer_of: AnswerOf, answer: str) -> Influence | None:
    """A parameter without data: the answer at half and at twice its value; None when the answer does not change."""
    parameter: Parameter = model.targets[target].parameters[name]
    if parameter.kind != "assumed" or parameter.value == 0:
        return None
    low, high = (answer_of(with_value(model, target, name, factor * parameter.value), draw) for factor in _STATED)
    if low == high:
        return None
    return Influence(
        target=target,
        parameter=name,
        kind="assumed",
        share=0.0,
        narrowed=0.0,
        low=low,
        high=high,
        answer="" if answer == target else answer,
    )


def _shares(values: Floats, answers: Floats, weights: Floats) -> list[float]:
    """Shares of the parameters in the variance of the answer, at least 0 each, 1 together; all 0 when it is fixed.

    Args:
        values: (parameters, draws)
        answers: (draws,)
    """
    mass = weights / weights.sum()
    centred = values - (values @ mass)[:, np.newaxis]
    scaled = centred / np.sqrt(np.maximum(centred**2 @ mass, np.finfo(np.float64).tiny))[:, np.newaxis]
    aim = answers - answers @ mass
    covariance = scaled @ (mass * aim)
    if not aim @ (mass * aim) > 0:
        return [0.0] * len(values)
    within = (scaled * mass) @ scaled.T + _RIDGE * np.eye(len(values))
    parts = np.maximum(0.0, np.linalg.solve(within, covariance) * covariance)
    total = float(parts.sum())
    return [float(part) / total if total > 0 else 0.0 for part in parts]
