"""One unit: text in, text out, so that every runner carries the same bits."""

from __future__ import annotations

import json
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from bench.sim.answer.terms import Terms
from bench.sim.model.file import Model, model_digest
from bench.sim.sweep.parameters import Value
from bench.sim.sweep.plan import Plan, Unit
from bench.sim.sweep.question import Question
from bench.sim.sweep.questions import question_of
from bench.sim.sweep.versions import versions
from bench.util.errors import BoxbenchError, UsageError


class Task(BaseModel):
    """What a worker needs besides the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    model: str
    """Digest of the model that the unit is about."""
    question: str
    target: str
    values: dict[str, Value]
    draws: tuple[int, ...]
    replications: int
    seed: int
    inputs: dict[str, str]
    """Digests of files that values name, as the planning machine has them."""


class UnitResult(BaseModel):
    """A finished unit: a line of the results file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    samples: dict[str, tuple[float, ...]] = {}
    """(draws x replications,) By quantity."""


class Finished(BaseModel):
    """What comes back from a worker."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    versions: dict[str, str]
    """Of the worker."""
    model: str
    """Digest of the model that the worker has."""
    result: UnitResult
    error: tuple[str, str, int] | None = None
    """Message, hint and exit code of an expected error, which would come again; there are no samples then."""


def task_of(plan: Plan, unit: Unit, digest: str) -> Task:
    """What a worker needs for a unit; ``digest`` is the model's."""
    return Task(
        key=unit.key,
        model=digest,
        question=plan.sweep.question,
        target=unit.target,
        values=dict(unit.values),
        draws=plan.draws,
        replications=plan.sweep.replications,
        seed=plan.sweep.seed,
        inputs={name: one for name, one in plan.inputs.items() if name in unit.values.values()},
    )


def run_unit(model_text: str, task_text: str) -> str:
    """Simulate a unit.

    Args:
        model_text: a model as ``model_text`` writes it.
        task_text: a ``Task`` as JSON.

    Returns:
        A ``Finished`` as one line of JSON without its end.
    """
    task = Task.model_validate_json(task_text)
    model, digest = _model(model_text)
    error, samples = None, {}
    try:
        samples = _samples(model, digest, task)
    except BoxbenchError as expected:
        error = (expected.message, expected.hint, int(expected.exit_code))
    return Finished(
        versions=dict(versions()), model=digest, result=UnitResult(key=task.key, samples=samples), error=error
    ).model_dump_json()


def _samples(model: Model, digest: str, task: Task) -> dict[str, tuple[float, ...]]:
    terms = Terms(
        model=model,
        digest=digest,
        seed=task.seed,
        draws=task.draws,
        replications=task.replications,
        # What lies too far beyond the data was refused when the sweep was planned.
        beyond=True,
    )
    question = question_of(task.question)
    _check_inputs(question, task)
    found = question.samples(terms, task.target, task.values)
    return {name: tuple(map(float, values)) for name, values in found.items()}


def _check_inputs(question: Question, task: Task) -> None:
    """Raise UsageError when a file is another one here than where the sweep was planned."""
    found = {} if question.inputs is None else dict(question.inputs(task.values))
    for name in {*found, *task.inputs}:
        if found.get(name) != task.inputs.get(name):
            raise UsageError(
                f"the file {name} is {found.get(name, 'missing')} here, and was "
                f"{task.inputs.get(name, 'missing')} where the sweep began",
                hint="put the same file at the same path of all machines",
            )


@lru_cache(maxsize=4)
def _model(text: str) -> tuple[Model, str]:
    model = Model.model_validate_json(text)
    return model, model_digest(model)


def result_line(result: UnitResult) -> bytes:
    """A line of the results file."""
    return (json.dumps(result.model_dump(mode="json"), separators=(",", ":"), allow_nan=False) + "\n").encode()
