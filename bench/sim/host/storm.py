"""``storm``: how long until N boxes on c CPUs beside R residents are up, in one target against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Answer, Bottleneck, Influence, Quantity
from bench.sim.answer.bands import Widening, band_of, ratio_band
from bench.sim.answer.distance import for_benefits, refuse_beyond, widening
from bench.sim.answer.influence import bound_sentence, identify_sentences, influences
from bench.sim.answer.terms import Terms, assumed_of, emulated_sentences
from bench.sim.answer.words import box_text, count_text
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm
from bench.sim.host.headline import compared_headline
from bench.sim.host.sides import Luck, Side

Floats = NDArray[np.float64]
Samples = Mapping[str, Mapping[str, Floats]]
"""By side and name of the number: (draws x replications,)."""

LAST: Final = "storm.last"
UNITS: Final[Mapping[str, tuple[str, Literal["ns", "cpu_ns", "per_s"]]]] = {
    "last": (LAST, "ns"),
    "first": ("storm.first", "ns"),
    "p25": ("storm.p25", "ns"),
    "median": ("storm.median", "ns"),
    "p90": ("storm.p90", "ns"),
    "cpu": ("storm.cpu", "cpu_ns"),
    "throughput": ("storm.throughput", "per_s"),
    "lock_wait": ("storm.lock_wait", "ns"),
    "cpu_wait": ("storm.cpu_wait", "ns"),
}
"""Quantities by the name of their samples. The first one is what the answer is about."""
RATIOS: Final = ("last", "median", "cpu")
LEFT_OUT: Final = (
    "The model has no disk, no memory bandwidth, no NUMA, no image pull and no network. A storm that one of these "
    "limits is slower than the answer.",
)


@dataclass(frozen=True, kw_only=True)
class StormQuestion:
    """Storms of some sizes, each side alone on the host."""

    sizes: tuple[int, ...]
    """Numbers of boxes, ascending; the last one is the answer's, all of them are the curve's."""
    cpus: int
    sides: tuple[Side, ...]
    baseline: str
    """The label of the side that the others are compared with."""
    residents: int = 0
    arrivals: Arrivals = AT_ONCE

    @property
    def boxes(self) -> int:
        """The size that the answer is about."""
        return self.sizes[-1]

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the sides."""
        return tuple(side.label for side in self.sides)

    @property
    def targets(self) -> tuple[str, ...]:
        """Of the model, that the sides need."""
        return tuple(dict.fromkeys(target for side in self.sides for target in side.targets))

    @property
    def where(self) -> str:
        """``on 8 CPUs beside 20 boxes that live already``."""
        beside = f" beside {count_text(self.residents, 'box', 'boxes')} that live already" if self.residents else ""
        return f"on {count_text(self.cpus, 'CPU')}{beside}"

    def sentence(self) -> str:
        """The question as a sentence."""
        return (
            f"{box_text(self.boxes)} of {', '.join(self.labels)}, each alone, requested {self.arrivals.describe()} "
            f"{self.where}: when is the last one up?"
        )


class StormAnswer(Answer):
    """The answer to a storm question."""

    curve: Curve | None = None
    """When several sizes were asked for."""


def answer_storm(terms: Terms, question: StormQuestion, measured: Sequence[MeasuredStorm] = ()) -> StormAnswer:
    """Simulate and judge.

    Args:
        measured: storms that were measured, to be shown on the curve.

    Raises:
        NotInDataError: more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    model, sides = terms.model, question.sides
    distances = {side.label: side.distances(model, question.boxes) for side in sides}
    refuse_beyond([one for found in distances.values() for one in found], allowed=terms.beyond)
    runs = {side.label: run(terms, side, question.boxes) for side in sides}
    limits = {side.label: side.limit(terms, question.boxes) for side in sides}
    found = {side.label: _influences(terms, side, question.boxes) for side in sides}
    wide = {label: widening(model.discrepancy, distances[label]) for label in runs}
    own = [one for label in runs for one in _quantities(terms, label, runs, wide[label], found[label])]
    quantities = (*own, *_ratios(terms, question, runs, wide))
    return StormAnswer(
        question=question.sentence(),
        headline=_headline(question, quantities, limits),
        model=terms.digest,
        seed=terms.seed,
        draws=len(terms.draws),
        quantities=quantities,
        distances=tuple(one for label in runs for one in distances[label]),
        bottlenecks=tuple(limits.values()),
        influences=tuple(one for label in runs for one in found[label]),
        assumed=assumed_of(model, question.targets),
        identify=tuple(dict.fromkeys(one for label in runs for one in identify_sentences(model, found[label]))),
        left_out=(
            *emulated_sentences(question.targets),
            *(line for side in sides for line in side.assumptions()),
            *LEFT_OUT,
        ),
        curve=_curve(terms, question, runs, measured) if len(question.sizes) > 1 else None,
    )


def run(terms: Terms, side: Side, boxes: int) -> dict[str, Floats]:
    """Samples (draws x replications,) of every number of a side. Other sides have the same luck."""
    terms.say(f"{side.label}: {box_text(boxes)}, {len(terms.weights)} storms")
    found = [
        side.numbers(
            terms.model, draw, boxes, Luck(seed=terms.seed, trial=place * terms.replications + again), noise=True
        )
        for place, draw in enumerate(terms.draws)
        for again in range(terms.replications)
    ]
    return {name: np.array([one[name] for one in found]) for name in found[0]}


def _influences(terms: Terms, side: Side, boxes: int) -> tuple[Influence, ...]:
    terms.say(f"{side.label}: what decides the answer")
    luck = Luck(seed=terms.seed, trial=0)
    return influences(
        terms.model,
        side.targets,
        terms.draws,
        lambda model, draw: side.numbers(model, draw, boxes, luck, noise=False)["last"],
        answer=side.label,
    )


def _quantities(
    terms: Terms, label: str, runs: Samples, wide: Widening, found: tuple[Influence, ...]
) -> list[Quantity]:
    quantities = []
    for key, (name, unit) in UNITS.items():
        band = band_of(runs[label][key], terms.weights, for_benefits(wide) if unit == "per_s" else wide)
        bound = bound_sentence(terms.model, found, band, unit) if name == LAST else None
        quantities.append(Quantity(name=name, unit=unit, target=label, band=band, bound=bound))
    return quantities


def _ratios(terms: Terms, question: StormQuestion, runs: Samples, wide: Mapping[str, Widening]) -> list[Quantity]:
    base = question.baseline
    return [
        Quantity(
            name=UNITS[key][0],
            unit="ratio",
            target=f"{label} : {base}",
            band=ratio_band(runs[label][key], runs[base][key], terms.weights, wide[label], wide[base]),
        )
        for label in question.labels
        if label != base
        for key in RATIOS
        if np.all(runs[base][key] > 0)
    ]


def _headline(question: StormQuestion, quantities: Sequence[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    how = "" if question.arrivals == AT_ONCE else f", requested {question.arrivals.describe()},"
    return compared_headline(
        quantities,
        limits,
        name=LAST,
        targets=question.labels,
        baseline=question.baseline,
        lead=f"{question.where} the last of {box_text(question.boxes)}{how} is up after {{}}",
        relation="{other} needs {ratio} as long",
    )


def _curve(terms: Terms, question: StormQuestion, runs: Samples, measured: Sequence[MeasuredStorm]) -> Curve:
    points = [
        _point(terms, side, boxes, runs[side.label] if boxes == question.boxes else run(terms, side, boxes))
        for side in question.sides
        for boxes in question.sizes
    ]
    shown = tuple(one for one in measured if one.target in question.labels and one.residents == question.residents)
    return Curve(cpus=question.cpus, points=tuple(points), measured=shown)


def _point(terms: Terms, side: Side, boxes: int, samples: Mapping[str, Floats]) -> CurvePoint:
    distances = side.distances(terms.model, boxes)
    wide = widening(terms.model.discrepancy, distances)
    return CurvePoint(
        target=side.label,
        boxes=boxes,
        last=band_of(samples["last"], terms.weights, wide),
        median=band_of(samples["median"], terms.weights, wide),
        bottleneck=side.limit(terms, boxes).name,
        beyond=any(one.times > 1 for one in distances),
    )
