"""What a worker does: text in, text out, so that every runner carries the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict

from bench.sim.answer.terms import Terms, choose_draws
from bench.sim.model.file import Model, model_digest
from bench.sim.sweep.parameters import Value
from bench.sim.sweep.question import Floats, Question
from bench.sim.sweep.questions import question_of
from bench.sim.sweep.versions import versions
from bench.util.clock import MonotonicClock
from bench.util.errors import BoxbenchError, NotInDataError, UsageError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Piece(_Frozen):
    """Some draws of one unit. Its samples are the same in whatever pieces the unit is cut."""

    key: str
    """Of the unit."""
    target: str
    values: dict[str, Value]
    first: int
    """Place of the first draw among those of the sweep."""
    count: int
    """Draws."""


class Task(_Frozen):
    """What a worker needs besides the model: pieces that it simulates one after another."""

    model: str
    """Digest of the model that the pieces are about."""
    question: str
    draws: int
    """How many of the model's draws the sweep uses."""
    replications: int
    seed: int
    inputs: dict[str, str]
    """Digests of files that values name, as the planning machine has them."""
    pieces: tuple[Piece, ...]

    @property
    def name(self) -> str:
        """``boxes=8 | docker, draws 0 to 9, and 3 more pieces``: another one for each task of a sweep."""
        one = self.pieces[0]
        more = f", and {len(self.pieces) - 1} more pieces" if len(self.pieces) > 1 else ""
        return f"{one.key}, draws {one.first} to {one.first + one.count - 1}{more}"


class UnitResult(_Frozen):
    """A finished piece: a line of the results file."""

    key: str
    first: int = 0
    """As in ``Piece``."""
    samples: dict[str, tuple[float | None, ...]] = {}
    """(draws x replications,) By quantity. None: never."""


class Finished(_Frozen):
    """What comes back from a worker."""

    versions: dict[str, str]
    """Of the worker."""
    model: str
    """Digest of the model that the worker has."""
    results: tuple[UnitResult, ...]
    """In the order of the task's pieces."""
    took_ns: tuple[int, ...]
    """(results,) How long each piece took."""
    error: tuple[str, str, str, int] | None = None
    """Unit, message, hint and exit code of an expected error, which would come again; later pieces were not begun."""


def run_task(model_text: str, task_text: str) -> str:
    """Simulate the pieces of a task.

    Args:
        model_text: a model as ``model_text`` writes it.
        task_text: a ``Task`` as JSON.

    Returns:
        A ``Finished`` as one line of JSON without its end.
    """
    task = Task.model_validate_json(task_text)
    model, digest = _model(model_text)
    clock = MonotonicClock()
    results: list[UnitResult] = []
    took_ns: list[int] = []
    error = None
    for piece in task.pieces:
        begun_ns = clock.now_ns()
        try:
            samples = _samples(model, digest, task, piece)
        except BoxbenchError as expected:
            error = (piece.key, expected.message, expected.hint, int(expected.exit_code))
            break
        results.append(UnitResult(key=piece.key, first=piece.first, samples=samples))
        took_ns.append(clock.now_ns() - begun_ns)
    return Finished(
        versions=dict(versions()), model=digest, results=tuple(results), took_ns=tuple(took_ns), error=error
    ).model_dump_json()


def _samples(model: Model, digest: str, task: Task, piece: Piece) -> dict[str, tuple[float | None, ...]]:
    terms = Terms(
        model=model,
        digest=digest,
        seed=task.seed,
        draws=choose_draws(model, task.draws)[piece.first : piece.first + piece.count],
        first=piece.first,
        replications=task.replications,
        # What lies too far beyond the data was refused when the sweep was planned.
        beyond=True,
    )
    question = question_of(task.question)
    _check_inputs(question, task, piece)
    found = question.samples(terms, piece.target, piece.values)
    # A file may have changed while it was being read.
    _check_inputs(question, task, piece)
    for name, values in found.items():
        _check_reached(question, piece, name, values)
    return {name: tuple(map(_written, values.tolist())) for name, values in found.items()}


def _check_reached(question: Question, piece: Piece, name: str, values: Floats) -> None:
    """Raise NotInDataError where a number is never reached and the question needs it."""
    wrong = np.isnan(values) if question.may_never else ~np.isfinite(values)
    if count := int(wrong.sum()):
        raise NotInDataError(
            f"{name} has no finite value in {count} of {len(values)} runs of {piece.target}",
            hint="leave the target or the point out, or measure more of what decides it and fit again",
        )


def _written(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _check_inputs(question: Question, task: Task, piece: Piece) -> None:
    """Raise UsageError when a file is another one here than where the sweep was planned."""
    found = {} if question.inputs is None else dict(question.inputs(piece.values))
    named = {name: digest for name, digest in task.inputs.items() if name in piece.values.values()}
    for name in {*found, *named}:
        if found.get(name) != named.get(name):
            raise UsageError(
                f"the file {name} is {found.get(name, 'missing')} here, and was "
                f"{named.get(name, 'missing')} where the sweep began",
                hint="put the same file at the same path of all machines",
            )


@lru_cache(maxsize=4)
def _model(text: str) -> tuple[Model, str]:
    model = Model.model_validate_json(text)
    return model, model_digest(model)


def result_lines(results: Sequence[UnitResult]) -> bytes:
    """Lines of the results file."""
    return b"".join(
        (json.dumps(result.model_dump(mode="json"), separators=(",", ":"), allow_nan=False) + "\n").encode()
        for result in results
    )
