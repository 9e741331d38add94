"""Questions about one host, as a sweep asks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.sim.answer.answer import Band, Distance
from bench.sim.answer.bands import Widening, quantiles
from bench.sim.answer.distance import for_benefits, memory_distance, misfit_of, storm_distances, widening
from bench.sim.answer.form import form_sentences
from bench.sim.answer.terms import Terms
from bench.sim.host import density, reboot, storm
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.density import fitting
from bench.sim.host.mixed import Group, mixed_samples
from bench.sim.host.sides import Alone
from bench.sim.host.storm import run as run_storms
from bench.sim.host.times import LOWER, UPPER, Errors, time_band, time_ratio
from bench.sim.limits import MOST_BOXES
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.sweep.parameters import Parameter, Values
from bench.sim.sweep.question import CPUS, MEMORY, RESERVE, Bands, Floats, Quantity, Question, Runs, joined

_MOST_GAP_NS: Final = 24 * 3600 * 10**9
_BOXES_THAT_FIT: Final = "density.boxes"
_STORM: Final = ("last", "first", "median", "longest", "cpu")
_REBOOT: Final = ("all", "half", "p90", "first")
"""Names of numbers that the questions show; the first one is what figures show."""


@dataclass(frozen=True, kw_only=True)
class HostBands:
    """Numbers that all have one widening; of a storm on a schedule also numbers with errors of the model."""

    samples: Mapping[str, Floats]
    """By name: (runs,)"""
    weights: Floats
    """(runs,)"""
    wide: Widening

    def band(self, name: str) -> Band:
        """As ``Bands``."""
        return time_band(self.samples, name, self.weights, self.wide)

    def ratio(self, base: Bands, name: str) -> Band | None:
        """As ``Bands``."""
        assert isinstance(base, HostBands)
        if not np.all(base.samples[name] > 0):
            return None
        return time_ratio(self.samples, base.samples, name, self.weights, self.wide, base.wide)


def _of_times(runs: Sequence[Runs], distances: Sequence[Distance]) -> HostBands:
    """Beyond the data, and within them by what the model misses, a time may be longer."""
    samples, weights = joined(runs)
    if not any(one.values.get("interval") for one in runs):
        samples = {name: values for name, values in samples.items() if not name.endswith((LOWER, UPPER))}
    model = runs[0].terms.model
    wide = widening(model.discrepancy, distances, misfit_of(model, [runs[0].target]))
    return HostBands(samples=samples, weights=weights, wide=wide)


def _ends(names: Iterable[str]) -> list[str]:
    """The same numbers with errors of the model."""
    return [name + end for name in names for end in (LOWER, UPPER)]


def _with_ends(found: Mapping[str, Floats], names: Sequence[str], errors: Errors, terms: Terms) -> dict[str, Floats]:
    """These numbers, and what they are with errors of the model. At once all times are multiplied by the same."""
    if names[0] + UPPER in found:
        return {name: found[name] for name in (*names, *_ends(names))}
    first = terms.first * terms.replications
    factors = np.array([errors.of(first + place) for place in range(len(found[names[0]]))])
    ends = {name + end: found[name] * factors[:, column] for name in names for column, end in enumerate((LOWER, UPPER))}
    return {name: found[name] for name in names} | ends


def _side(target: str, values: Values) -> Alone:
    return Alone(
        target=target,
        cpus=int(values["cpus"]),
        residents=int(values["residents"]),
        arrivals=Arrivals(gap_ns=int(values["interval"])),
    )


def _storm(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    found = run_storms(terms, _side(target, values), int(values["boxes"]))
    errors = _errors(terms, target, _storm_distances(terms.model, target, values))
    return {f"storm.{name}": one for name, one in _with_ends(found, _STORM, errors, terms).items()}


def _errors(terms: Terms, target: str, distances: Iterable[Distance]) -> Errors:
    model = terms.model
    wide = widening(model.discrepancy, distances, misfit_of(model, [target]))
    return Errors(wide=wide, seed=terms.seed, label=target)


def _storm_distances(model: Model, target: str, values: Values) -> Iterable[Distance]:
    return _side(target, values).distances(model, int(values["boxes"]))


def _reboot(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    group = Group(target=target, boxes=int(values["boxes"]))
    arrivals = Arrivals(gap_ns=int(values["interval"]))
    errors = _errors(terms, target, _reboot_distances(terms.model, target, values))
    found = mixed_samples(terms, (group,), cpus=int(values["cpus"]), arrivals=arrivals, errors=errors).every
    return {f"reboot.{name}": one for name, one in _with_ends(found, _REBOOT, errors, terms).items()}


def _reboot_distances(model: Model, target: str, values: Values) -> Iterable[Distance]:
    return storm_distances(model, target, boxes=int(values["boxes"]), cpus=int(values["cpus"]), residents=0)


def _forms(model: Model, target: str, values: Values) -> Iterable[str]:
    return form_sentences(model, (target,), cpus=int(values["cpus"]), boxes=int(values["boxes"]))


def _boxes(values: Values) -> float:
    """What a storm takes grows with its boxes; the smallest ones take as long as 20 boxes."""
    return 20.0 + float(values["boxes"])


def _density(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    counts = [np.floor(fitting(target_values(terms.model, target, draw), _room(values))) for draw in terms.draws]
    # Memory has no noise of single runs.
    return {_BOXES_THAT_FIT: np.repeat(np.array(counts), terms.replications)}


def _room(values: Values) -> int:
    return int(values["memory"]) - int(values["reserve"])


def _planned_density(model: Model, target: str, values: Values) -> Iterable[Distance]:
    return (memory_distance(model, target, boxes=fitting(target_values(model, target, None), _room(values))),)


def _density_distances(runs: Runs) -> Iterable[Distance]:
    (middle,) = quantiles(runs.samples[_BOXES_THAT_FIT], runs.terms.weights, (0.5,))
    return (memory_distance(runs.terms.model, runs.target, boxes=middle),)


def _of_boxes(runs: Sequence[Runs], distances: Sequence[Distance]) -> HostBands:
    """Beyond the data fewer boxes may fit. What the model misses of times says nothing of memory."""
    samples, weights = joined(runs)
    wide = for_benefits(widening(runs[0].terms.model.discrepancy, distances))
    return HostBands(samples=samples, weights=weights, wide=wide)


_BOXES: Final = Parameter(kind="count", help=f"boxes that start, 1 to {MOST_BOXES}", least=1, most=MOST_BOXES)
_INTERVAL: Final = Parameter(kind="duration", help="time between requests, such as 50ms", default=0, most=_MOST_GAP_NS)

HOST_QUESTIONS: Final[Mapping[str, Question]] = {
    "storm": Question(
        parameters={
            "boxes": _BOXES,
            "cpus": CPUS,
            "residents": Parameter(
                kind="count", help=f"boxes that live already, 0 to {MOST_BOXES}", default=0, most=MOST_BOXES
            ),
            "interval": _INTERVAL,
        },
        quantities={f"storm.{name}": Quantity(unit="cpu_ns" if name == "cpu" else "ns") for name in _STORM},
        samples=_storm,
        more=tuple(f"storm.{name}" for name in _ends(_STORM)),
        planned=_storm_distances,
        distances=lambda runs: _storm_distances(runs.terms.model, runs.target, runs.values),
        bands=_of_times,
        taken=lambda model, target, values: _side(target, values).taken(model, int(values["boxes"])),
        left_out=lambda _values: storm.LEFT_OUT,
        load=_boxes,
    ),
    "reboot": Question(
        parameters={"boxes": _BOXES, "cpus": CPUS, "interval": _INTERVAL},
        quantities={f"reboot.{name}": Quantity(unit="ns") for name in _REBOOT},
        samples=_reboot,
        more=tuple(f"reboot.{name}" for name in _ends(_REBOOT)),
        planned=_reboot_distances,
        distances=lambda runs: _reboot_distances(runs.terms.model, runs.target, runs.values),
        bands=_of_times,
        taken=_forms,
        left_out=lambda _values: reboot.LEFT_OUT,
        load=_boxes,
    ),
    "density": Question(
        parameters={"memory": MEMORY, "reserve": RESERVE},
        quantities={_BOXES_THAT_FIT: Quantity(unit="boxes")},
        samples=_density,
        planned=_planned_density,
        distances=_density_distances,
        bands=_of_boxes,
        taken=lambda _model, _target, _values: (),
        left_out=lambda _values: density.LEFT_OUT,
        of_memory=True,
        more_is_better=True,
    ),
}
"""By name."""
