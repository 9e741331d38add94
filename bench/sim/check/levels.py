"""What a storm of so many boxes showed: the times of its first box, of half of its boxes and of its last box, and the
CPU time per start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.observe.levels import Level
from bench.sim.observe.medians import median_of, median_places
from bench.sim.observe.schedules import check_one_schedule, is_staggered
from bench.sim.observe.trials import StartTrial, SummaryRow, TargetObservations

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TOTAL: Final = "total"
"""The component of a trial's CPU time that has everything that worked for its boxes."""


class StormNumber(StrEnum):
    """A number of a storm: a time, since the request of the box that it is of, or the CPU time per start."""

    FIRST = "first"
    MEDIAN = "p50"
    LAST = "last"
    CPU = "CPU"
    """CPU time of everything that worked for the boxes until the last one was up, divided by their number."""


TIMES: Final = (StormNumber.FIRST, StormNumber.MEDIAN, StormNumber.LAST)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All storms of one level of one target, in the order in which they ran."""

    level: Level
    blocks: Ints
    """(storms,) The block of each; of a table 0."""
    values: Mapping[StormNumber, Floats]
    """(storms,) ns, of each of TIMES; inf: the box never got there. A published row lacks what it does not state."""
    cpu_per_start_ns: Floats
    """(storms,) CPU time of everything that worked for the boxes, divided by their number; NaN: not measured."""
    schedules: tuple[Ints, ...]
    """When each box was requested, ns since the first; of one storm each."""
    summary: bool
    """Whether this is one row that others summarised."""

    @property
    def storms(self) -> int:
        """How many there are."""
        return len(self.blocks)

    @property
    def staggered(self) -> bool:
        """Whether boxes were not requested all at once."""
        return is_staggered(self.schedules)

    @property
    def scored(self) -> tuple[StormNumber, ...]:
        """Its numbers, without repeating a box: half of two boxes is the first one, in our own storms."""
        wanted = scored_times(self.level.boxes, published=self.summary)
        times = tuple(one for one in wanted if one in self.values)
        return (*times, StormNumber.CPU) if np.isfinite(self.cpu_per_start_ns).any() else times

    def seen(self, statistic: StormNumber) -> tuple[Floats, Ints]:
        """(storms,) The statistic of each storm that has it, and the storms' blocks."""
        if statistic is not StormNumber.CPU:
            return self.values[statistic], self.blocks
        known = np.isfinite(self.cpu_per_start_ns)
        return self.cpu_per_start_ns[known], self.blocks[known]


def scored_times(boxes: int, *, published: bool) -> tuple[StormNumber, ...]:
    """The times of a storm of so many boxes that differ."""
    if boxes == 1:
        return (StormNumber.LAST,)
    return (StormNumber.FIRST, StormNumber.LAST) if boxes == 2 and not published else TIMES


def ranks_of(statistic: StormNumber, boxes: int, *, published: bool) -> tuple[int, ...]:
    """Which of the ascending times of so many boxes, from 0, have the statistic as their mean; it is one of TIMES."""
    if statistic is StormNumber.MEDIAN:
        return median_places(boxes, published=published)
    return (0,) if statistic is StormNumber.FIRST else (boxes - 1,)


def statistic_of(times: Floats, statistic: StormNumber, *, published: bool) -> Floats:
    """One of TIMES over the last axis of ``times``, shape (..., boxes); inf is a box that never got there."""
    ascending = np.sort(times, axis=-1)
    if statistic is StormNumber.MEDIAN:
        return median_of(ascending, published=published)
    found: Floats = ascending[..., 0 if statistic is StormNumber.FIRST else -1]
    return found


def measured_levels(target: TargetObservations) -> dict[Level, Measured]:
    """Everything that was seen of the target's starts, by level, ascending.

    Raises:
        UsageError: storms of one level were requested in different ways.
    """
    found: dict[Level, list[StartTrial]] = {}
    for trial in target.starts:
        found.setdefault(Level(boxes=trial.boxes, residents=trial.residents), []).append(trial)
    for level, trials in found.items():
        check_one_schedule(target.label, level, trials)
    levels = {level: _of_trials(level, trials, target.goal) for level, trials in found.items()}
    levels |= {Level(boxes=row.boxes): _of_row(row) for row in target.rows}
    return dict(sorted(levels.items()))


def _of_trials(level: Level, trials: Iterable[StartTrial], goal: Endpoint) -> Measured:
    ordered = sorted(trials, key=lambda trial: (trial.sitting, trial.block))
    times = [trial.times_ns[goal].astype(np.float64) for trial in ordered]
    return Measured(
        level=level,
        blocks=np.array([trial.block for trial in ordered], dtype=np.int64),
        values={
            statistic: np.array([float(statistic_of(one, statistic, published=False)) for one in times], np.float64)
            for statistic in TIMES
        },
        cpu_per_start_ns=np.array([_cpu_per_start(trial) for trial in ordered], dtype=np.float64),
        schedules=tuple(trial.scheduled_ns for trial in ordered),
        summary=False,
    )


def _cpu_per_start(trial: StartTrial) -> float:
    # Other components are parts of the total, or are not of the boxes. No start takes no CPU time: 0 is not measured.
    total = trial.cpu_ns.get(TOTAL)
    return total / trial.boxes if total else math.nan


def _of_row(row: SummaryRow) -> Measured:
    stated = {StormNumber.FIRST: row.first_ns, StormNumber.MEDIAN: row.median_ns, StormNumber.LAST: row.last_ns}
    if row.boxes == 1:
        # One box is the first, half of all, and the last.
        known = next((value for value in (row.last_ns, row.median_ns, row.first_ns) if value is not None), None)
        stated = dict.fromkeys(TIMES, known)
    return Measured(
        level=Level(boxes=row.boxes),
        blocks=np.zeros(1, dtype=np.int64),
        values={name: np.array([value], dtype=np.float64) for name, value in stated.items() if value is not None},
        cpu_per_start_ns=np.array([row.cpu_per_start_ns or math.nan], dtype=np.float64),
        # Others' storms request all boxes at once, unless their table says otherwise, which none of the columns does.
        schedules=(np.zeros(row.boxes, dtype=np.int64),),
        summary=True,
    )
