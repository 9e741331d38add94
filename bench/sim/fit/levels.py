"""What a fit compares: logarithms of the first, the median and the last box, and of CPU time, of each kind of trial.

A level is a number of boxes requested at once beside a number of residents. Its statistics are one value per trial;
trials are the sample, since the boxes of one trial affect each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.observe.levels import Level
from bench.sim.observe.medians import median_of
from bench.sim.observe.schedules import check_one_schedule
from bench.sim.observe.trials import StartTrial, TargetObservations

Floats = NDArray[np.float64]

CPU: Final = "cpu"
LEAST_SHARE: Final = 0.03
"""Stages that take less than this share of a start are not compared: no lock in them could be seen."""


class Statistic(NamedTuple):
    """One number of a trial: of which level, of which endpoint, and which one of its boxes.

    ``of`` is ``first``, ``last``, ``median`` (of an even number of boxes the earlier one, as in reports), or ``middle``
    (the mean of both, as in tables); or ``cpu``, CPU time per box, and then ``endpoint`` is the goal.
    """

    level: Level
    endpoint: Endpoint
    of: str


@dataclass(frozen=True)
class LevelData:
    """The trials of one level.

    Attributes:
        trials: with all boxes at the goal.
        lost: trials in which a box never got there; they are left out.
        schedules: different schedules of the trials, each with its share of the trials.
    """

    level: Level
    trials: tuple[StartTrial, ...]
    lost: int
    schedules: tuple[tuple[NDArray[np.int64], float], ...] = field(default=())


def levels_of(target: TargetObservations) -> tuple[LevelData, ...]:
    """The levels of a target that have a whole trial, ascending.

    Raises:
        UsageError: storms of one level were requested in different ways.
    """
    by_level: dict[Level, list[StartTrial]] = {}
    for trial in target.starts:
        by_level.setdefault(Level(boxes=trial.boxes, residents=trial.residents), []).append(trial)
    found = []
    for level in sorted(by_level, key=lambda level: (level.boxes, level.residents)):
        check_one_schedule(target.label, level, by_level[level])
        whole = tuple(trial for trial in by_level[level] if np.isfinite(trial.times_ns[target.goal]).all())
        if whole:
            lost = len(by_level[level]) - len(whole)
            found.append(LevelData(level, whole, lost, _schedules(whole)))
    return tuple(found)


def _schedules(trials: Sequence[StartTrial]) -> tuple[tuple[NDArray[np.int64], float], ...]:
    by_content: dict[bytes, list[StartTrial]] = {}
    for trial in trials:
        by_content.setdefault(trial.scheduled_ns.tobytes(), []).append(trial)
    return tuple((group[0].scheduled_ns, len(group) / len(trials)) for group in by_content.values())


def compared_endpoints(endpoints: Sequence[Endpoint], stages_ns: Floats) -> tuple[Endpoint, ...]:
    """The ends of stages that take a visible share of a start, with the goal.

    Args:
        stages_ns: (stages,) of a single start.
    """
    least = LEAST_SHARE * stages_ns.sum()
    inner = [end for end, took in zip(endpoints[:-1], stages_ns[:-1], strict=True) if took >= least]
    return (*inner, endpoints[-1])


def statistics_of(level: Level, endpoints: Sequence[Endpoint]) -> tuple[Statistic, ...]:
    """The statistics of a level; a single box has no first and no last."""
    goal = endpoints[-1]
    inner = [Statistic(level, end, "median") for end in endpoints[:-1]]
    shares = ["median"] if level.boxes == 1 else ["first", "last"] if level.boxes == 2 else ["first", "median", "last"]
    return (*inner, *(Statistic(level, goal, share) for share in shares), Statistic(level, goal, CPU))


def times_of(statistic: Statistic, times: Mapping[Endpoint, NDArray[Any]]) -> NDArray[Any]:
    """One statistic of times that are (..., boxes), ns: (...)."""
    ascending = np.sort(times[statistic.endpoint], axis=-1)
    if statistic.of == "first":
        return ascending[..., 0]
    if statistic.of == "last":
        return ascending[..., -1]
    if statistic.of == "middle":
        return median_of(ascending, published=True)
    return median_of(ascending, published=False)


def values_of(
    data: LevelData, statistics: Sequence[Statistic]
) -> tuple[tuple[Statistic, Floats, tuple[int, ...]], ...]:
    """Each statistic with its logarithm in every trial that has it, and the trials' blocks.

    A trial without CPU time, or one whose endpoint comes at 0, lacks that statistic.
    """
    found = []
    for statistic in statistics:
        pairs = [
            (float(np.log(value)), trial.block)
            for trial in data.trials
            if (value := _value(statistic, trial)) is not None and value > 0
        ]
        if pairs:
            logs, blocks = zip(*pairs, strict=True)
            found.append((statistic, np.array(logs), tuple(blocks)))
    return tuple(found)


def _value(statistic: Statistic, trial: StartTrial) -> float | None:
    if statistic.of == CPU:
        total = trial.cpu_ns.get("total")
        return None if total is None else total / trial.boxes
    return float(times_of(statistic, trial.times_ns))
