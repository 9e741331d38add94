"""The predictor that the project forbids by name: it draws single starts and multiplies them, whoever else starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.sim.check.baselines import Solo
from bench.sim.check.levels import StormNumber, measured_levels
from bench.sim.check.predict import Prediction, TargetStorm
from bench.sim.check.scores import Sample
from bench.sim.observe.levels import Level
from bench.sim.observe.trials import Observations

_STORMS: Final = 800


@dataclass(frozen=True, kw_only=True)
class ReplayAndMultiply:
    """Single starts that were measured, times max(1, N / c) or max(1, N W / (c T1))."""

    fitted: Observations
    by_cpu: bool = True
    """Whether it knows the CPU time W of a start."""
    of_storm: float = 0.0
    """0: every box has a single start of its own. Else the boxes of a storm have one in common, and this is the power
    of its ratio to the median."""
    ramp: float = 1.0
    """The first box of a storm over the last one."""

    def knows(self, label: str, /) -> bool:
        return label in self.fitted.targets

    def storm(self, storm: TargetStorm) -> Prediction:
        rng, boxes = np.random.default_rng(1), storm.level.boxes
        alone = measured_levels(self.fitted.targets[storm.label])[Level(boxes=1)]
        starts = alone.values[StormNumber.LAST]
        middle = float(np.median(starts))
        drawn = rng.choice(starts, (_STORMS, 1 if self.of_storm else boxes))
        shrunk = middle * (drawn / middle) ** (self.of_storm or 1.0)
        load = float(np.nanmedian(alone.cpu_per_start_ns)) / middle if self.by_cpu else 1.0
        longer = max(1.0, boxes / storm.cpus * load)
        times = shrunk * longer * np.linspace(self.ramp, 1.0, boxes)[None, :]
        return Prediction(times, np.full(_STORMS, 1 / _STORMS))

    def solo(self, _label: str, _cpus: int, /) -> Solo | None:
        return None

    def memory(self, _label: str, _boxes: int, /) -> Sample | None:
        return None


def toys(fitted: Observations) -> dict[str, ReplayAndMultiply]:
    """By what they do: those that an audit found to pass for a model."""
    return {
        "a start for each box": ReplayAndMultiply(fitted=fitted),
        "a start for each storm, ramp 0.85": ReplayAndMultiply(fitted=fitted, of_storm=1.0, ramp=0.85),
        "the same with less noise": ReplayAndMultiply(fitted=fitted, of_storm=0.6, ramp=0.85),
    }
