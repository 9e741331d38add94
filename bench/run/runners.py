"""What a trial does depends on the factors of its cell: one box, or many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bench.plan.trials import Trial
from bench.records.record import Record
from bench.run.residents.trial import run_residents
from bench.run.storm.trial import run_storm
from bench.run.trial import Setting, run_trial
from bench.scenario.factors import FLEETS
from bench.targets.base import Output

Runner = Callable[[Trial, Setting], tuple[Record, Output | None]]

RUNNERS: Final[dict[str, Runner]] = {"residents": run_residents, "concurrency": run_storm}
"""By factor."""


def runner_of(trial: Trial) -> Runner:
    """What runs a trial."""
    return next((RUNNERS[name] for name in FLEETS if name in trial.cell.factors), run_trial)
