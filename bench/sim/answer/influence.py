"""Influences: what is responsible for what an answer leaves open, and how much the data narrowed it.

The answer is simulated without noise at each joint draw of the model. Its parameters are summed to roles
(``bench.sim.answer.roles``), and the simulator tells how far each role moves the answer by itself
(``bench.sim.answer.effects``). What no role explains by itself is a row of its own. Where the answer's samples are
given, shares are of all that is open, and what is not open in the parameters (noise, misfit, errors beyond the data)
stands among them, so that all shares of an answer are 1 together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Band, Influence
from bench.sim.answer.effects import AnswerOf, Effects, effects_of
from bench.sim.answer.form import FORM, seen_cpus
from bench.sim.answer.humps import Humps, find_humps
from bench.sim.answer.reasons import depends_on
from bench.sim.answer.rest import Rest, parts_of
from bench.sim.answer.roles import (
    NARROWED,
    About,
    Role,
    Varying,
    knowledge,
    roles_of,
    sum_of,
    weakest,
    with_values,
)
from bench.sim.answer.words import (
    CPU_GROWTH,
    NOISE,
    REST,
    TOGETHER,
    WAY,
    count_text,
    identifying_cell,
    in_unit,
    parameter_label,
    role_label,
)
from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_quantile
from bench.sim.model.file import Model
from bench.sim.model.summary import blocks_help

__all__ = [
    "DOMINANT",
    "NAMED",
    "AnswerOf",
    "Look",
    "Varying",
    "bound_sentence",
    "deciding",
    "identify_sentences",
    "influences",
    "look_into",
]

Floats = NDArray[np.float64]

DOMINANT: Final = 0.3
"""The role with the largest share decides an answer when its share is at least this."""
_MATTERS: Final = 0.1
"""What moves the answer by less than this makes no bound and is not worth measuring."""
NAMED: Final = 0.1
"""Roles with a smaller share are not worth measuring."""
_MOSTLY: Final = 0.5
"""Noise with at least this share is told: more data do not make a single run surer."""
_STATED: Final = (0.5, 2.0)
"""A parameter without draws is shown at half and at twice its value."""


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
    """What of these targets one answer depends on; see ``look_into``. Shares are of what is open in the parameters."""
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
    about: About = "both",
) -> Look:
    """What one answer depends on, the largest share first, then parameters without draws.

    Args:
        draws: of the model, that are used.
        answer_of: the answer at one draw of a model, without noise; finite. It is also asked for changed models.
        answer: the target of the answer's quantities, where it is not the parameters' own.
        rest: what else is open in the answer; None: shares are of what is open in the parameters.
        more: numbers beside the model's parameters that differ from draw to draw.
        shown: from an answer to the number that the reader gets: whole boxes of a quotient.
        about: what the answer is made of.
    """
    answers = np.array([float(answer_of(model, draw)) for draw in draws])
    weights = np.asarray(model.weights, dtype=np.float64)[list(draws)]
    roles = roles_of(model, targets, draws, about, more)
    effects = effects_of(model, roles, draws, answers, weights, answer_of)
    middle = float(answers[effects.base])
    parts = None if rest is None else parts_of(rest, answers, weights)
    label = answer or targets[0]
    found = [
        *_rows(model, effects, label, middle, whole=1.0 if parts is None else parts.parameters),
        *(() if parts is None else parts.rows(label, middle)),
        *_stated(model, targets, draws[effects.base], answer_of),
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
    humps = _humps(model, targets, draws, answers, weights, effects)
    return Look(influences=tuple(ranked), humps=humps, draws=tuple(draws))


def deciding(found: Sequence[Influence], *, least: float = DOMINANT) -> Influence | None:
    """The role that decides an answer; None when none does by itself.

    Args:
        least: its share.
    """
    best = max(_of_roles(found), key=lambda one: one.share, default=None)
    return None if best is None or best.share < least else best


def bound_sentence(model: Model, found: Sequence[Influence], band: Band, unit: str) -> str | None:
    """Why an answer is a bound and no estimate; None when it is an estimate."""
    first = deciding(found)
    if first is None or first.narrowed >= NARROWED or not _moves(found, first.share):
        return None
    return (
        f"at least {in_unit(band.low95, unit)}, at most {in_unit(band.high95, unit)}: decided by the "
        f"{role_label(first.parameter)} of {first.target}, {_known(model, first)}"
    )


def identify_sentences(model: Model, found: Sequence[Influence]) -> tuple[str, ...]:
    """Which cells would narrow what decides an answer, one sentence for each role that is worth it.

    That is what decides by itself, and every role that the data only bound, each with at least a tenth of all that is
    open.
    """
    first = deciding(found)
    cells = [
        _identify(model, one)
        for one in _of_roles(found)
        if one.share >= NAMED and _moves(found, one.share)
        if one is first or (one.kind != "measured" and one.narrowed < NARROWED)
    ]
    noisy = [
        f"{one.target}: {one.share:.0%} of what is open is the noise of single runs, which no measurement narrows"
        for one in found
        if one.parameter == NOISE and one.share >= _MOSTLY
    ]
    return (*cells, *noisy)


def _of_roles(found: Sequence[Influence]) -> list[Influence]:
    """The rows of roles: not those of stated parameters, nor of what is open besides parameters."""
    return [one for one in found if one.share > 0 and one.parameter not in (*REST, TOGETHER)]


def _moves(found: Sequence[Influence], share: float) -> bool:
    """Whether what has this share of all that is open moves the answer by more than a tenth."""
    ends = [end for one in found if one.share > 0 for end in (one.low, one.high)]
    low, high = min(ends), max(ends)
    return math.sqrt(share) * (high - low) > _MATTERS * max(abs(low), abs(high))


def _known(model: Model, first: Influence) -> str:
    """What the data say of what decides, as a clause."""
    if first.parameter == FORM:
        return f"of which the data say nothing: they end at {count_text(seen_cpus(model, first.target), 'CPU')}"
    if first.parameter == WAY:
        return "which the data leave open"
    if first.kind != "limit":
        return f"which the data narrowed by {first.narrowed:.0%} only"
    if first.parameter == CPU_GROWTH:
        name = weakest(model, first.target, first.parts)
        return (
            f"of which the data only bound the {parameter_label(name)}: {_upper_limit(model, first, (name,))} at most"
        )
    return f"of which the data give an upper limit of {_upper_limit(model, first, first.parts)}"


def _identify(model: Model, one: Influence) -> str:
    entry = model.targets[one.target]
    parameters = [found for name in one.parts if (found := entry.parameters.get(name)) is not None]
    if not parameters:
        known = "has no data"
    elif all(parameter.prior_sd is None for parameter in parameters):
        known = "was read off"
    else:
        known = f"was narrowed by {one.narrowed:.0%}"
    name = weakest(model, one.target, one.parts) if parameters else one.parameter
    return (
        f"{one.target}: the {role_label(one.parameter)} decides {one.share:.0%} of what is open and {known}; measure "
        f"{identifying_cell(name, entry.measured, blocks_help=blocks_help(entry))}"
    )


def _upper_limit(model: Model, first: Influence, names: Sequence[str]) -> str:
    unit = model.targets[first.target].parameters[names[0]].unit
    return in_unit(weighted_quantile(sum_of(model, first.target, names), model.weights, 0.95), unit)


def _rows(model: Model, effects: Effects, label: str, middle: float, *, whole: float) -> Iterator[Influence]:
    """The roles that have a share of ``whole``, and what none of them explains by itself."""
    kinds: list[Kind] = []
    for one, share in zip(effects.effects, effects.shares, strict=True):
        if not share > 0:
            continue
        kind, narrow = knowledge(model, one.role, one.sizes)
        kinds.append(kind)
        yield Influence(
            target=one.role.target,
            parameter=one.role.name,
            parts=one.role.names,
            kind=kind,
            share=whole * share,
            narrowed=narrow,
            low=one.low,
            high=one.high,
        )
    if effects.together > 0:
        yield Influence(
            target=label,
            parameter=TOGETHER,
            kind=next((kind for kind in kinds if kind != "measured"), "measured"),
            share=whole * effects.together,
            narrowed=0.0,
            low=middle,
            high=middle,
        )


def _stated(model: Model, targets: Sequence[str], draw: int, answer_of: AnswerOf) -> Iterator[Influence]:
    """Parameters without data: the answer at half and at twice their value, where it changes."""
    for target in targets:
        for name, parameter in model.targets[target].parameters.items():
            if parameter.kind != "assumed" or parameter.value == 0:
                continue
            low, high = (
                answer_of(with_values(model, target, {name: factor * parameter.value}), draw) for factor in _STATED
            )
            if low != high:
                yield Influence(
                    target=target,
                    parameter=name,
                    parts=(name,),
                    kind="assumed",
                    share=0.0,
                    narrowed=0.0,
                    low=low,
                    high=high,
                )


def _humps(
    model: Model, targets: Sequence[str], draws: Sequence[int], answers: Floats, weights: Floats, effects: Effects
) -> Humps | None:
    """The two groups that the answers fall into, with what it depends on which."""
    found = find_humps(answers, weights)
    if found is None:
        return None
    roles: list[tuple[Role, Floats]] = [(one.role, one.curve) for one in effects.effects]
    return replace(found, depends=depends_on(model, targets, draws, found.upper, weights, roles))
