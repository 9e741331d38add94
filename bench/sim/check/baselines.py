"""Predictions that need no simulation. A model that is no better than they are explains nothing.

``constant``: a start takes as long as a single one, whoever else starts.
``CPU only``: the CPUs share the work of all boxes equally, and nothing else delays them: max(T1, N W / c), with T1 the
    time and W the CPU time of a single start.
``line``: D + s N, fitted by least squares to the storms that the model was fitted to, each statistic on its own. It
    has no mechanism, but it has seen how storms grow.
``CPU only with spread``: as many independent single starts as the storm has boxes, put in order, times
    max(1, N W / (c T1)). CPU only has one time for the first, the median and the last box, so any spread between them
    would earn skill over it; over this one it does not.
``shared CPUs``: the same starts, of unlike work, on CPUs that they share equally: who needs less is up earlier, and the
    last one at N W / c.

Where boxes are not requested at once, max(T1, N W / c) is nobody's prediction. Then ``CPU only`` is the simulated storm
of boxes that do nothing but wait T1 - W and work W (what W is beyond T1 is background work), each from its own request;
``CPU only with spread`` is as many times longer as that is; there is no ``shared CPUs``.

The first three are a number times the ratios of single starts to their own median, which is the noise that single
starts show: each is a distribution, so that its score is comparable with a model's. The other two are distributions
already.

Of the CPU time per start there are two: CPU only takes it to be that of a single start, however many start; and the
line through the fitted storms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.check.levels import TIMES, Measured, StormNumber, ranks_of
from bench.sim.check.scores import Sample, equal_weights
from bench.sim.check.sharing import ordered_starts, shared_cpus
from bench.sim.observe.levels import Level
from bench.sim.observe.schedules import is_staggered
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues

Floats = NDArray[np.float64]
Schedules = Sequence[NDArray[np.int64]]

CONSTANT: Final = "constant"
CPU_ONLY: Final = "CPU only"
LINE: Final = "line"
SPREAD: Final = "CPU only with spread"
SHARED: Final = "shared CPUs"
BASELINES: Final = (CONSTANT, CPU_ONLY, LINE, SPREAD, SHARED)
CPU_TIME: Final = (CPU_ONLY, SPREAD, SHARED)
"""Those that know CPU time and nothing else of how starts slow each other down."""


@dataclass(frozen=True, kw_only=True)
class Solo:
    """What is known of a single start."""

    times: Sample
    """ns, of single starts: measured ones, or a model's."""
    cpu_ns: float | None
    """CPU time of one start; None: it was not measured."""
    cpu_times: Sample | None = None
    """ns, the CPU times of single starts; None: not measured."""


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """The predictions for one target."""

    solo: Solo
    cpus: int
    lines: Mapping[StormNumber, tuple[float, float]]
    """D and s in ns; empty: fewer than two levels were fitted."""

    def predict(
        self, level: Level, statistic: StormNumber, *, schedules: Schedules = (), published: bool = False
    ) -> dict[str, Sample]:
        """The predicted distributions, ns, by baseline; without those that the data of the fit do not give.

        Args:
            schedules: when boxes are requested, of one storm each, ns; none: all at once.
            published: of a row of a table, whose median is another one (``bench.sim.observe.medians``).
        """
        alone = self.solo.cpu_times if statistic is StormNumber.CPU else self.solo.times
        found: dict[str, Sample] = {}
        if alone is not None and statistic in self.lines:
            at_none, per_box = self.lines[statistic]
            found[LINE] = _scaled(alone, (at_none + per_box * level.boxes) / alone.median)
        if alone is not None and statistic is StormNumber.CPU:
            found[CPU_ONLY] = alone
        if statistic is not StormNumber.CPU:
            found |= self._times(level, ranks_of(statistic, level.boxes, published=published), schedules)
        return {name: found[name] for name in BASELINES if name in found}

    def _times(self, level: Level, ranks: tuple[int, ...], schedules: Schedules) -> dict[str, Sample]:
        """Those of a time, without the line."""
        alone, cpu_ns, boxes = self.solo.times, self.solo.cpu_ns, level.boxes
        if cpu_ns is None:
            return {CONSTANT: alone}
        if is_staggered(schedules):
            longer = self._longer(schedules, ranks, alone.median, cpu_ns)
            spread = _scaled(ordered_starts(alone, boxes, ranks), longer)
            return {CONSTANT: alone, CPU_ONLY: _scaled(alone, longer), SPREAD: spread}
        longer = max(1.0, boxes * cpu_ns / self.cpus / alone.median)
        return {
            CONSTANT: alone,
            CPU_ONLY: _scaled(alone, longer),
            SPREAD: _scaled(ordered_starts(alone, boxes, ranks), longer),
            SHARED: shared_cpus(alone, cpu_ns, cpus=self.cpus, boxes=boxes, ranks=ranks),
        }

    def _longer(self, schedules: Schedules, ranks: tuple[int, ...], alone_ns: float, cpu_ns: float) -> float:
        """By how much the CPUs alone make a start longer, in the middle of storms with these schedules."""
        works = min(alone_ns, cpu_ns)
        stage = StageValues(
            endpoint=Endpoint.READY,
            delay_ns=round(alone_ns - works),
            work_ns=round(works),
            background_ns=round(cpu_ns - works),
        )
        values = TargetValues(stages=(stage,))
        found = []
        for schedule in {one.tobytes(): one for one in schedules}.values():
            starts = simulate_starts(values, cpus=self.cpus, scheduled_ns=schedule)
            found.append(float(np.sort(starts.times_ns[Endpoint.READY])[list(ranks)].mean()))
        return float(np.median(found)) / alone_ns


def _scaled(sample: Sample, factor: float) -> Sample:
    return Sample(sample.values * factor, sample.weights)


def solo_of(fitted: Mapping[Level, Measured]) -> Solo | None:
    """Single starts on an empty host, from what the fit has used; None when it has used none."""
    alone = fitted.get(Level(boxes=1))
    times = np.empty(0) if alone is None else alone.values.get(StormNumber.LAST, np.empty(0))
    known = times[np.isfinite(times)]
    if alone is None or not len(known):
        return None
    cpu, _ = alone.seen(StormNumber.CPU)
    if not len(cpu):
        return Solo(times=equal_weights(known), cpu_ns=None)
    return Solo(times=equal_weights(known), cpu_ns=float(np.median(cpu)), cpu_times=equal_weights(cpu))


def make_baselines(solo: Solo, fitted: Mapping[Level, Measured], cpus: int) -> Baselines:
    """The baselines of one target, from what the fit has used."""
    found = {statistic: _line(fitted, statistic) for statistic in StormNumber}
    lines = {statistic: line for statistic, line in found.items() if line is not None}
    return Baselines(solo=solo, cpus=cpus, lines=lines)


def _line(fitted: Mapping[Level, Measured], statistic: StormNumber) -> tuple[float, float] | None:
    """Least squares through the medians of the levels on an empty host."""
    points = [
        (float(level.boxes), float(np.median(one.seen(statistic)[0])))
        for level, one in fitted.items()
        if not level.residents and _has(one, statistic)
    ]
    known = [(boxes, value) for boxes, value in points if math.isfinite(value)]
    if len({boxes for boxes, _ in known}) < 2:
        return None
    boxes, values = np.array(known, dtype=np.float64).T
    slope = float(((boxes - boxes.mean()) * (values - values.mean())).sum() / ((boxes - boxes.mean()) ** 2).sum())
    return float(values.mean() - slope * boxes.mean()), slope


def _has(measured: Measured, statistic: StormNumber) -> bool:
    if statistic in TIMES:
        return statistic in measured.values
    return bool(np.isfinite(measured.cpu_per_start_ns).any())
