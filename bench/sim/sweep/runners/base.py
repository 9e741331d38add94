"""What all runners do alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from pydantic import ValidationError

from bench.sim.sweep.unit import Finished, Task
from bench.sim.sweep.versions import check_versions
from bench.util.errors import BoxbenchError, ExitCode
from bench.util.text import plain

RETRIES: Final = 3
"""How often a task is run again after its worker died or failed unexpectedly."""
IN_FLIGHT: Final = 2
"""Tasks per worker that are handed out: one runs, and the next one is there when it ends."""
_MOST_SHOWN: Final = 200


class Runner(Protocol):
    """Runs tasks, each of them once."""

    @property
    def about(self) -> str:
        """``2 processes``: for people."""

    def probe(self) -> None:
        """Find out whether tasks can be run, before anything is written. Raises as ``run``."""

    def run(self, tasks: Iterator[Task]) -> AbstractContextManager[Iterator[Finished]]:
        """Results as they are finished, in any order. Leaving the context ends what was started.

        Args:
            tasks: asked for the next one when a worker can take it.

        Raises:
            SweepError: a task failed again and again, or nobody is left who could run tasks.
            OtherVersionError: a worker is of another version, or has another model.
        """


class SweepError(BoxbenchError):
    """A sweep cannot go on. What is finished is kept."""


class UnitError(SweepError):
    """A unit ended with an expected error, which would come again."""

    def __init__(self, key: str, message: str, hint: str, code: int) -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.exit_code = ExitCode(code)


def read_finished(text: str | bytes, task: Task, *, who: str, hint: str) -> Finished:
    """A worker's answer that can be kept.

    Args:
        who: ``the worker process 4711``.

    Raises:
        OtherVersionError: the worker is of another version.
        UnitError: a unit ended with an expected error.
        SweepError: it is no answer to this task, or about another model.
    """
    # Another version may have another form of answer: it is named first.
    raw = _object(text)
    if isinstance(raw.get("versions"), dict):
        check_versions(who, raw["versions"], hint=hint)
    try:
        finished = Finished.model_validate_json(text)
    except ValidationError:
        shown = plain(text if isinstance(text, str) else text.decode(errors="replace"))[:_MOST_SHOWN]
        raise SweepError(f"{who} sent no result of {task.name}, but {shown!r}", hint=hint) from None
    if finished.model != task.model:
        raise SweepError(f"{who} has the model {finished.model}, this sweep is about {task.model}", hint=hint)
    if finished.error is not None:
        raise UnitError(*finished.error)
    asked = [(piece.key, piece.first) for piece in task.pieces]
    got = [(result.key, result.first) for result in finished.results]
    if asked != got or len(got) != len(finished.took_ns):
        raise SweepError(f"{who} sent the results of other units than {task.name}", hint=hint)
    return finished


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def failed_again(task: Task, why: str) -> SweepError:
    """The error after ``RETRIES`` retries."""
    return SweepError(
        f"{task.name} failed {RETRIES + 1} times: {why}",
        hint="give workers more memory, or make the unit smaller; the same command goes on with what is finished",
    )
