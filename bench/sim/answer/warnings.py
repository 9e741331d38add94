"""Warnings: what a reader must know before the numbers of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bench.sim.answer.answer import Distance
from bench.sim.answer.distance import how_far, too_far
from bench.sim.answer.terms import emulated_sentences
from bench.sim.answer.words import parameter_label
from bench.sim.model.file import Model

_MOST: Final = 3
"""Parameters that are named in one warning."""


def warnings_of(model: Model, targets: Sequence[str], distances: Iterable[Distance]) -> tuple[str, ...]:
    """What stands above an answer, one sentence or two each; usually nothing.

    Args:
        targets: of the model, that the answer is about.
        distances: of the answer.
    """
    return (*_far(distances), *emulated_sentences(targets), *_stated(model, targets))


def _far(distances: Iterable[Distance]) -> Iterator[str]:
    by_target: dict[str, list[Distance]] = {}
    for one in distances:
        by_target.setdefault(one.target, []).append(one)
    for some in by_target.values():
        if (worst := too_far(some)) is not None:
            yield f"{how_far(worst)}. Nothing that was measured supports this answer."


def _stated(model: Model, targets: Sequence[str]) -> Iterator[str]:
    """Targets with numbers that a user edited, or that have no data."""
    for target in targets:
        parameters = model.targets[target].parameters
        names = [name for name, parameter in parameters.items() if parameter.kind == "assumed"]
        if len(names) == len(parameters):
            yield f"{target}: none of its numbers counts as measured."
        elif names:
            more = f", and {len(names) - _MOST} more" if len(names) > _MOST else ""
            yield f"{target}: assumed, not measured: {', '.join(map(parameter_label, names[:_MOST]))}{more}."
