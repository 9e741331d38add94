"""``reboot``: the power comes back, and everything that was up starts again on a host that fills up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.sim.answer.answer import Answer, Bottleneck, Influence, Quantity
from bench.sim.answer.bands import Floats, Widening, band_of, ratio_band
from bench.sim.answer.bottleneck import bottleneck
from bench.sim.answer.distance import refuse_beyond, storm_distances, widening
from bench.sim.answer.influence import bound_sentence, identify_sentences, influences
from bench.sim.answer.terms import Terms, assumed_of, emulated_sentences
from bench.sim.answer.words import BOUND, box_text, count_text
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.headline import band_text, compared_headline, decided_by
from bench.sim.host.mixed import ALL_TARGETS, Group, all_up_ns, mixed_samples

NAMES: Final[Mapping[str, str]] = {
    "all": "reboot.all",
    "half": "reboot.half",
    "p90": "reboot.p90",
    "first": "reboot.first",
}
"""Quantities by the name of their samples. The first one is what the answer is about."""
LEFT_OUT: Final = (
    "The host itself is up, and its caches are as they were in the measured starts: reading images from a cold disk is "
    "not in the model.",
    "Programs in the boxes do no work of their own while others still start.",
)


@dataclass(frozen=True, kw_only=True)
class RebootQuestion:
    """What was up on the host.

    Attributes:
        counts: boxes by target.
        together: all of them are on one host; else each target is on a host of its own, to be compared.
    """

    counts: Mapping[str, int]
    cpus: int
    together: bool
    baseline: str
    arrivals: Arrivals = AT_ONCE

    @property
    def targets(self) -> tuple[str, ...]:
        """In the order of the question."""
        return tuple(self.counts)

    def hosts(self) -> dict[str, tuple[Group, ...]]:
        """What starts on each host, by the label of its quantities."""
        groups = {target: Group(target=target, boxes=boxes) for target, boxes in self.counts.items()}
        if self.together:
            return {ALL_TARGETS if len(groups) > 1 else self.targets[0]: tuple(groups.values())}
        return {target: (group,) for target, group in groups.items()}

    def sentence(self) -> str:
        """The question as a sentence."""
        what = " and ".join(f"{count_text(boxes, 'box', 'boxes')} of {target}" for target, boxes in self.counts.items())
        how = "on one host" if self.together else "each target on a host of its own,"
        return (
            f"{what} {how} with {count_text(self.cpus, 'CPU')} start again, requested {self.arrivals.describe()}: "
            "when is everything up?"
        )


def answer_reboot(terms: Terms, question: RebootQuestion) -> Answer:
    """Simulate and judge.

    Raises:
        NotInDataError: more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    model = terms.model
    distances = {
        target: storm_distances(model, target, boxes=boxes, cpus=question.cpus, residents=0)
        for target, boxes in question.counts.items()
    }
    refuse_beyond([one for found in distances.values() for one in found], allowed=terms.beyond)
    wide = {target: widening(model.discrepancy, found) for target, found in distances.items()}
    runs: dict[str, Mapping[str, Floats]] = {}
    hosts = question.hosts()
    for label, groups in hosts.items():
        terms.say(f"{label}: {len(terms.weights)} reboots")
        samples = mixed_samples(terms, groups, cpus=question.cpus, arrivals=question.arrivals)
        runs[label] = samples[ALL_TARGETS]
        if len(groups) > 1:
            runs |= {group.target: samples[group.target] for group in groups}
            wide[label] = max((wide[group.target] for group in groups), key=lambda one: one.up)
    found = {label: _influences(terms, question, label, groups) for label, groups in hosts.items()}
    limits = {target: _limit(terms, question, target) for target in question.targets}
    own = [
        one for label, samples in runs.items() for one in _quantities(terms, label, samples, wide, found.get(label, ()))
    ]
    quantities = [*own, *(() if question.together else _ratios(terms, question, runs, wide))]
    return Answer(
        question=question.sentence(),
        headline=_headline(question, quantities, limits),
        model=terms.digest,
        seed=terms.seed,
        draws=len(terms.draws),
        quantities=tuple(quantities),
        distances=tuple(one for target in question.targets for one in distances[target]),
        bottlenecks=tuple(limits.values()),
        influences=tuple(one for found_here in found.values() for one in found_here),
        assumed=assumed_of(model, question.targets),
        identify=tuple(one for found_here in found.values() for one in identify_sentences(model, found_here)),
        left_out=(*emulated_sentences(question.targets), *_together(question), *LEFT_OUT),
    )


def _together(question: RebootQuestion) -> Sequence[str]:
    if not question.together or len(question.counts) == 1:
        return ()
    return (
        "Boxes of several targets were not measured together: they are taken to share the CPUs and nothing else. Each "
        "target has a lock of its own.",
    )


def _influences(terms: Terms, question: RebootQuestion, label: str, groups: tuple[Group, ...]) -> tuple[Influence, ...]:
    terms.say(f"{label}: what decides the answer")
    return influences(
        terms.model,
        [group.target for group in groups],
        terms.draws,
        lambda model, draw: all_up_ns(
            model, draw, groups, cpus=question.cpus, arrivals=question.arrivals, seed=terms.seed
        ),
        answer=label,
    )


def _limit(terms: Terms, question: RebootQuestion, target: str) -> Bottleneck:
    return bottleneck(
        target,
        terms.values_of(target),
        terms.draw_weights,
        cpus=question.cpus,
        residents=0,
        scheduled_ns=question.arrivals.schedule(question.counts[target], seed=terms.seed, trial=0),
    )


def _quantities(
    terms: Terms,
    label: str,
    samples: Mapping[str, Floats],
    wide: Mapping[str, Widening],
    found: tuple[Influence, ...],
) -> list[Quantity]:
    quantities = []
    for key, name in NAMES.items():
        band = band_of(samples[key], terms.weights, wide[label])
        bound = bound_sentence(terms.model, found, band, "ns") if key == "all" else None
        quantities.append(Quantity(name=name, unit="ns", target=label, band=band, bound=bound))
    return quantities


def _ratios(
    terms: Terms, question: RebootQuestion, runs: Mapping[str, Mapping[str, Floats]], wide: Mapping[str, Widening]
) -> list[Quantity]:
    base = question.baseline
    return [
        Quantity(
            name=NAMES[key],
            unit="ratio",
            target=f"{target} : {base}",
            band=ratio_band(runs[target][key], runs[base][key], terms.weights, wide[target], wide[base]),
        )
        for target in question.targets
        if target != base
        for key in ("all", "half")
    ]


def _headline(question: RebootQuestion, quantities: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    where = f"on {count_text(question.cpus, 'CPU')}"
    if question.together:
        label = next(iter(question.hosts()))
        every = next(one for one in quantities if one.target == label and one.name == NAMES["all"])
        half = next(one for one in quantities if one.target == label and one.name == NAMES["half"])
        bound = f"{BOUND}{every.bound}." if every.bound else ""
        return (
            f"Simulated: all {box_text(sum(question.counts.values()))} are up {where} after "
            f"{band_text(every.band, 'ns')}, half of them after {band_text(half.band, 'ns')}; "
            f"{decided_by(limits, question.targets)}.{bound}"
        )
    return compared_headline(
        quantities,
        limits,
        name=NAMES["all"],
        targets=question.targets,
        baseline=question.baseline,
        lead=f"{where} all boxes are up again after {{}}",
        relation="{other} needs {ratio} as long",
    )
