"""What all runners do alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from bench.sim.sweep.unit import Finished, Task
from bench.sim.sweep.versions import check_versions
from bench.util.errors import BoxbenchError, ExitCode

RETRIES: Final = 3
"""How often a unit is run again after its worker died or failed unexpectedly."""
IN_FLIGHT: Final = 2
"""Units per worker that are handed out: one runs, and the next one is there when it ends."""


class Runner(Protocol):
    """Runs units, each of them once."""

    @property
    def about(self) -> str:
        """``2 processes``: for people."""

    def probe(self) -> None:
        """Find out whether units can be run, before anything is written. Raises as ``run``."""

    def run(self, tasks: Iterator[Task]) -> AbstractContextManager[Iterator[Finished]]:
        """Results as they are finished, in any order. Leaving the context ends what was started.

        Raises:
            SweepError: a unit failed again and again, or nobody is left who could run units.
            OtherVersionError: a worker is of another version, or has another model.
        """


class SweepError(BoxbenchError):
    """A sweep cannot go on. What is finished is kept."""


class UnitError(SweepError):
    """A unit ended with an expected error, which would come again."""

    def __init__(self, key: str, message: str, hint: str, code: int) -> None:
        super().__init__(f"{key}: {message}", hint=hint)
        self.exit_code = ExitCode(code)


def checked(finished: Finished, task: Task, *, who: str, hint: str) -> Finished:
    """A result that can be kept. Raises OtherVersionError, UnitError, SweepError."""
    check_versions(who, finished.versions, hint=hint)
    if finished.model != task.model:
        raise SweepError(f"{who} has the model {finished.model}, this sweep is about {task.model}", hint=hint)
    if finished.error is not None:
        message, advice, code = finished.error
        raise UnitError(task.key, message, advice, code)
    return finished


def failed_again(task: Task, why: str) -> SweepError:
    """The error after ``RETRIES`` retries."""
    return SweepError(
        f"the unit {task.key} failed {RETRIES + 1} times: {why}",
        hint="give workers more memory, or make the unit smaller; the same command goes on with what is finished",
    )
