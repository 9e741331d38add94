"""A simulated answer read back from its directory, as the kind of answer that it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bench.render.simulation.page import JSON
from bench.scenario.validation import first_problem
from bench.sim.answer.answer import Answer
from bench.sim.check.result import Check
from bench.sim.fleet.fleet_answer import FleetAnswer
from bench.sim.fleet.pool_answer import PoolAnswer
from bench.sim.host.storm import StormAnswer
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
    try:
        value: Any = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(file, error.strerror if isinstance(error, OSError) else str(error)) from None
    kind = next((kind for mark, kind in _MARKS if isinstance(value, dict) and mark in value), None)
    if kind is None:
        raise _damaged(file, "it has no headline")
    if kind is Check:
        value = {name: one for name, one in value.items() if name not in _COMPUTED}
    try:
        return kind.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise _damaged(file, first_problem(error)) from None


def _damaged(file: Path, why: str | None) -> RecordError:
    return RecordError(
        f"{file} is not a simulated answer: {why}",
        hint="the file was edited, or is of another version of boxbench: ask the question again with -o",
    )
