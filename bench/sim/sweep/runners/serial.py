"""Tasks one after another in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.sim.sweep.runners.base import read_finished
from bench.sim.sweep.unit import Finished, Task, run_task


@dataclass(frozen=True, kw_only=True)
class SerialRunner:
    """A ``Runner``."""

    model_text: str

    @property
    def about(self) -> str:
        """As in ``Runner``."""
        return "this process"

    def probe(self) -> None:
        """As in ``Runner``: there is nothing to find out."""

    @contextmanager
    def run(self, tasks: Iterator[Task]) -> Iterator[Iterator[Finished]]:
        """As in ``Runner``."""
        yield self._results(tasks)

    def _results(self, tasks: Iterator[Task]) -> Iterator[Finished]:
        for task in tasks:
            text = run_task(self.model_text, task.model_dump_json())
            yield read_finished(text, task, who="this process", hint="start again")
