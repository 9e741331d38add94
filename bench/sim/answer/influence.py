"""Influences: what is responsible for what an answer leaves open, and how much the data narrowed it.

The answer is simulated without noise at each joint draw of the model. A linear regression of it on the parameters gives
each of them a slope, and the covariance of slope times parameter with the answer gives its share (Xu & Gertner 2008).
Only draws are used, never a mixture of them: where the data say that the lock is held in one stage or in another, no
answer has both holds or none. Parameters that the data tie together, so that one rises where the other falls, are not
counted twice. Where the answer's samples are given, shares are of all that is open, and what is not open in the
parameters (noise, misfit, errors beyond the data) stands among them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Influence
from bench.sim.answer.form import FORM, seen_cpus
from bench.sim.answer.humps import Humps, find_humps
from bench.sim.answer.rest import Rest, parts_of
from bench.sim.answer.words import NOISE, REST, count_text, identifying_cell, in_unit, role_label, role_of
from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_median, weighted_quantile, weighted_sd
from bench.sim.model.file import Model

Floats = NDArray[np.float64]

DOMINANT: Final = 0.3
"""The kind of parameter with the largest share decides an answer when its share is at least this."""
_NARROWED: Final = 0.5
"""A deciding parameter that the data narrowed by less makes the answer a bound."""
_MATTERS: Final = 0.1
"""What moves the answer by less than this makes no bound and is not worth measuring."""
NAMED: Final = 0.1
"""Kinds of parameters with a smaller share are not worth measuring."""
_MOSTLY: Final = 0.5
"""Noise with at least this share is told: more data do not make a single run surer."""
_FIFTH: Final = 0.2
_RIDGE: Final = 1e-3
"""Of the regression, in variances of a parameter: two parameters whose sum is fixed share the slope."""
_OF_NOISE: Final = ("block_sd", "block_correlation", "box_sd")
_STATED: Final = (0.5, 2.0)
"""A parameter without draws is shown at half and at twice its value."""

AnswerOf = Callable[[Model, int], float]
"""The answer at one draw of a model, without noise: the first quantity."""


@dataclass(frozen=True, kw_only=True)
class Varying:
    """One number that differs from draw to draw."""

    target: str
    parameter: str
    kind: Kind
    narrowed: float
    values: Floats
    """(draws,)"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What an answer depends on."""

    influences: tuple[Influence, ...]
    humps: Humps | None
    draws: tuple[int, ...]
    """Of the model, that it was made from; the groups of ``humps`` are of them."""


def influences(
    model: Model, targets: Sequence[str], draws: Sequence[int], answer_of: AnswerOf, *, answer: str = ""
) -> tuple[Influence, ...]:
    """The parameters of these targets that one answer depends on; see ``look_into``. Shares are of theirs alone."""
    return look_into(model, targets, draws, answer_of, answer=answer).influences


def look_into(
    model: Model,
    targets: Sequence[str],
    draws: Sequence[int],
    answer_of: AnswerOf,
    *,
    answer: str = "",
    rest: Rest | None = None,
    more: Iterable[Varying] = (),
    shown: Callable[[float], float] = float,
    about: Literal["times", "memory", "both"] = "both",
) -> Look:
    """What one answer depends on, the largest share first, then parameters without draws.

    Args:
        draws: of the model, that are used.
        answer: the target of the answer's quantities, where it is not the parameters' own.
        rest: what else is open in the answer; None: shares are of what is open in the parameters.
        more: numbers beside the model's parameters that differ from draw to draw.
        shown: from an answer to the number that the reader gets: whole boxes of a quotient.
        about: what the answer is made of. Parameters of anything else cannot move it, and few draws would give them a
            share by chance, as they would to parameters of the noise that answers here do not have.
    """
    answers = np.array([answer_of(model, draw) for draw in draws])
    weights = np.asarray(model.weights, dtype=np.float64)[list(draws)]
    middle = weighted_median(answers, weights)
    parts = None if rest is None else parts_of(rest, answers, weights)
    varying = [*(one for one in _varying(model, targets, draws) if _moves_it(one.parameter, about)), *more]
    nearest = draws[int(np.argmin(np.abs(answers - middle)))]
    found = [
        *_bars(varying, answers, weights, whole=1.0 if parts is None else parts.parameters),
        *(() if parts is None else parts.rows(answer or targets[0], middle)),
        *_stated(model, targets, nearest, answer_of),
    ]
    read = [
        one.model_copy(
            update={
                "low": shown(one.low),
                "high": shown(one.high),
                "middle": shown(middle),
                "answer": "" if one.target == answer else answer,
            }
        )
        for one in found
    ]
    ranked = sorted(read, key=lambda one: (-one.share, one.target, one.parameter))
    return Look(influences=tuple(ranked), humps=find_humps(answers, weights), draws=tuple(draws))


def narrowed(model: Model, target: str, names: Sequence[str]) -> float:
    """How much the data narrowed the sum of some parameters, in [0, 1]: 1 - sd after / sd before them.

    1 where all are read off; 0 where a user stated one, and of what is no parameter of the model.
    """
    known = model.targets[target].parameters
    if any(name not in known for name in names):
        return 0.0
    parameters = [known[name] for name in names]
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


def deciding(model: Model, found: Sequence[Influence], *, least: float = DOMINANT) -> Deciding | None:
    """What decides an answer; None when nothing does by itself. Holds of several stages count as one, and so on.

    Args:
        least: its share.
    """
    groups = _groups(found)
    best = max(groups.items(), key=lambda item: _total(item[1]), default=None)
    if best is None or _total(best[1]) < least:
        return None
    (target, role), members = best
    names = tuple(one.parameter for one in members)
    return Deciding(
        target=target, role=role, names=names, share=_total(members), narrowed=narrowed(model, target, names)
    )


def bound_sentence(model: Model, found: Sequence[Influence], band: Band, unit: str) -> str | None:
    """Why an answer is a bound and no estimate; None when it is an estimate."""
    first = deciding(model, found)
    if first is None or first.narrowed >= _NARROWED or not _moves(found, first.share):
        return None
    return (
        f"at least {in_unit(band.low95, unit)}, at most {in_unit(band.high95, unit)}: decided by the "
        f"{role_label(first.role)} of {first.target}, {_known(model, first)}"
    )


def identify_sentences(model: Model, found: Sequence[Influence]) -> tuple[str, ...]:
    """Which cells would narrow what decides an answer, one sentence for each kind of parameter that is worth it.

    That is what decides by itself, and every kind with a limit among its parameters that the data narrowed by less
    than half, each with at least a tenth of all that is open.
    """
    first = deciding(model, found)
    cells = [
        _identify(model, target, role, members)
        for (target, role), members in _groups(found).items()
        if _total(members) >= NAMED and _moves(found, _total(members))
        if (first is not None and (target, role) == (first.target, first.role)) or _is_weak(model, target, members)
    ]
    noisy = [
        f"{one.target}: {one.share:.0%} of what is open is the noise of single runs, which no measurement narrows"
        for one in found
        if one.parameter == NOISE and one.share >= _MOSTLY
    ]
    return (*cells, *noisy)


def _groups(found: Sequence[Influence]) -> dict[tuple[str, str], list[Influence]]:
    """Parameters by target and kind, those without a share left out."""
    groups: dict[tuple[str, str], list[Influence]] = {}
    for one in found:
        if one.share > 0 and one.parameter not in REST:
            groups.setdefault((one.target, role_of(one.parameter)), []).append(one)
    return groups


def _total(members: Sequence[Influence]) -> float:
    return sum(one.share for one in members)


def _is_weak(model: Model, target: str, members: Sequence[Influence]) -> bool:
    """Whether the data only bound these parameters, or have nothing on them."""
    if all(one.kind == "measured" for one in members):
        return False
    return narrowed(model, target, [one.parameter for one in members]) < _NARROWED


def _moves(found: Sequence[Influence], share: float) -> bool:
    """Whether what has this share of all that is open moves the answer by more than a tenth."""
    ends = [end for one in found if one.share > 0 for end in (one.low, one.high)]
    low, high = min(ends), max(ends)
    return math.sqrt(share) * (high - low) > _MATTERS * max(abs(low), abs(high))


def _known(model: Model, first: Deciding) -> str:
    """What the data say of what decides, as a clause."""
    if FORM in first.names:
        return f"of which the data say nothing: they end at {count_text(seen_cpus(model, first.target), 'CPU')}"
    kinds = {model.targets[first.target].parameters[name].kind for name in first.names}
    if "limit" in kinds:
        return f"of which the data give an upper limit of {_upper_limit(model, first)}"
    return f"which the data narrowed by {first.narrowed:.0%} only"


def _identify(model: Model, target: str, role: str, members: Sequence[Influence]) -> str:
    names = [one.parameter for one in members]
    parameters = [found for name in names if (found := model.targets[target].parameters.get(name)) is not None]
    if not parameters or any(parameter.kind == "assumed" for parameter in parameters):
        known = "has no data"
    elif all(parameter.prior_sd is None for parameter in parameters):
        known = "was read off"
    else:
        known = f"was narrowed by {narrowed(model, target, names):.0%}"
    return (
        f"{target}: the {role_label(role)} decides {_total(members):.0%} of what is open and {known}; measure "
        f"{identifying_cell(names[0], model.targets[target].measured)}"
    )


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


def _varying(model: Model, targets: Sequence[str], draws: Sequence[int]) -> list[Varying]:
    """The parameters of these targets that differ from draw to draw, and have data."""
    found = []
    for target in targets:
        for name, parameter in model.targets[target].parameters.items():
            drawn = model.draws.get(target, {}).get(name)
            if drawn is None or parameter.kind == "assumed":
                continue
            values = np.array([drawn[draw] for draw in draws])
            if values.min() < values.max():
                known = narrowed(model, target, (name,))
                found.append(Varying(target=target, parameter=name, kind=parameter.kind, narrowed=known, values=values))
    return found


def _fifths(values: Floats, weights: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which draws have the parameter in its lowest and in its highest fifth."""
    low, high = (weighted_quantile(values, weights, share) for share in (_FIFTH, 1 - _FIFTH))
    return values <= low, values >= high


def _moves_it(name: str, about: str) -> bool:
    """Whether a parameter can move an answer without noise that is made of times, of memory, or of both."""
    if name in _OF_NOISE:
        return False
    return about == "both" or name.startswith("memory_") == (about == "memory")


def _bars(varying: Sequence[Varying], answers: Floats, weights: Floats, *, whole: float) -> Iterator[Influence]:
    """What differs from draw to draw, with its shares of ``whole``, and the answers in its outer fifths."""
    if not varying:
        return
    shares = _shares(np.array([one.values for one in varying]), answers, weights)
    for one, share in zip(varying, shares, strict=True):
        low, high = _fifths(one.values, weights)
        yield Influence(
            target=one.target,
            parameter=one.parameter,
            kind=one.kind,
            share=whole * share,
            narrowed=one.narrowed,
            low=weighted_median(answers[low], weights[low]),
            high=weighted_median(answers[high], weights[high]),
        )


def _stated(model: Model, targets: Sequence[str], draw: int, answer_of: AnswerOf) -> Iterator[Influence]:
    """Parameters without data: the answer at half and at twice their value, where it changes."""
    for target in targets:
        for name, parameter in model.targets[target].parameters.items():
            if parameter.kind != "assumed" or parameter.value == 0:
                continue
            low, high = (
                answer_of(with_value(model, target, name, factor * parameter.value), draw) for factor in _STATED
            )
            if low != high:
                yield Influence(
                    target=target, parameter=name, kind="assumed", share=0.0, narrowed=0.0, low=low, high=high
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
