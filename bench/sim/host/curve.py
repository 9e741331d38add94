"""The capacity curve: the time until all boxes of a storm are up over their number, and storms that were measured."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import BaseModel, ConfigDict

from bench.sim.answer.answer import Band, LimitName
from bench.sim.observe.medians import median_of
from bench.sim.observe.trials import Observations, StartTrial


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CurvePoint(_Frozen):
    """One size of storm of one target."""

    target: str
    boxes: int
    last: Band
    """ns."""
    median: Band
    """ns."""
    bottleneck: LimitName
    beyond: bool
    """Whether it lies beyond the data on any axis."""


class MeasuredStorm(_Frozen):
    """One storm that was measured, or the summary of some that were published."""

    target: str
    boxes: int
    residents: int
    cpus: int
    last_ns: float
    median_ns: float | None
    """As of a simulated storm: of an even number of boxes the earlier of the two in the middle. A table has its own."""


class Curve(_Frozen):
    """The points of all targets, and what was measured on a host with as many CPUs or with others."""

    cpus: int
    points: tuple[CurvePoint, ...]
    measured: tuple[MeasuredStorm, ...] = ()
    short: str = ""
    """What all points have in common, in few words: ``boxes requested at once, 2 CPUs``."""

    @property
    def targets(self) -> tuple[str, ...]:
        """In the order of the question."""
        return tuple(dict.fromkeys(point.target for point in self.points))

    def of(self, target: str) -> tuple[CurvePoint, ...]:
        """The points of one target, ascending by boxes."""
        return tuple(point for point in self.points if point.target == target)


def measured_storms(observations: Observations) -> tuple[MeasuredStorm, ...]:
    """What observations hold of single starts and of storms whose boxes were all requested at once.

    Storms with lost boxes have no last one and are left out.
    """
    cpus = observations.sources[0].cpus
    return tuple(_storms(observations, cpus))


def _storms(observations: Observations, cpus: int) -> Iterator[MeasuredStorm]:
    for target, seen in observations.targets.items():
        for trial in seen.starts:
            times = np.asarray(trial.times_ns[seen.goal])
            if np.isfinite(times).all() and not trial.scheduled_ns.any():
                yield _storm(target, trial, times, cpus)
        for row in seen.rows:
            if row.last_ns is not None:
                yield MeasuredStorm(
                    target=target, boxes=row.boxes, residents=0, cpus=cpus, last_ns=row.last_ns, median_ns=row.median_ns
                )


def _storm(target: str, trial: StartTrial, times: np.ndarray, cpus: int) -> MeasuredStorm:
    return MeasuredStorm(
        target=target,
        boxes=trial.boxes,
        residents=trial.residents,
        cpus=cpus,
        last_ns=float(times.max()),
        median_ns=float(median_of(np.sort(times), published=False)),
    )
