"""Predictions of storms and of memory, as weighted samples: every draw of the parameters with noise of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.sim.answer.bands import NOT_WIDENED, Widening
from bench.sim.answer.distance import storm_distances, widening
from bench.sim.answer.form import host_values
from bench.sim.check.baselines import Solo
from bench.sim.check.levels import StormNumber, statistic_of
from bench.sim.check.scores import Sample
from bench.sim.engine.rng import uniforms
from bench.sim.host.luck import trial_factors
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.observe.levels import Level
from bench.sim.starts import simulate_starts
from bench.sim.values import TargetValues

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PURPOSE: Final = 0x4802
"""Of the order in which samples get what the model misses; see ``bench.sim.engine.rng``."""


@dataclass(frozen=True, kw_only=True)
class TargetStorm:
    """Boxes of one target that are requested on a schedule, on one host."""

    label: str
    level: Level
    cpus: int
    schedules: tuple[Ints, ...]
    """At least one, ns since the first request, shape (boxes,) each. Samples take them in turn."""
    scatter: float = 0.0
    """What a row of a published table is off by of itself: a standard deviation of the logarithm."""


@dataclass(frozen=True)
class Prediction:
    """What a predictor says of one storm."""

    times: Floats
    """(samples, boxes) ns since each box's own request."""
    weights: Floats
    """(samples,) Their sum is 1."""
    cpu_ns: Floats | None = None
    """(samples,) CPU time per start until the last box is up; None: not predicted."""
    widening: Widening = NOT_WIDENED
    """Of bands, because the storm lies beyond the data."""

    def sample(self, statistic: StormNumber, *, published: bool = False) -> Sample | None:
        """The distribution of one statistic; None: it is not predicted.

        Args:
            published: of a row of a table, whose median is another one (``bench.sim.observe.medians``).
        """
        return self.cpu if statistic is StormNumber.CPU else self.time(statistic, published=published)

    def time(self, statistic: StormNumber, *, published: bool = False) -> Sample:
        """The distribution of a time."""
        return Sample(statistic_of(self.times, statistic, published=published), self.weights)

    @property
    def cpu(self) -> Sample | None:
        """The distribution of the CPU time per start; None: it is not predicted."""
        return None if self.cpu_ns is None else Sample(self.cpu_ns, self.weights)


class Predictor(Protocol):
    """Anything that predicts storms. The caller answers for what it was made from: nothing that it is scored on."""

    def knows(self, label: str) -> bool:
        """Whether it has predictions for a target."""

    def storm(self, storm: TargetStorm) -> Prediction:
        """The predicted times."""

    def solo(self, label: str, cpus: int, /) -> Solo | None:
        """Single starts, for the baselines where the data of the fit are not at hand; None: unknown."""

    def memory(self, label: str, boxes: int, /) -> Sample | None:
        """What daemons and so many boxes take of the host's memory, bytes; None: not predicted."""


@dataclass(frozen=True, kw_only=True)
class ModelPredictor:
    """A fitted model as a predictor."""

    model: Model
    seed: int
    replications: int = 2
    """Storms with fresh noise for each draw."""

    def knows(self, label: str) -> bool:
        """Whether the model has the target."""
        return label in self.model.targets

    def storm(self, storm: TargetStorm) -> Prediction:
        """Simulate the storm for every draw. The same sample has the same luck in all targets and levels.

        Samples are multiplied by a two-sided log-normal: what the model misses even of the data that it was fitted to,
        and what a published row scatters by.
        """
        model, level = self.model, storm.level
        distances = storm_distances(model, storm.label, boxes=level.boxes, cpus=storm.cpus, residents=level.residents)
        times, cpu_ns = self._samples(storm)
        missed = self._missed(math.hypot(model.targets[storm.label].misfit, storm.scatter))
        return Prediction(
            times=times * missed[:, None],
            weights=np.repeat(self._weights() / self.replications, self.replications),
            cpu_ns=cpu_ns * missed,
            widening=widening(model.discrepancy, distances),
        )

    def _samples(self, storm: TargetStorm) -> tuple[Floats, Floats]:
        """(samples, boxes) times, and (samples,) CPU time per start, of every draw, ns."""
        found = []
        for draw in range(len(self.model.weights)):
            values = host_values(
                self.model, storm.label, draw, cpus=storm.cpus, boxes=storm.level.boxes, seed=self.seed
            )
            for replication in range(self.replications):
                found.append(self._sample(values, storm, draw * self.replications + replication))
        times, cpu_ns = zip(*found, strict=True)
        return np.array(times, dtype=np.float64), np.array(cpu_ns, dtype=np.float64)

    def _missed(self, misfit: float) -> Floats:
        """(samples,) Factors: the middles of so many equally probable parts, in an order that the seed draws."""
        count = len(self.model.weights) * self.replications
        order = np.argsort(uniforms(self.seed, PURPOSE, 0, np.arange(count)), kind="stable")
        found: Floats = np.exp(misfit * ndtri((order + 0.5) / count))
        return found

    def _weights(self) -> Floats:
        weights = np.asarray(self.model.weights, dtype=np.float64)
        found: Floats = weights / weights.sum()
        return found

    def _sample(self, values: TargetValues, storm: TargetStorm, sample: int) -> tuple[Ints, float]:
        """(boxes,) times, and the CPU time per start until the last box is up, as a campaign records it, ns."""
        luck = trial_factors(values, seed=self.seed, trial=sample, boxes=storm.level.boxes)
        scheduled = storm.schedules[sample % len(storm.schedules)]
        starts = simulate_starts(
            values, cpus=storm.cpus, scheduled_ns=scheduled, residents=storm.level.residents, noise=luck
        )
        times = starts.times_ns[values.stages[-1].endpoint]
        return times, starts.cpu_until_up_ns / len(times)

    def solo(self, label: str, cpus: int) -> Solo | None:
        """Single starts of the model, with their CPU time until they are up."""
        alone = TargetStorm(label=label, level=Level(boxes=1), cpus=cpus, schedules=(np.zeros(1, dtype=np.int64),))
        found = self.storm(alone)
        times, cpu = found.time(StormNumber.LAST), found.cpu
        if cpu is None or not cpu.median:
            return Solo(times=times, cpu_ns=None)
        return Solo(times=times, cpu_ns=cpu.median, cpu_times=cpu)

    def memory(self, label: str, boxes: int) -> Sample | None:
        """The line fixed + slope x boxes of every draw; None: the model has no memory of this target."""
        found = []
        for draw in range(len(self.model.weights)):
            values = target_values(self.model, label, draw)
            if values.memory_fixed_bytes is None or values.memory_slope_bytes is None:
                return None
            found.append(values.memory_fixed_bytes + values.memory_slope_bytes * boxes)
        return Sample(np.array(found, dtype=np.float64), self._weights())
