"""Run a sweep: what is finished already is skipped, what is finished now is stored at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from bench.sim.answer.terms import assumed_of
from bench.sim.model.file import Model, model_digest, model_text
from bench.sim.sweep.cut import Cutter
from bench.sim.sweep.plan import Plan
from bench.sim.sweep.results import SweepResults, results_of
from bench.sim.sweep.runners.base import Runner
from bench.sim.sweep.runners.choose import PROCESSES, choose_runner
from bench.sim.sweep.runners.serial import SerialRunner
from bench.sim.sweep.store import MANIFEST, MODEL, opened
from bench.sim.sweep.unit import Task
from bench.util.result_file import write_result_file

RESULTS: Final = "results.json"

Tell = Callable[[int, int, str], object]
"""Called with the number of finished units, the number of all units, and the key of the last one or a message. Draws of
units that are not whole count together: half of two units is one."""


def _tell_nobody(_done: int, _all: int, _text: str) -> None:
    """The progress of nobody."""


def run_sweep(
    plan: Plan,
    model: Model,
    directory: Path,
    *,
    scheduler: str,
    workers: int | None = None,
    tell: Tell = _tell_nobody,
) -> SweepResults:
    """Run what is missing of a sweep, and write ``results.json``.

    Args:
        directory: made when missing; else the sweep in it is continued.
        scheduler: as ``choose_runner``.
        workers: as ``choose_runner``.

    Raises:
        UsageError, SweepError, ResultError: as the runner and ``opened``; what is finished is kept.
    """
    text, digest = model_text(model), model_digest(model)
    runner = choose_runner(scheduler, workers=workers, model_text=text, model_file=directory / MODEL)
    if not (directory / MANIFEST).exists():
        runner.probe()
    total = len(plan.units)
    with opened(directory, plan, model_text=text, digest=digest) as place:
        if place.finished:
            tell(place.finished, total, f"{place.finished} units were finished before")
        cutter = Cutter(plan, digest, place.missing())
        for stage, tasks in _stages(runner, text, cutter, alone=scheduler == PROCESSES):
            tell(place.finished, total, f"on {stage.about}")
            with stage.run(tasks) as results:
                for finished in results:
                    place.append(finished.results)
                    cutter.learn(finished)
                    tell(place.finished, total, finished.results[-1].key)
        found = results_of(plan, model, place.samples, digest=digest, assumed=assumed_of(model, plan.targets))
        write_result_file(directory / RESULTS, found.text(), hint="make room, then start the same command again")
    return found


def _stages(runner: Runner, text: str, tasks: Cutter, *, alone: bool) -> Iterator[tuple[Runner, Iterator[Task]]]:
    """Who runs which tasks, in order.

    Args:
        alone: the first task runs in this process: it compiles the kernels once, and workers load them.
    """
    if alone and not tasks.is_empty:
        yield SerialRunner(model_text=text), islice(tasks, 1)
    if not tasks.is_empty:
        yield runner, tasks
