"""Host caches between trials: a cold start drops them for all boxes, and the next start of another box is not cold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from bench.plan.trials import Cell, Trial
from bench.run.box import Setting
from bench.run.trial import run_trial
from bench.scenario.first_start import is_first_start

# Above any plan's numbers and below those of inspections, so that such a start is not mistaken for a trial.
_FIRST_NUMBER: Final = 800_000

Identity = tuple[str, str, bool]
"""Scenario, box, and whether its image comes over a link: what decides which files a start reads."""


class Caches:
    """Knows which boxes have started since the host's caches were last dropped."""

    def __init__(self, plan: Sequence[Trial], remaining: Sequence[Trial]) -> None:
        """Args: ``plan``: of a campaign, whose ``remaining`` trials will run now."""
        # What happened since another run of the campaign is not known.
        self._dropped = len(remaining) < len(plan) and any(_is_cold(trial.cell) for trial in plan)
        self._filled: set[Identity] = set()
        self._arrived = False

    def before(self, trial: Trial, setting: Setting, say: Callable[[str], None]) -> None:
        """Get the caches ready for a trial. Call it before each.

        A start that is not to be cold finds the files of its box in the cache: where the caches were dropped after
        the box's last start, one box is started, and nothing of it is kept. What a first start has left for the disk is
        written now and not during this trial.

        Raises:
            KeyboardInterrupt: the box has been removed.
        """
        identity, arrived = _identity(trial.cell), self._arrived
        self._arrived = is_first_start(trial.cell.factors)
        if arrived:
            os.sync()
        if _is_cold(trial.cell):
            self._dropped, self._filled = True, {identity}
            return
        if self._dropped and identity not in self._filled:
            _start_once(trial, setting, say)
        self._filled.add(identity)


def _identity(cell: Cell) -> Identity:
    return cell.scenario, cell.box, is_first_start(cell.factors)


def _is_cold(cell: Cell) -> bool:
    return cell.factors.get("cache") == "cold"


def _start_once(trial: Trial, setting: Setting, say: Callable[[str], None]) -> None:
    unmeasured = trial.model_copy(update={"number": _FIRST_NUMBER + trial.number, "warmup": True})
    record, _ = run_trial(unmeasured, setting)
    if record.failure is not None:
        say(
            f"{trial.cell.key}: the start that fills the host's caches before {trial.id} failed, so that trial may be "
            f"partly cold: {record.failure.message}"
        )
