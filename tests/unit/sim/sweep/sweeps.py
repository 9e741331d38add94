"""Small sweeps for tests: units of some milliseconds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.sim.model.file import Model, model_digest
from bench.sim.sweep.cut import Cutter, Stretch
from bench.sim.sweep.file import SweepFile
from bench.sim.sweep.plan import Plan, build_plan
from bench.sim.sweep.run import RESULTS
from bench.sim.sweep.unit import Task
from tests.synthetic_models import make_model


def small_model() -> Model:
    """Two targets with three draws."""
    return make_model(("docker", "runc"), draws=3)


def small_plan(model: Model, *, boxes: tuple[int, ...] = (1, 2, 3, 5, 8)) -> Plan:
    """Ten units: storms of each target."""
    return build_plan(SweepFile(question="storm", axes={"boxes": boxes}, replications=2, seed=7), model)


def tasks_of(plan: Plan, model: Model) -> list[Task]:
    """One task for each unit."""
    digest, draws = model_digest(model), len(plan.draws)
    tasks = [next(Cutter(plan, digest, [Stretch(unit, 0, draws)])) for unit in plan.units]
    # Nobody knows how long a unit takes, so its first task is one draw.
    return [task.model_copy(update={"pieces": (task.pieces[0].model_copy(update={"count": draws}),)}) for task in tasks]


def digest(directory: Path) -> str:
    """SHA-256 of a sweep's results."""
    return hashlib.sha256((directory / RESULTS).read_bytes()).hexdigest()
