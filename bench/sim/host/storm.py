"""``storm``: how long until N boxes on c CPUs beside R residents are up, in one target against another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Answer, Band, Bottleneck, Quantity
from bench.sim.answer.bands import Widening
from bench.sim.answer.distance import misfit_of, refused_labels, widening
from bench.sim.answer.influence import Look, bound_sentence, look_into
from bench.sim.answer.terms import Terms, choose_baseline
from bench.sim.answer.words import box_text, count_text
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.common import fields_of, judge, two_answers, two_ratios
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm
from bench.sim.host.headline import compared_headline
from bench.sim.host.sides import Side, TrialLuck
from bench.sim.host.times import Errors, time_band, time_ratio, time_rest, with_errors

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
    "longest": ("storm.longest", "ns"),
    "cpu": ("storm.cpu", "cpu_ns"),
    "cpu_after": ("storm.cpu_after", "cpu_ns"),
    "throughput": ("storm.throughput", "per_s"),
    "lock_wait": ("storm.lock_wait", "ns"),
    "cpu_wait": ("storm.cpu_wait", "ns"),
}
"""Quantities by the name of their samples. The first one is what the answer is about. ``throughput`` has no samples:
it follows from the last box. ``longest`` is that time, too, where all boxes are requested at once."""
_LEAST_NS: Final = 1.0
"""Times are whole nanoseconds, so that a storm of very short starts may take none."""
RATIOS: Final = ("last", "median", "longest", "cpu")
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

    def without(self, labels: Iterable[str]) -> StormQuestion:
        """The question about the other sides alone. At least one must be left."""
        left = tuple(side for side in self.sides if side.label not in set(labels))
        names = tuple(side.label for side in left)
        return replace(
            self, sides=left, baseline=self.baseline if self.baseline in names else choose_baseline(names, None)
        )

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

    def short(self, what: str) -> str:
        """In few words: ``64 boxes at once, 2 CPUs, beside 20``. ``what``: the boxes."""
        beside = f", beside {count_text(self.residents, 'box', 'boxes')}" if self.residents else ""
        return f"{what} {self.arrivals.describe()}, {count_text(self.cpus, 'CPU')}{beside}"


class StormAnswer(Answer):
    """The answer to a storm question."""

    curve: Curve | None = None
    """When several sizes were asked for."""


def answer_storm(terms: Terms, question: StormQuestion, measured: Sequence[MeasuredStorm] = ()) -> StormAnswer:
    """Simulate and judge. Sides that lie too far beyond the data are left out, and the answer says so.

    Args:
        measured: storms that were measured, to be shown on the curve.

    Raises:
        NotInDataError: all sides are more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    model = terms.model
    distances = {side.label: side.distances(model, question.boxes) for side in question.sides}
    refused = refused_labels(distances, allowed=terms.beyond)
    question = question.without(refused)
    wide = {side.label: _widening(terms, side, question.boxes) for side in question.sides}
    runs = {side.label: run(terms, side, question.boxes) for side in question.sides}
    looks = {side.label: _look(terms, side, question.boxes, runs[side.label], wide) for side in question.sides}
    own = [one for label in runs for one in _quantities(terms, question, label, runs[label], wide[label], looks[label])]
    quantities = (*own, *_ratios(terms, question, runs, wide, looks))
    bounds = {side.label: side.limit(terms, question.boxes) for side in question.sides}
    # Machines and the boxes in them have bounds of their own, which are no bounds of both together.
    alone = {side.label: bounds[side.label] for side in question.sides if len(side.targets) == 1}
    limits = bounds | judge(alone, looks, quantities, LAST)
    return StormAnswer(
        question=question.sentence(),
        short=question.short(box_text(question.boxes)),
        headline=_headline(question, quantities, limits),
        quantities=quantities,
        bottlenecks=tuple(limits.values()),
        left_out=LEFT_OUT,
        curve=_curve(terms, question, runs, measured) if len(question.sizes) > 1 else None,
        **fields_of(
            terms,
            distances={label: distances[label] for label in runs},
            looks=looks,
            owners={side.label: side.targets for side in question.sides},
            unit="ns",
            taken=[line for side in question.sides for line in side.taken(model, question.boxes)],
            unanswered=refused.values(),
        ),
    )


def run(terms: Terms, side: Side, boxes: int) -> dict[str, Floats]:
    """Samples (draws x replications,) of every number of a side; with a schedule also with errors of the model, as of
    ``times.with_errors``. Other sides have the same luck."""
    terms.say(f"{side.label}: {box_text(boxes)}, {len(terms.weights)} storms")
    errors = Errors(wide=_widening(terms, side, boxes), seed=terms.seed, label=side.label)

    def one(draw: int, trial: int) -> dict[str, float]:
        def numbers(longer: float) -> Mapping[str, float]:
            luck = TrialLuck(seed=terms.seed, trial=trial, longer=longer)
            return side.numbers(terms.model, draw, boxes, luck, noise=True)

        return with_errors(numbers, errors, trial, at_once=not side.arrivals.gap_ns)

    found = [
        one(draw, place * terms.replications + again)
        for place, draw in enumerate(terms.draws, start=terms.first)
        for again in range(terms.replications)
    ]
    return {name: np.array([sample[name] for sample in found]) for name in found[0]}


def _widening(terms: Terms, side: Side, boxes: int) -> Widening:
    """Of the bands of times: how far beyond the data, and what the model misses within them."""
    misfit = misfit_of(terms.model, side.targets)
    return widening(terms.model.discrepancy, side.distances(terms.model, boxes), misfit)


def _look(terms: Terms, side: Side, boxes: int, samples: Mapping[str, Floats], wide: Mapping[str, Widening]) -> Look:
    terms.say(f"{side.label}: what decides the answer")
    luck = TrialLuck(seed=terms.seed, trial=0)
    return look_into(
        terms.model,
        side.targets,
        terms.draws,
        lambda model, draw: side.numbers(model, draw, boxes, luck, noise=False)["last"],
        answer=side.label,
        rest=time_rest(samples, "last", terms.replications, wide[side.label]),
        more=side.forms(terms, boxes),
        about="times",
    )


def _quantities(
    terms: Terms, question: StormQuestion, label: str, samples: Mapping[str, Floats], wide: Widening, look: Look
) -> list[Quantity]:
    quantities = []
    for key in _shown(question, UNITS):
        name, unit = UNITS[key]
        band = (
            _throughput(question.boxes, time_band(samples, "last", terms.weights, wide))
            if key == "throughput"
            else time_band(samples, key, terms.weights, wide)
        )
        bound = bound_sentence(terms.model, look.influences, band, unit) if name == LAST else None
        either = two_answers(look) if name == LAST else None
        if key == "throughput" and (two := two_answers(look)) is not None:
            either = (_rate(question.boxes, two[1]), _rate(question.boxes, two[0]))
        quantities.append(Quantity(name=name, unit=unit, target=label, band=band, bound=bound, either=either))
    return quantities


def _shown(question: StormQuestion, keys: Iterable[str]) -> Iterator[str]:
    """Of these numbers those that say something of their own."""
    return (key for key in keys if key != "longest" or question.arrivals != AT_ONCE)


def _throughput(boxes: int, last: Band) -> Band:
    """Boxes per second until the last one is up."""
    return Band(
        middle=_rate(boxes, last.middle),
        low80=_rate(boxes, last.high80),
        high80=_rate(boxes, last.low80),
        low95=_rate(boxes, last.high95),
        high95=_rate(boxes, last.low95),
    )


def _rate(boxes: int, last_ns: float) -> float:
    return boxes / max(_LEAST_NS, last_ns) * 1e9


def _ratios(
    terms: Terms,
    question: StormQuestion,
    runs: Samples,
    wide: Mapping[str, Widening],
    looks: Mapping[str, Look],
) -> list[Quantity]:
    base = question.baseline

    def either(label: str, key: str) -> tuple[float, float] | None:
        if UNITS[key][0] != LAST:
            return None
        return two_ratios(runs[label][key], runs[base][key], terms.weights, (looks[label], looks[base]))

    return [
        Quantity(
            name=UNITS[key][0],
            unit="ratio",
            target=f"{label} : {base}",
            band=time_ratio(runs[label], runs[base], key, terms.weights, wide[label], wide[base]),
            either=either(label, key),
        )
        for label in question.labels
        if label != base
        for key in _shown(question, RATIOS)
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
    short = question.short("boxes requested")
    return Curve(cpus=question.cpus, points=tuple(points), measured=shown, short=short)


def _point(terms: Terms, side: Side, boxes: int, samples: Mapping[str, Floats]) -> CurvePoint:
    distances = side.distances(terms.model, boxes)
    wide = _widening(terms, side, boxes)
    return CurvePoint(
        target=side.label,
        boxes=boxes,
        last=time_band(samples, "last", terms.weights, wide),
        median=time_band(samples, "median", terms.weights, wide),
        bottleneck=side.limit(terms, boxes, further=False).name,
        beyond=any(one.times > 1 for one in distances),
    )
