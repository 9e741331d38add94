"""``density``: how many boxes fit on a host, and what stops them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.sim.answer.answer import Answer, Band, Bottleneck, Distance, Quantity
from bench.sim.answer.bands import Floats, Widening, band_of, quantiles, ratio_band
from bench.sim.answer.distance import FARTHEST, for_benefits, memory_distance, refuse_beyond, widening
from bench.sim.answer.influence import Look, bound_sentence, look_into
from bench.sim.answer.rest import Rest
from bench.sim.answer.terms import Terms, choose_baseline
from bench.sim.answer.words import box_text, count_text
from bench.sim.host.common import fields_of, two_answers
from bench.sim.host.headline import compared_headline
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues
from bench.util.errors import BoxbenchError, NotInDataError, UsageError
from bench.util.units import format_bytes

BOXES: Final = "density.boxes"
LEFT_OUT: Final = (
    "The model knows memory alone. CPU time of idle boxes, process ids, network addresses and open files are not in "
    "it: one of them may stop boxes earlier.",
    "Pages that equal boxes share are counted as on the measured host: other images may share less.",
)


@dataclass(frozen=True, kw_only=True)
class DensityQuestion:
    """Boxes of one target at a time on a host with so much memory."""

    memory_bytes: int
    reserve_bytes: int
    """What boxes must leave to the host."""
    targets: tuple[str, ...]
    baseline: str

    @property
    def room_bytes(self) -> int:
        """What boxes and their daemons may take."""
        return self.memory_bytes - self.reserve_bytes

    def only(self, targets: Iterable[str]) -> DensityQuestion:
        """The question about some of its targets, in its order. At least one must be left."""
        left = tuple(target for target in self.targets if target in set(targets))
        return replace(
            self, targets=left, baseline=self.baseline if self.baseline in left else choose_baseline(left, None)
        )

    def sentence(self) -> str:
        """The question as a sentence."""
        return (
            f"A host with {format_bytes(self.memory_bytes)} of memory, {format_bytes(self.reserve_bytes)} of it "
            f"reserved: how many boxes of {', '.join(self.targets)} fit, each target alone?"
        )

    def short(self) -> str:
        """In few words: ``a host of 16.0 GiB, 1.60 GiB of it reserved``."""
        return f"a host of {format_bytes(self.memory_bytes)}, {format_bytes(self.reserve_bytes)} of it reserved"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """How many boxes of one target fit."""

    parts: Floats
    """(draws,) Boxes and parts of a box."""
    distance: Distance
    wide: Widening
    least: int | None
    """The data support no more than that at least so many fit; None: they support an estimate."""

    @property
    def counts(self) -> Floats:
        """(draws,) Whole boxes."""
        whole: Floats = np.floor(self.parts)
        return whole


def answer_density(terms: Terms, question: DensityQuestion) -> Answer:
    """Count and judge. Targets that cannot be answered are left out, and the answer says which and why.

    A count more than 10 times beyond the data is answered by a bound, unless ``terms.beyond``: at least 10 times the
    most that was measured.

    Raises:
        UsageError: no target has memory in the model; a reserve as large as the memory; a slope that a user set to 0.
        NotInDataError: a slope that the data do not show; no memory measured at all.
    """
    if question.room_bytes <= 0:
        raise UsageError(
            f"the reserve of {format_bytes(question.reserve_bytes)} leaves nothing of "
            f"{format_bytes(question.memory_bytes)}",
            hint="give a smaller --reserve, or the --memory of a larger host",
        )
    fits, unanswered = _fits(terms, question)
    question = question.only(fits)
    looks = {
        target: _look(terms, question, target, fits[target]) for target in question.targets if not fits[target].least
    }
    limits = {target: Bottleneck(target=target, name="memory") for target in question.targets}
    quantities = [
        *(one for target in question.targets for one in _quantities(terms, target, fits[target], looks.get(target))),
        *_ratios(terms, question, fits),
    ]
    return Answer(
        question=question.sentence(),
        short=question.short(),
        headline=_headline(question, quantities, limits, _nothing_fits(terms, question, fits)),
        quantities=tuple(quantities),
        bottlenecks=tuple(limit for target, limit in limits.items() if not fits[target].least),
        left_out=LEFT_OUT,
        **fields_of(
            terms,
            distances={target: [fits[target].distance] for target in question.targets},
            looks=looks,
            owners={target: [target] for target in question.targets},
            unit="boxes",
            unanswered=unanswered,
        ),
    )


def _fits(terms: Terms, question: DensityQuestion) -> tuple[dict[str, _Fit], list[str]]:
    """What fits, by target, and a sentence on each target that cannot be answered. Raises when none can."""
    fits: dict[str, _Fit] = {}
    errors: list[BoxbenchError] = []
    for target in question.targets:
        try:
            fits[target] = _fit(terms, question, target)
        except (UsageError, NotInDataError) as error:
            errors.append(error)
    if not fits:
        raise errors[0]
    return fits, [f"{error.message}. To get an answer, {error.hint}." for error in errors]


def _fit(terms: Terms, question: DensityQuestion, target: str) -> _Fit:
    parts = _parts(terms, question, target)
    (middle,) = quantiles(np.floor(parts), terms.draw_weights, (0.5,))
    distance = memory_distance(terms.model, target, boxes=middle)
    if not distance.measured:
        refuse_beyond([distance], allowed=terms.beyond)
    wide = for_benefits(widening(terms.model.discrepancy, [distance]))
    if terms.beyond or distance.times <= FARTHEST:
        return _Fit(parts=parts, distance=distance, wide=wide, least=None)
    most = FARTHEST * distance.measured
    low = band_of(parts, terms.draw_weights, wide).low95
    least = max(1, math.floor(min(most, low)))
    return _Fit(parts=parts, distance=distance.model_copy(update={"asked": float(least)}), wide=wide, least=least)


def fitting(values: TargetValues, room_bytes: float) -> float:
    """How many boxes fit, at least 0, not rounded; inf when a further box takes nothing."""
    fixed, slope = values.memory_fixed_bytes or 0, values.memory_slope_bytes or 0
    left = room_bytes - fixed
    if left <= 0:
        return 0.0
    return left / slope if slope > 0 else float("inf")


def _parts(terms: Terms, question: DensityQuestion, target: str) -> Floats:
    """(draws,) How many boxes fit in each draw of the model, not rounded."""
    model = terms.model
    if not _has_memory(model, target):
        raise UsageError(
            f"{target}: the model has no memory of it",
            hint="add `residents: [1, 8, 16]` to the scenario and fit again",
        )
    found: Floats = np.array([fitting(target_values(model, target, draw), question.room_bytes) for draw in terms.draws])
    never = ~np.isfinite(found)
    if terms.draw_weights[never].sum() > 0:
        slope = model.targets[target].parameters["memory_slope"]
        if slope.kind == "assumed":
            raise UsageError(
                f"{target}: memory_slope is {slope.value:g} bytes in the model file, stated by you; with it a further "
                "box takes no memory, and any number fits",
                hint="state a memory_slope above 0, or restore the file",
            )
        raise NotInDataError(
            f"{target}: a further box takes no memory in {never.sum()} of {len(found)} draws, so the data do not say "
            "how many fit",
            hint="measure more boxes that stay (`residents: [1, 8, 16]`, 20 blocks) and fit again",
        )
    return found


def _has_memory(model: Model, target: str) -> bool:
    return target_values(model, target, None).memory_slope_bytes is not None


def _look(terms: Terms, question: DensityQuestion, target: str, fit: _Fit) -> Look:
    """What decides how many fit. Parts of a box tell how far each parameter moves it; readers get whole ones."""
    return look_into(
        terms.model,
        [target],
        terms.draws,
        lambda model, draw: fitting(target_values(model, target, draw), question.room_bytes),
        rest=Rest(samples=fit.parts, replications=1, widening=fit.wide),
        shown=math.floor,
        about="memory",
    )


def _quantities(terms: Terms, target: str, fit: _Fit, look: Look | None) -> list[Quantity]:
    model, weights = terms.model, terms.draw_weights
    values = [target_values(model, target, draw) for draw in terms.draws]
    further = np.array([float(one.memory_slope_bytes or 0) for one in values])
    # Readings scatter, so a draw may have less than nothing: as in `explain`, that is 0.
    fixed = np.array([max(0.0, float(one.memory_fixed_bytes or 0)) for one in values])
    return [
        _boxes(terms, target, fit, look),
        Quantity(name="density.further_box", unit="bytes", target=target, band=band_of(further, weights)),
        Quantity(name="density.fixed", unit="bytes", target=target, band=band_of(fixed, weights)),
    ]


def _boxes(terms: Terms, target: str, fit: _Fit, look: Look | None) -> Quantity:
    if fit.least is not None:
        measured = count_text(fit.distance.measured, "box", "boxes")
        bound = (
            f"at least {box_text(fit.least)}: the most that was measured is {measured}, and more than {FARTHEST:g} "
            "times beyond the data there is no answer without --beyond"
        )
        return Quantity(name=BOXES, unit="boxes", target=target, band=_flat(fit.least), bound=bound, least=True)
    band = band_of(fit.counts, terms.draw_weights, fit.wide)
    bound_of = None if look is None else bound_sentence(terms.model, look.influences, band, "boxes")
    two = two_answers(look)
    either = None if two is None else (float(math.floor(two[0])), float(math.floor(two[1])))
    return Quantity(name=BOXES, unit="boxes", target=target, band=band, bound=bound_of, either=either)


def _flat(value: float) -> Band:
    """Of a number that is a bound: there is no band around it."""
    return Band(middle=value, low80=value, high80=value, low95=value, high95=value)


def _ratios(terms: Terms, question: DensityQuestion, fits: Mapping[str, _Fit]) -> list[Quantity]:
    """The baseline's boxes against those of each other target, as far as the data support a ratio."""
    found = []
    for target in question.targets:
        if target == question.baseline:
            continue
        band = _ratio(terms, fits[question.baseline], fits[target])
        if band is not None:
            least = fits[question.baseline].least is not None
            label = f"{question.baseline} : {target}"
            found.append(Quantity(name=BOXES, unit="ratio", target=label, band=band, least=least))
    return found


def _ratio(terms: Terms, base: _Fit, other: _Fit) -> Band | None:
    """None where the data give no ratio, and no bound of it from below."""
    if other.least is not None or not np.all(other.counts > 0):
        return None
    if base.least is None:
        return ratio_band(base.counts, other.counts, terms.draw_weights, base.wide, other.wide)
    return _flat(base.least / band_of(other.counts, terms.draw_weights, other.wide).high95)


def _nothing_fits(terms: Terms, question: DensityQuestion, fits: Mapping[str, _Fit]) -> list[str]:
    """A sentence on each target of which not one box fits in any draw."""
    return [
        f"{target}: not one fits; the first box takes {format_bytes(_first_box(terms, target))}, and the host has "
        f"{format_bytes(question.room_bytes)}."
        for target in question.targets
        if not fits[target].counts.any()
    ]


def _first_box(terms: Terms, target: str) -> float:
    """What daemons and one box take, bytes."""
    values = [target_values(terms.model, target, draw) for draw in terms.draws]
    taken = np.array([float((one.memory_fixed_bytes or 0) + (one.memory_slope_bytes or 0)) for one in values])
    return quantiles(taken, terms.draw_weights, (0.5,))[0]


def _headline(
    question: DensityQuestion,
    quantities: Sequence[Quantity],
    limits: Mapping[str, Bottleneck],
    notes: Sequence[str],
) -> str:
    return compared_headline(
        quantities,
        limits,
        name=BOXES,
        targets=question.targets,
        baseline=question.baseline,
        lead=f"in {format_bytes(question.room_bytes)} fit {{}}",
        relation="{ratio} as many boxes fit in {base} as in {other}",
        times=False,
        notes=notes,
    )
