"""``density``: how many boxes fit on a host, and what stops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bench.sim.answer.answer import Answer, Bottleneck, Distance, Influence, Quantity
from bench.sim.answer.bands import Floats, Widening, band_of, quantiles, ratio_band
from bench.sim.answer.distance import for_benefits, memory_distance, refuse_beyond, widening
from bench.sim.answer.influence import bound_sentence, identify_sentences, influences
from bench.sim.answer.terms import Terms, assumed_of, choose_targets
from bench.sim.host.headline import compared_headline
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues
from bench.util.errors import NotInDataError, UsageError
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

    def sentence(self) -> str:
        """The question as a sentence."""
        return (
            f"A host with {format_bytes(self.memory_bytes)} of memory, {format_bytes(self.reserve_bytes)} of it "
            f"reserved: how many boxes of {', '.join(self.targets)} fit, each target alone?"
        )


def answer_density(terms: Terms, question: DensityQuestion) -> Answer:
    """Count and judge.

    Raises:
        UsageError: a target without memory in the model; a reserve that is as large as the memory.
        NotInDataError: more than 10 times beyond the data and ``terms.beyond`` is false; a slope that is not known.
    """
    if question.room_bytes <= 0:
        raise UsageError(
            f"the reserve of {format_bytes(question.reserve_bytes)} leaves nothing of "
            f"{format_bytes(question.memory_bytes)}",
            hint="give a smaller --reserve, or the --memory of a larger host",
        )
    counts = {target: _counts(terms, question, target) for target in question.targets}
    distances = {target: _distance(terms, target, counts[target]) for target in question.targets}
    refuse_beyond(distances.values(), allowed=terms.beyond)
    wide = {target: for_benefits(widening(terms.model.discrepancy, [distances[target]])) for target in question.targets}
    found = {target: _influences(terms, question, target) for target in question.targets}
    limits = {target: Bottleneck(target=target, name="memory") for target in question.targets}
    quantities = [
        *(one for target in question.targets for one in _quantities(terms, target, counts, wide, found[target])),
        *_ratios(terms, question, counts, wide),
    ]
    return Answer(
        question=question.sentence(),
        headline=_headline(question, quantities, limits),
        model=terms.digest,
        seed=terms.seed,
        draws=len(terms.draws),
        quantities=tuple(quantities),
        distances=tuple(distances.values()),
        bottlenecks=tuple(limits.values()),
        influences=tuple(one for target in question.targets for one in found[target]),
        assumed=assumed_of(terms.model, question.targets),
        identify=tuple(one for target in question.targets for one in identify_sentences(terms.model, found[target])),
        left_out=(*_not_measured(terms.model, question), *LEFT_OUT),
    )


def _not_measured(model: Model, question: DensityQuestion) -> tuple[str, ...]:
    """A sentence on targets of the model whose memory was not measured."""
    unknown = [label for label in model.targets if target_values(model, label, None).memory_slope_bytes is None]
    others = [label for label in unknown if label not in question.targets]
    return (f"{', '.join(others)}: no memory was measured.",) if others else ()


def fitting(values: TargetValues, room_bytes: float) -> float:
    """How many boxes fit, at least 0, not rounded; inf when a further box takes nothing."""
    fixed, slope = values.memory_fixed_bytes or 0, values.memory_slope_bytes or 0
    left = room_bytes - fixed
    if left <= 0:
        return 0.0
    return left / slope if slope > 0 else float("inf")


def _counts(terms: Terms, question: DensityQuestion, target: str) -> Floats:
    """(draws,) How many boxes fit in each draw of the model."""
    targets_with_memory(terms.model, [target])
    found = np.array([fitting(target_values(terms.model, target, draw), question.room_bytes) for draw in terms.draws])
    never = ~np.isfinite(found)
    if terms.draw_weights[never].sum() > 0:
        raise NotInDataError(
            f"{target}: a further box takes no memory in {never.sum()} of {len(found)} draws, so the data do not say "
            "how many fit",
            hint="measure more boxes that stay (`residents: [1, 8, 16]`, 20 blocks) and fit again",
        )
    whole: Floats = np.floor(found)
    return whole


def targets_with_memory(model: Model, labels: Sequence[str] | None) -> tuple[str, ...]:
    """The targets to ask about; when None, all of the model whose memory was measured.

    Raises UsageError: a target that the model does not have, or no memory of it.
    """
    known = [label for label in model.targets if target_values(model, label, None).memory_slope_bytes is not None]
    chosen = choose_targets(model, labels if labels is not None else known or None)
    missing = [label for label in chosen if label not in known]
    if missing:
        raise UsageError(
            f"the model has no memory of {', '.join(missing)}",
            hint=f"ask for {', '.join(known)}"
            if known
            else "add `residents: [1, 8, 16]` to the scenario and fit again",
        )
    return chosen


def _distance(terms: Terms, target: str, counts: Floats) -> Distance:
    (middle,) = quantiles(counts, terms.draw_weights, (0.5,))
    return memory_distance(terms.model, target, boxes=middle)


def _influences(terms: Terms, question: DensityQuestion, target: str) -> tuple[Influence, ...]:
    return influences(
        terms.model,
        [target],
        terms.draws,
        lambda model, draw: fitting(target_values(model, target, draw), question.room_bytes),
    )


def _quantities(
    terms: Terms,
    target: str,
    counts: Mapping[str, Floats],
    wide: Mapping[str, Widening],
    found: tuple[Influence, ...],
) -> list[Quantity]:
    model, weights = terms.model, terms.draw_weights
    band = band_of(counts[target], weights, wide[target])
    values = [target_values(model, target, draw) for draw in terms.draws]
    further = np.array([float(one.memory_slope_bytes or 0) for one in values])
    fixed = np.array([float(one.memory_fixed_bytes or 0) for one in values])
    return [
        Quantity(name=BOXES, unit="boxes", target=target, band=band, bound=bound_sentence(model, found, band, "boxes")),
        Quantity(name="density.further_box", unit="bytes", target=target, band=band_of(further, weights)),
        Quantity(name="density.fixed", unit="bytes", target=target, band=band_of(fixed, weights)),
    ]


def _ratios(
    terms: Terms, question: DensityQuestion, counts: Mapping[str, Floats], wide: Mapping[str, Widening]
) -> list[Quantity]:
    base = question.baseline
    return [
        Quantity(
            name=BOXES,
            unit="ratio",
            target=f"{base} : {target}",
            band=ratio_band(counts[base], counts[target], terms.draw_weights, wide[base], wide[target]),
        )
        for target in question.targets
        if target != base and np.all(counts[target] > 0)
    ]


def _headline(question: DensityQuestion, quantities: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    return compared_headline(
        quantities,
        limits,
        name=BOXES,
        targets=question.targets,
        baseline=question.baseline,
        lead=f"in {format_bytes(question.room_bytes)} fit {{}}",
        relation="{ratio} as many boxes fit in {base} as in {other}",
        times=False,
    )
