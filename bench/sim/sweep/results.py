"""What a sweep found: a band of each quantity at each point of the grid, and ratios of targets from the same luck."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from bench.sim.answer.answer import Band, Distance
from bench.sim.answer.bands import Widening, band_of, ratio_band
from bench.sim.answer.distance import farthest, for_benefits, misfit_of, refuse_beyond, widening
from bench.sim.answer.warnings import warnings_of
from bench.sim.model.file import Model
from bench.sim.sweep.file import Law
from bench.sim.sweep.parameters import Value
from bench.sim.sweep.plan import Plan, Unit
from bench.sim.sweep.question import Quantity
from bench.sim.sweep.samples import Samples

Floats = NDArray[np.float64]

_MEMORY: Final = ("boxes", "hosts", "mean_hosts", "bytes", "cost")
"""Units of quantities that the memory of boxes decides; starts decide all others."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PointResult(_Frozen):
    """One quantity of one target, or of a pair of targets, at one point of the grid."""

    at: dict[str, Value]
    """The value of each axis."""
    target: str
    """Of a ratio ``libvirt/tcg : docker``."""
    name: str
    unit: str
    """``ratio`` of a pair of targets."""
    band: Band
    """Over draws of the model, noise, and samples of uncertain parameters."""
    times: float
    """How far the point lies beyond the data, on the axis on which it is farthest; at most 1: within the data."""


class Sensitivity(_Frozen):
    """How much of a quantity's variance an uncertain parameter explains."""

    target: str
    name: str
    parameter: str
    share: float
    """The squared rank correlation over the samples, pooled over the grid's points; in [0, 1]."""


class SweepResults(_Frozen):
    """The content of ``results.json``. Equal for every number of workers, order, scheduler and interruption."""

    question: str
    model: str
    """Digest of the model."""
    seed: int
    draws: int
    replications: int
    samples: int | None
    fixed: dict[str, Value]
    uncertain: dict[str, Law] = {}
    axes: dict[str, tuple[Value, ...]]
    targets: tuple[str, ...]
    baseline: str
    points: tuple[PointResult, ...]
    sensitivities: tuple[Sensitivity, ...] = ()
    assumed: tuple[str, ...] = ()
    """Sentences on parameters of the model that no data stand behind."""
    unanswered: tuple[str, ...] = ()
    """Sentences on targets that were asked about and are left out."""
    left_out: tuple[str, ...] = ()
    """Sentences on what the model does not have, and on what traces leave open."""
    warnings: tuple[str, ...] = ()
    """Sentences that stand above the results: far beyond the data, an emulated CPU, a model that was edited."""

    def text(self) -> str:
        """As the file holds it."""
        return json.dumps(self.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"

    def of(self, name: str, target: str) -> tuple[PointResult, ...]:
        """The points of one quantity of one target, in the order of the grid."""
        return tuple(one for one in self.points if one.name == name and one.target == target)


def results_of(
    plan: Plan, model: Model, done: Mapping[str, Samples], *, digest: str, assumed: Sequence[str] = ()
) -> SweepResults:
    """Bands from the samples of all units.

    Args:
        done: every unit of the plan, by key, with all of its draws.
        assumed: sentences for the reader.
    """
    merger = _Merger(plan, model, done)
    return SweepResults(
        question=plan.sweep.question,
        model=digest,
        seed=plan.sweep.seed,
        draws=len(plan.draws),
        replications=plan.sweep.replications,
        samples=plan.sweep.samples,
        fixed={name: value for name, value in plan.units[0].values.items() if name not in _changing(plan)},
        uncertain=dict(plan.sweep.uncertain),
        axes=dict(plan.axes),
        targets=plan.targets,
        baseline=plan.baseline,
        points=tuple(merger.points()),
        sensitivities=tuple(merger.sensitivities()),
        assumed=tuple(assumed),
        unanswered=plan.unanswered,
        left_out=plan.left_out,
        warnings=merger.warnings(),
    )


def _changing(plan: Plan) -> set[str]:
    return {*plan.sweep.axes, *plan.sweep.uncertain}


class _Merger:
    def __init__(self, plan: Plan, model: Model, done: Mapping[str, Samples]) -> None:
        self._plan, self._model, self._done = plan, model, done
        self._units: dict[tuple[int, str], list[Unit]] = {}
        for unit in plan.units:
            self._units.setdefault((unit.cell, unit.target), []).append(unit)
        weights = np.asarray(model.weights, dtype=np.float64)[list(plan.draws)]
        repeated = np.repeat(weights / weights.sum(), plan.sweep.replications)
        # Samples of uncertain parameters are equally likely.
        self._weights = np.tile(repeated, plan.sweep.samples or 1)
        self._far = [
            {target: self._distances(cell, target) for target in plan.targets} for cell in range(len(plan.cells))
        ]
        """By point and target."""

    def points(self) -> Iterator[PointResult]:
        """In order of the grid, of targets, and of quantities; ratios follow the targets of their point."""
        for cell, at in enumerate(self._plan.cells):
            wide = self._far[cell]
            caps = self._caps(cell)
            for target in self._plan.targets:
                for name, quantity in self._plan.question.quantities.items():
                    side = self._side(quantity, target, wide[target])
                    yield PointResult(
                        at=dict(at),
                        target=target,
                        name=name,
                        unit=quantity.unit,
                        band=_limited(band_of(self._values(cell, target, name), self._weights, side), caps.get(name)),
                        times=farthest(wide[target]),
                    )
            yield from self._ratios(cell, at, wide)

    def _ratios(
        self, cell: int, at: Mapping[str, Value], wide: Mapping[str, Sequence[Distance]]
    ) -> Iterator[PointResult]:
        base = self._plan.baseline
        for target in self._plan.targets:
            for name, quantity in self._plan.question.quantities.items():
                bases = self._values(cell, base, name)
                if target == base or not np.all(bases > 0):
                    continue
                sides = [self._side(quantity, one, wide[one]) for one in (target, base)]
                band = ratio_band(self._values(cell, target, name), bases, self._weights, *sides)
                times = farthest([*wide[target], *wide[base]])
                yield PointResult(
                    at=dict(at), target=f"{target} : {base}", name=name, unit="ratio", band=band, times=times
                )

    def _values(self, cell: int, target: str, name: str) -> Floats:
        return np.concatenate([self._done[unit.key].of(name) for unit in self._units[cell, target]])

    def _distances(self, cell: int, target: str) -> list[Distance]:
        """Of the point's samples. Raises NotInDataError: too far beyond the data, and nobody has allowed it."""
        question = self._plan.question
        found: list[Distance] = []
        for unit in self._units[cell, target]:
            found += question.distances(self._model, target, unit.values)
            if question.reached is not None:
                done = self._done[unit.key]
                samples = {one: done.of(one) for one in question.reached_names}
                found += question.reached(self._model, target, samples)
        refuse_beyond(found, allowed=self._plan.beyond)
        return found

    def _caps(self, cell: int) -> dict[str, float]:
        """What the point's hosts hold at most, by the names of quantities."""
        found: dict[str, float] = {}
        for unit in self._units[cell, self._plan.targets[0]]:
            for name, most in self._plan.question.caps(unit.values).items():
                found[name] = max(most, found.get(name, 0.0))
        return found

    def _side(self, quantity: Quantity, target: str, distances: Sequence[Distance]) -> Widening:
        """How much a band is widened: shares are not, since they cannot grow without end."""
        if quantity.unit == "share":
            return Widening()
        of_memory = quantity.unit in _MEMORY
        chosen = [one for one in distances if (one.axis == "memory") == of_memory]
        misfit = 0.0 if of_memory else misfit_of(self._model, [target])
        found = widening(self._model.discrepancy, chosen, misfit)
        return for_benefits(found) if quantity.benefit else found

    def warnings(self) -> tuple[str, ...]:
        """What stands above the results."""
        distances = [one for by_target in self._far for some in by_target.values() for one in some]
        return warnings_of(self._model, self._plan.targets, distances)

    def sensitivities(self) -> Iterator[Sensitivity]:
        """Of each target's first quantity, for each uncertain parameter."""
        name = next(iter(self._plan.question.quantities))
        for parameter in self._plan.sweep.uncertain if (self._plan.sweep.samples or 0) > 2 else ():
            for target in self._plan.targets:
                shares = [self._share(cell, target, name, parameter) for cell in range(len(self._plan.cells))]
                yield Sensitivity(
                    target=target, name=name, parameter=parameter, share=float(np.mean(shares)) if shares else 0.0
                )

    def _share(self, cell: int, target: str, name: str, parameter: str) -> float:
        units = self._units[cell, target]
        inputs = np.array([float(unit.values[parameter]) for unit in units])
        outputs = np.array([float(np.median(self._done[unit.key].of(name))) for unit in units])
        return rank_correlation(inputs, outputs) ** 2


def _limited(band: Band, most: float | None) -> Band:
    if most is None:
        return band
    ends = ("low95", "low80", "middle", "high80", "high95")
    return band.model_copy(update={end: min(getattr(band, end), most) for end in ends})


def rank_correlation(one: Floats, other: Floats) -> float:
    """Spearman's correlation; 0 when one of them does not change.

    Args:
        one: (n,)
        other: (n,)
    """
    first, second = _ranks(one), _ranks(other)
    first, second = first - first.mean(), second - second.mean()
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    """(n,) Ranks from 0; equal values share the mean of theirs."""
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return np.asarray((last - (counts - 1) / 2)[where])
