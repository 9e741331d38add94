"""A simulated answer or sweep read back from its directory, as the kind of answer that it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bench.render.simulation.page import JSON
from bench.render.text import clean
from bench.scenario.validation import first_problem
from bench.sim.answer.answer import Answer
from bench.sim.check.result import Check
from bench.sim.fleet.fleet_answer import FleetAnswer
from bench.sim.fleet.pool_answer import PoolAnswer
from bench.sim.host.storm import StormAnswer
from bench.sim.sweep.questions import QUESTIONS
from bench.sim.sweep.results import SweepResults
from bench.sim.sweep.run import RESULTS
from bench.util.errors import RecordError

_MARKS: Final[tuple[tuple[str, type[Answer] | type[Check]], ...]] = (
    ("accepted", Check),
    ("points", PoolAnswer),
    ("delays_ns", FleetAnswer),
    ("curve", StormAnswer),
    ("headline", Answer),
)
"""A field that only one kind of answer has, the most special kind first."""
_COMPUTED: Final = ("headline", "exit_code", "accepted")
"""What the JSON of a check has beside the check."""


def read_answer(directory: Path) -> Answer | Check:
    """The answer in a directory that ``boxbench simulate`` wrote. Raises RecordError: it is missing or damaged."""
    file = directory / JSON
    value = _value(file)
    kind = next((kind for mark, kind in _MARKS if isinstance(value, dict) and mark in value), None)
    if kind is None:
        raise _damaged(file, "it has no headline")
    if kind is Check:
        value = {name: one for name, one in value.items() if name not in _COMPUTED}
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise _damaged(file, first_problem(error)) from None


def read_sweep_results(directory: Path) -> SweepResults:
    """The results of a sweep's directory. Raises RecordError: they are missing or damaged, or have no numbers."""
    file = directory / RESULTS
    value = _value(file)
    try:
        found = SweepResults.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise _damaged(file, first_problem(error)) from None
    question = QUESTIONS.get(found.question)
    if question is None:
        raise _damaged(file, f"there is no question {clean(found.question)!r}")
    unknown = next((name for name in (*found.axes, *found.fixed) if name not in question.parameters), None)
    if unknown is not None:
        raise _damaged(file, f"{found.question} has no parameter {clean(unknown)!r}")
    first = next(iter(question.quantities))
    if not found.targets or not all(found.of(first, target) for target in found.targets):
        raise _damaged(file, "a target has no numbers")
    if any(set(one.at) != set(found.axes) for one in found.points):
        raise _damaged(file, "a point does not lie on its axes")
    return found


def _value(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(file, error.strerror if isinstance(error, OSError) else str(error)) from None


def _damaged(file: Path, why: str | None) -> RecordError:
    what = "the results of a sweep" if file.name == RESULTS else "a simulated answer"
    return RecordError(
        f"{file} is not {what}: {why}",
        hint="the file was edited, or is of another version of boxbench: ask the question again with -o",
    )
