"""Run a sweep: what is finished already is skipped, what is finished now is stored at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.sim.answer.terms import assumed_of
from bench.sim.model.file import Model, model_digest, model_text
from bench.sim.sweep.plan import Plan
from bench.sim.sweep.results import SweepResults, results_of
from bench.sim.sweep.runners.base import Runner
from bench.sim.sweep.runners.choose import PROCESSES, choose_runner
from bench.sim.sweep.runners.serial import SerialRunner
from bench.sim.sweep.store import MANIFEST, MODEL, SweepDirectory, opened
from bench.sim.sweep.unit import Task, task_of
from bench.sim.sweep.versions import versions
from bench.util.result_file import write_result_file

RESULTS: Final = "results.json"

Tell = Callable[[int, int, str], object]
"""Called with the number of finished units, the number of all units, and the key of the last one or a message."""


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
    runner = choose_runner(
        scheduler, workers=workers, model_text=text, model_file=directory / MODEL, name=_name(plan, digest)
    )
    if not (directory / MANIFEST).exists():
        runner.probe()
    with opened(directory, plan, model_text=text, digest=digest) as place:
        if place.done:
            tell(len(place.done), len(plan.units), f"{len(place.done)} units were finished before")
        for stage, tasks in _stages(runner, text, _missing(plan, place, digest), alone=scheduler == PROCESSES):
            tell(len(place.done), len(plan.units), f"on {stage.about}")
            with stage.run(iter(tasks)) as results:
                for finished in results:
                    place.append(finished.result)
                    tell(len(place.done), len(plan.units), finished.result.key)
        found = results_of(plan, model, place.done, digest=digest, assumed=assumed_of(model, plan.targets))
        write_result_file(directory / RESULTS, found.text(), hint="make room, then start the same command again")
    return found


def _missing(plan: Plan, place: SweepDirectory, digest: str) -> list[Task]:
    return [task_of(plan, unit, digest) for unit in plan.units if unit.key not in place.done]


def _name(plan: Plan, digest: str) -> str:
    """A name that has everything in it that a unit depends on."""
    return f"boxbench-{plan.sweep.digest[7:15]}-{digest[7:15]}-{versions()['code'][:8]}"


def _stages(runner: Runner, text: str, tasks: Sequence[Task], *, alone: bool) -> list[tuple[Runner, Sequence[Task]]]:
    """Who runs which units, in order.

    Args:
        alone: the first unit runs in this process: it compiles the kernels once, and workers load them.
    """
    if not tasks:
        return []
    if not alone or len(tasks) == 1:
        return [(runner, tasks)]
    return [(SerialRunner(model_text=text), tasks[:1]), (runner, tasks[1:])]
