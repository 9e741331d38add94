"""What a sweep found: a band of each quantity at each point of the grid, and ratios of targets from the same luck."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from bench.sim.answer.answer import Band, Distance
from bench.sim.answer.distance import farthest, refuse_beyond
from bench.sim.answer.terms import Terms
from bench.sim.answer.warnings import warnings_of
from bench.sim.model.file import Model
from bench.sim.sweep.file import Law
from bench.sim.sweep.parameters import Value
from bench.sim.sweep.plan import Plan, Unit
from bench.sim.sweep.question import Bands, Runs
from bench.sim.sweep.samples import Samples

Floats = NDArray[np.float64]


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
    merger = _Merger(plan, model, done, digest=digest)
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
        assumed=(*assumed, *plan.cut, *merger.taken()),
        unanswered=plan.unanswered,
        left_out=plan.left_out,
        warnings=merger.warnings(),
    )


def _changing(plan: Plan) -> set[str]:
    return {*plan.sweep.axes, *plan.sweep.uncertain}


class _Merger:
    """Raises NotInDataError when it is made: a point is too far beyond the data, and nobody has allowed it."""

    def __init__(self, plan: Plan, model: Model, done: Mapping[str, Samples], *, digest: str) -> None:
        self._plan, self._done = plan, done
        self._terms = Terms(
            model=model,
            digest=digest,
            seed=plan.sweep.seed,
            draws=plan.draws,
            replications=plan.sweep.replications,
            beyond=plan.beyond,
        )
        self._units: dict[tuple[int, str], list[Unit]] = {}
        for unit in plan.units:
            self._units.setdefault((unit.cell, unit.target), []).append(unit)
        self._runs = [{target: self._runs_of(cell, target) for target in plan.targets} for cell in self._cells]
        """By point and target, as all that follow."""
        self._far = [{target: self._distances(runs) for target, runs in point.items()} for point in self._runs]

    def points(self) -> Iterator[PointResult]:
        """In order of the grid, of targets, and of quantities; ratios follow the targets of their point."""
        for cell in self._cells:
            bands = {
                target: self._plan.question.bands(some, self._far[cell][target])
                for target, some in self._runs[cell].items()
            }
            for target in self._plan.targets:
                for name, quantity in self._plan.question.quantities.items():
                    yield PointResult(
                        at=dict(self._plan.cells[cell]),
                        target=target,
                        name=name,
                        unit=quantity.unit,
                        band=bands[target].band(name),
                        times=farthest(self._far[cell][target]),
                    )
            yield from self._ratios(cell, bands)

    @property
    def _cells(self) -> range:
        return range(len(self._plan.cells))

    def _ratios(self, cell: int, bands: Mapping[str, Bands]) -> Iterator[PointResult]:
        base = self._plan.baseline
        for target in self._plan.targets:
            if target == base:
                continue
            one, other = (base, target) if self._plan.question.more_is_better else (target, base)
            for name in self._plan.question.quantities:
                band = bands[one].ratio(bands[other], name)
                if band is None:
                    continue
                yield PointResult(
                    at=dict(self._plan.cells[cell]),
                    target=f"{one} : {other}",
                    name=name,
                    unit="ratio",
                    band=band,
                    times=farthest([*self._far[cell][target], *self._far[cell][base]]),
                )

    def _runs_of(self, cell: int, target: str) -> list[Runs]:
        question = self._plan.question
        return [
            Runs(
                terms=self._terms,
                target=target,
                values=unit.values,
                samples={name: self._done[unit.key].of(name) for name in question.sampled},
            )
            for unit in self._units[cell, target]
        ]

    def _distances(self, runs: Sequence[Runs]) -> list[Distance]:
        """Of a point's samples. Raises NotInDataError."""
        found = [distance for one in runs for distance in self._plan.question.distances(one)]
        refuse_beyond(found, allowed=self._plan.beyond)
        return found

    def taken(self) -> Iterator[str]:
        """What is taken for granted at any point, each sentence once."""
        plan = self._plan
        lines = (
            line for unit in plan.units for line in plan.question.taken(self._terms.model, unit.target, unit.values)
        )
        return iter(dict.fromkeys(lines))

    def warnings(self) -> tuple[str, ...]:
        """What stands above the results."""
        distances = [one for by_target in self._far for some in by_target.values() for one in some]
        return warnings_of(self._terms.model, self._plan.targets, distances)

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
