"""Warnings: what a reader must know before the numbers of an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.sim.answer.answer import Distance
from bench.sim.answer.distance import how_far, too_far
from bench.sim.answer.terms import emulated_sentences
from bench.sim.model.file import Model, edit_warnings


def warnings_of(model: Model, targets: Sequence[str], distances: Iterable[Distance]) -> tuple[str, ...]:
    """What stands above an answer, one sentence or two each; usually nothing.

    Args:
        targets: of the model, that the answer is about.
        distances: of the answer.
    """
    contradicted = (f"{label}: {one}" for label in targets for one in model.targets[label].warnings)
    return (*_far(distances), *emulated_sentences(targets), *contradicted, *_edits(model, targets))


def _far(distances: Iterable[Distance]) -> Iterator[str]:
    by_target: dict[str, list[Distance]] = {}
    for one in distances:
        by_target.setdefault(one.target, []).append(one)
    for some in by_target.values():
        if (worst := too_far(some)) is not None:
            yield f"{how_far(worst)}. Nothing that was measured supports this answer."


def _edits(model: Model, targets: Sequence[str]) -> Iterator[str]:
    """Edits of the model file, of these targets and of all."""
    for one in edit_warnings(model):
        if one.target is None or one.target in targets:
            yield one.line
