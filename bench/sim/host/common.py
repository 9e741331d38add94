"""What answers about one host have in common: distances, what decides, what is taken for granted, and warnings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck, Distance, Quantity
from bench.sim.answer.bands import Floats
from bench.sim.answer.bottleneck import judged
from bench.sim.answer.form import FORM, beyond_known, exponents, with_exponent
from bench.sim.answer.humps import find_humps, humps_sentence
from bench.sim.answer.influence import NAMED, Look, Varying, deciding, identify_sentences
from bench.sim.answer.terms import Terms, assumed_of
from bench.sim.answer.warnings import warnings_of
from bench.sim.model.draws import weighted_median

Owners = Mapping[str, Sequence[str]]
"""By label of an answer: the targets of the model that it is made from."""


def forms_of(terms: Terms, targets: Iterable[str], *, cpus: int, boxes: int) -> list[Varying]:
    """How inflation goes on beyond the measured CPUs, as a number that differs from draw to draw."""
    return [
        Varying(
            target=target,
            parameter=FORM,
            kind="assumed",
            narrowed=0.0,
            values=exponents(target, terms.draws, terms.seed),
            moved=partial(with_exponent, target=target, cpus=cpus, boxes=boxes, seed=terms.seed),
        )
        for target in beyond_known(terms.model, targets, cpus=cpus, boxes=boxes)
    ]


def judge(
    limits: Mapping[str, Bottleneck], looks: Mapping[str, Look], quantities: Sequence[Quantity], name: str
) -> dict[str, Bottleneck]:
    """The bottlenecks, each with how much of the answer it explains.

    Args:
        name: of the quantity whose bounds these are.
    """
    middles = {one.target: one.band.middle for one in quantities if one.name == name and one.unit == "ns"}
    found = {}
    for label, limit in limits.items():
        look = looks[label]
        first = deciding(look.influences, least=NAMED)
        role = first.parameter if first is not None else None
        found[label] = judged(limit, middles[label], role, humps=look.humps is not None)
    return found


def two_answers(look: Look | None) -> tuple[float, float] | None:
    """The two answers of the quantity that was looked at; None where it has one."""
    return None if look is None or look.humps is None else (look.humps.low, look.humps.high)


def two_ratios(
    others: Floats, bases: Floats, weights: Floats, looks: Iterable[Look | None]
) -> tuple[float, float] | None:
    """The two answers of a ratio with a side that has two; None where no side has, or where they cannot be told.

    Args:
        others, bases: (samples,) of both sides, paired.
        looks: at others and at bases.
    """
    two = [two_answers(look) for look in looks]
    ratios = others / bases
    if None not in two:
        found = find_humps(ratios, weights)
        return None if found is None else (found.low, found.high)
    for side, pair in zip((others, bases), two, strict=True):
        if pair is not None:
            return _split(ratios, weights, side > math.sqrt(pair[0] * pair[1]))
    return None


def _split(ratios: Floats, weights: Floats, upper: NDArray[np.bool_]) -> tuple[float, float] | None:
    """The medians of two groups, ascending; None where one of them is empty."""
    if upper.all() or not upper.any():
        return None
    low, high = sorted(weighted_median(ratios[group], weights[group]) for group in (~upper, upper))
    return low, high


def fields_of(
    terms: Terms,
    *,
    distances: Mapping[str, Sequence[Distance]],
    looks: Mapping[str, Look],
    owners: Owners,
    unit: str,
    taken: Iterable[str] = (),
    unanswered: Iterable[str] = (),
) -> dict[str, Any]:
    """The fields of an ``Answer`` that every question fills in the same way.

    Args:
        distances: by label.
        looks: by label; a label may have none.
        owners: by label, of all labels.
        unit: of the first quantity.
        taken: sentences on what is taken for granted.
        unanswered: sentences on targets that are not in the answer.
    """
    model = terms.model
    targets = tuple(dict.fromkeys(target for some in owners.values() for target in some))
    far = tuple(one for some in distances.values() for one in some)
    sentences = (line for look in looks.values() for line in identify_sentences(model, look.influences))
    return {
        "model": terms.digest,
        "seed": terms.seed,
        "draws": len(terms.draws),
        "distances": far,
        "influences": tuple(one for look in looks.values() for one in look.influences),
        "assumed": (*assumed_of(model, targets), *dict.fromkeys(taken)),
        "identify": tuple(dict.fromkeys(sentences)),
        "warnings": warnings_of(model, targets, far),
        "unanswered": tuple(unanswered),
        "humps": tuple(
            humps_sentence(label, look.humps, unit) for label, look in looks.items() if look.humps is not None
        ),
    }
