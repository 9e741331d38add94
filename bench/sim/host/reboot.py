"""``reboot``: the power comes back, and everything that was up starts again on a host that fills up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Answer, Bottleneck, Distance, Quantity
from bench.sim.answer.bands import Floats, Widening
from bench.sim.answer.bottleneck import bottleneck
from bench.sim.answer.distance import misfit_of, refuse_beyond, refused_labels, storm_distances, widening
from bench.sim.answer.form import form_sentences
from bench.sim.answer.influence import Look, bound_sentence, look_into
from bench.sim.answer.terms import Terms, choose_baseline, is_emulated
from bench.sim.answer.words import BOUND, box_text, count_text
from bench.sim.host.arrivals import AT_ONCE, Arrivals
from bench.sim.host.common import fields_of, forms_of, judge, two_answers, two_ratios
from bench.sim.host.headline import compared_headline, decided_by, value_text
from bench.sim.host.mixed import Group, all_up_ns, dealt, mixed_samples
from bench.sim.host.times import Errors, time_band, time_ratio, time_rest

NAMES: Final[Mapping[str, str]] = {
    "all": "reboot.all",
    "half": "reboot.half",
    "p90": "reboot.p90",
    "first": "reboot.first",
}
"""Quantities by the name of their samples. The first one is what the answer is about."""
EVERYTHING: Final = "everything"
"""The label of the boxes of all targets of a host together, unless a target is called so."""
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

    def without(self, targets: Iterable[str]) -> RebootQuestion:
        """The question about the other targets alone. At least one must be left."""
        left = {target: boxes for target, boxes in self.counts.items() if target not in set(targets)}
        baseline = self.baseline if self.baseline in left else choose_baseline(tuple(left), None)
        return replace(self, counts=left, baseline=baseline)

    def boxes_beside(self, target: str) -> int:
        """Boxes that start on the same host as those of a target, its own included."""
        return sum(self.counts.values()) if self.together else self.counts[target]

    @property
    def every(self) -> str:
        """The label of all boxes of one host, which is that of no target."""
        label = EVERYTHING
        while label in self.counts:
            label = f"all: {label}"
        return label if len(self.counts) > 1 else self.targets[0]

    def hosts(self) -> dict[str, tuple[Group, ...]]:
        """What starts on each host, by the label of its quantities."""
        groups = {target: Group(target=target, boxes=boxes) for target, boxes in self.counts.items()}
        if self.together:
            return {self.every: tuple(groups.values())}
        return {target: (group,) for target, group in groups.items()}

    def sentence(self) -> str:
        """The question as a sentence."""
        what = [f"{box_text(boxes)} of {target}" for target, boxes in self.counts.items()]
        listed = f"{', '.join(what[:-1])} and {what[-1]}" if len(what) > 1 else what[0]
        one = self.together or len(what) == 1
        where = "on one host with" if one else "each target on a host of its own with"
        verb = "starts" if sum(self.counts.values()) == 1 else "start"
        again = f"{verb} again {where}" if one else f"{verb} again, {where}"
        return (
            f"{listed} {again} {count_text(self.cpus, 'CPU')}, requested {self.arrivals.describe()}: "
            "when is everything up?"
        )

    def short(self) -> str:
        """In few words: ``60 boxes start again at once, 2 CPUs``."""
        counts = self.counts
        alike = not self.together and len(set(counts.values())) == 1
        what = box_text(max(counts.values())) if alike else " and ".join(f"{counts[one]} {one}" for one in counts)
        where = " on one host" if self.together else ""
        return f"{what} start again{where} {self.arrivals.describe()}, {count_text(self.cpus, 'CPU')}"


def answer_reboot(terms: Terms, question: RebootQuestion) -> Answer:
    """Simulate and judge. Of hosts of their own, those too far beyond the data are left out, and the answer says so.

    Raises:
        NotInDataError: more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    model = terms.model
    far = {
        target: storm_distances(model, target, boxes=boxes, cpus=question.cpus, residents=0)
        for target, boxes in question.counts.items()
    }
    refused = _refused(terms, question, far)
    question = question.without(refused)
    distances = {target: far[target] for target in question.targets}
    hosts = question.hosts()
    wide = _widenings(terms, hosts, distances)
    runs = _runs(terms, question, hosts, wide)
    looks = {label: _look(terms, question, label, groups, runs[label], wide) for label, groups in hosts.items()}
    own = [
        one
        for label, samples in runs.items()
        for one in _quantities(terms, label, samples, wide[label], looks.get(label))
    ]
    quantities = [*own, *(() if question.together else _ratios(terms, question, runs, wide, looks))]
    bounds = {target: limit for groups in hosts.values() for target, limit in _limits(terms, question, groups).items()}
    # On a host that is shared, bounds of one target alone are no bounds of its answer.
    limits = bounds if question.together else judge(bounds, looks, quantities, NAMES["all"])
    return Answer(
        question=question.sentence(),
        short=question.short(),
        headline=_headline(question, quantities, limits),
        quantities=tuple(quantities),
        bottlenecks=tuple(limits.values()),
        left_out=(*_together(question), *LEFT_OUT),
        **fields_of(
            terms,
            distances=distances,
            looks=looks,
            owners={label: [group.target for group in groups] for label, groups in hosts.items()},
            unit="ns",
            taken=_taken(terms, question),
            unanswered=refused.values(),
        ),
    )


def _refused(terms: Terms, question: RebootQuestion, far: Mapping[str, tuple[Distance, ...]]) -> Mapping[str, str]:
    """Targets that are not answered. On one host all are, or none."""
    if not question.together:
        return refused_labels(far, allowed=terms.beyond)
    refuse_beyond([one for some in far.values() for one in some], allowed=terms.beyond)
    return {}


def _runs(
    terms: Terms, question: RebootQuestion, hosts: Mapping[str, tuple[Group, ...]], wide: Mapping[str, Widening]
) -> dict[str, Mapping[str, Floats]]:
    """Samples by label: of each host, and of each target on a host that several share."""
    runs: dict[str, Mapping[str, Floats]] = {}
    for label, groups in hosts.items():
        terms.say(f"{label}: {len(terms.weights)} reboots")
        errors = Errors(wide=wide[label], seed=terms.seed, label=label)
        samples = mixed_samples(terms, groups, cpus=question.cpus, arrivals=question.arrivals, errors=errors)
        runs[label] = samples.every
        if len(groups) > 1:
            runs |= samples.by_target
    return runs


def _widenings(
    terms: Terms, hosts: Mapping[str, tuple[Group, ...]], distances: Mapping[str, tuple[Distance, ...]]
) -> dict[str, Widening]:
    """By label: of each target, and of each host by all that is on it."""
    model = terms.model
    wide = {
        target: widening(model.discrepancy, found, misfit_of(model, [target])) for target, found in distances.items()
    }
    for label, groups in hosts.items():
        targets = [group.target for group in groups]
        far = [one for target in targets for one in distances[target]]
        wide[label] = widening(model.discrepancy, far, misfit_of(model, targets))
    return wide


def _taken(terms: Terms, question: RebootQuestion) -> list[str]:
    """What is taken for granted about hosts with more CPUs than the model's."""
    return [
        line
        for groups in question.hosts().values()
        for line in form_sentences(
            terms.model,
            [group.target for group in groups],
            cpus=question.cpus,
            boxes=question.boxes_beside(groups[0].target),
        )
    ]


def _together(question: RebootQuestion) -> Sequence[str]:
    if not question.together or len(question.counts) == 1:
        return ()
    return (
        "Boxes of several targets were not measured together: they are taken to share the CPUs and nothing else. Each "
        "target has a lock of its own.",
    )


def _look(
    terms: Terms,
    question: RebootQuestion,
    label: str,
    groups: tuple[Group, ...],
    samples: Mapping[str, Floats],
    wide: Mapping[str, Widening],
) -> Look:
    terms.say(f"{label}: what decides the answer")
    targets = [group.target for group in groups]
    boxes = question.boxes_beside(targets[0])
    return look_into(
        terms.model,
        targets,
        terms.draws,
        lambda model, draw: all_up_ns(
            model, draw, groups, cpus=question.cpus, arrivals=question.arrivals, seed=terms.seed
        ),
        answer=label,
        rest=time_rest(samples, "all", terms.replications, wide[label]),
        more=forms_of(terms, targets, cpus=question.cpus, boxes=boxes),
        about="times",
    )


def _limits(terms: Terms, question: RebootQuestion, groups: tuple[Group, ...]) -> dict[str, Bottleneck]:
    """By target: what would limit its boxes if they were alone on the host and requested at the mean times."""
    requests = dealt(groups, question.arrivals.expected(sum(group.boxes for group in groups)))
    return {group.target: _limit(terms, question, group.target, at) for group, at in zip(groups, requests, strict=True)}


def _limit(terms: Terms, question: RebootQuestion, target: str, scheduled_ns: NDArray[np.int64]) -> Bottleneck:
    return bottleneck(
        target,
        terms.drawn(target),
        terms.draw_weights,
        cpus=question.cpus,
        residents=0,
        scheduled_ns=scheduled_ns,
    )


def _quantities(
    terms: Terms, label: str, samples: Mapping[str, Floats], wide: Widening, look: Look | None
) -> list[Quantity]:
    quantities = []
    for key, name in NAMES.items():
        band = time_band(samples, key, terms.weights, wide)
        asked = look if key == "all" else None
        bound = None if asked is None else bound_sentence(terms.model, asked.influences, band, "ns")
        either = two_answers(asked)
        quantities.append(Quantity(name=name, unit="ns", target=label, band=band, bound=bound, either=either))
    return quantities


def _ratios(
    terms: Terms,
    question: RebootQuestion,
    runs: Mapping[str, Mapping[str, Floats]],
    wide: Mapping[str, Widening],
    looks: Mapping[str, Look],
) -> list[Quantity]:
    base = question.baseline

    def either(target: str, key: str) -> tuple[float, float] | None:
        if key != "all":
            return None
        return two_ratios(runs[target][key], runs[base][key], terms.weights, (looks[target], looks[base]))

    return [
        Quantity(
            name=NAMES[key],
            unit="ratio",
            target=f"{target} : {base}",
            band=time_ratio(runs[target], runs[base], key, terms.weights, wide[target], wide[base]),
            either=either(target, key),
        )
        for target in question.targets
        if target != base
        for key in ("all", "half")
        if np.all(runs[base][key] > 0)
    ]


def _emulated(question: RebootQuestion) -> str:
    """`` (libvirt/tcg with an emulated CPU)``; empty for most."""
    found = [target for target in question.targets if is_emulated(target)]
    return f" ({', '.join(found)} with an emulated CPU)" if found else ""


def _headline(question: RebootQuestion, quantities: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    where = f"on {count_text(question.cpus, 'CPU')}"
    if question.together:
        label = question.every
        every = next(one for one in quantities if one.target == label and one.name == NAMES["all"])
        half = next(one for one in quantities if one.target == label and one.name == NAMES["half"])
        bound = f"{BOUND}{every.target}: {every.bound}." if every.bound else ""
        return (
            f"Simulated: all {box_text(sum(question.counts.values()))}{_emulated(question)} are up {where} after "
            f"{value_text(every)}, half of them after {value_text(half)}; "
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
