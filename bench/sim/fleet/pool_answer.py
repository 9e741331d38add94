"""``pool``: one function or a trace on one host: what keeping boxes alive and ready saves users, and what it wastes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from bench.sim.answer.answer import Answer, Band, Bottleneck, Distance, Group, Quantity, Series
from bench.sim.answer.distance import farthest
from bench.sim.answer.influence import Look
from bench.sim.answer.terms import Terms
from bench.sim.answer.words import count_text
from bench.sim.fleet.limits import start_limit
from bench.sim.fleet.numbers import UNITS, numbers_of
from bench.sim.fleet.question import (
    OTHERS,
    Aim,
    Asked,
    answered,
    check_pools,
    common_fields,
    distances_of,
    has_others,
    look_at,
    one_run,
    refuse_far,
    with_bound,
)
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.shown import (
    SHARES,
    Shown,
    caps_of,
    columns,
    quantities,
    ratios,
    series_of,
    widenings,
    zero_sentence,
)
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import ON_HOST, Variant
from bench.sim.host.headline import compared_headline, find
from bench.util.units import format_bytes, format_span

Floats = NDArray[np.float64]

PREFIX: Final = "pool"
MAIN: Final = "delay_p99"
"""The number that the answer is about."""
RATIOS: Final = ("delay_p99", "cold_start", "response_p99", "wasted_memory", "start_cpu")
_HOSTS: Final = ("hosts", "mean_hosts")
_ONE_OF_100: Final = 0.01
_WITHOUT_ROOM: Final = ("waited_share", "rejected_share", "unserved_share")
"""Of invocations that find no host with room when they arrive. The last one may be in the first, too."""


@dataclass(frozen=True, kw_only=True)
class PoolQuestion(Asked):
    """A trace on one host, for each keep-alive and each number of pre-warmed boxes."""

    spec: FleetSpec
    """Of one host; its keep-alive and pre-warmed boxes are replaced."""
    keep_alives_ns: tuple[int | None, ...]
    """None: for ever. The answer is about the last one."""
    prewarmed: tuple[int, ...]
    """The answer is about the last one."""

    def sentence(self) -> str:
        """The question as a sentence."""
        return (
            f"{self.trace_text} in {', '.join(self.labels)} on one host of {count_text(self.spec.cpus, 'CPU')} and "
            f"{format_bytes(self.spec.memory_bytes)}, {format_bytes(self.spec.reserve_bytes)} of it reserved"
            f"{self._queue}: how long do users wait, and how much memory lies idle?"
        )

    def short(self) -> str:
        """In few words: ``sample:azure-2021 on a host of 8 CPUs and 64.0 GiB``."""
        host = f"{count_text(self.spec.cpus, 'CPU')} and {format_bytes(self.spec.memory_bytes)}"
        return f"{self.trace_text} on a host of {host}"

    @property
    def _queue(self) -> str:
        most = self.spec.queue_limit
        if most is None:
            return ""
        who = f"at most {count_text(most, 'invocation')}" if most else "no invocation"
        return f", where {who} can wait for room"

    def points(self) -> list[tuple[int | None, int]]:
        """Keep-alive and pre-warmed boxes of each point; the last one is the answer's."""
        return [(keep, count) for count in self.prewarmed for keep in self.keep_alives_ns]

    def spec_of(self, keep_alive_ns: int | None, prewarmed: int) -> FleetSpec:
        """The host with the keep-alive and the pre-warmed boxes of a point."""
        return replace(self.spec, keep_alive_ns=keep_alive_ns, prewarmed=prewarmed)


class PoolPoint(BaseModel):
    """One keep-alive and one number of pre-warmed boxes in one variant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    keep_alive_ns: int | None
    prewarmed: int
    cold_share: Band
    wasted_memory: Band
    """Memory of idle boxes, the mean over time, bytes."""
    delay_p50: Band
    delay_p99: Band
    rejected_share: float
    """The largest of all draws."""
    unserved_share: float = 0.0
    """Of invocations that waited to the end of the run, the largest of all draws."""
    times: float = 1.0
    """How far the point lies beyond the data, on the axis on which it is farthest; at most 1: within the data."""


class PoolAnswer(Answer):
    """The answer to a question about a pool."""

    invocations: int
    points: tuple[PoolPoint, ...]
    rules: tuple[str, ...] = ()
    series: tuple[Series, ...] = ()
    """Over the time of the trace, of the last point."""


Points = tuple[tuple[FleetResult, ...], ...]
"""Runs of one variant: by point, then by draw."""


def keep_alive_text(keep_alive_ns: int | None) -> str:
    """``kept for 10 min``, ``kept for ever``, ``not kept``."""
    if keep_alive_ns is None:
        return "kept for ever"
    return f"kept for {format_span(keep_alive_ns)}" if keep_alive_ns else "not kept"


def answer_pool(terms: Terms, question: PoolQuestion) -> PoolAnswer:
    """Simulate and judge. Targets that cannot be answered are left out and named.

    Raises:
        UsageError: a host too small for a box, a model without the memory of any target, a wrong trace.
        NotInDataError: all targets lie more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    asked, every, unanswered = answered(terms, question, question.spec, lambda one: _runs(terms, question, one))
    far = {one.label: _distances(terms, asked, one, every[one.label]) for one in asked.variants}
    shown = {one.label: _shown(terms, asked, one, every[one.label], far[one.label]) for one in asked.variants}
    last = {label: points[-1] for label, points in shown.items()}
    invocations = every[asked.baseline][0][0].arrivals
    last, looks = _looked_at(terms, asked, last, invocations)
    numbers = [
        *(one for label in asked.labels for one in quantities(label, PREFIX, last[label])),
        *ratios(asked, PREFIX, last, names=RATIOS),
    ]
    numbers = _main_first(with_bound(terms, numbers, f"{PREFIX}.{MAIN}", "ns", looks))
    limits = {
        one.label: start_limit(one.label, one.values(terms.model, None), every[one.label][-1]) for one in asked.variants
    }
    return PoolAnswer(
        question=asked.sentence(),
        short=asked.short(),
        headline=_headline(terms, asked, numbers, limits),
        quantities=tuple(numbers),
        groups=_groups(asked, last, _warm_note(asked, every)),
        points=tuple(_points(asked, shown, far)),
        series=tuple(
            one
            for label in asked.labels
            for one in series_of(label, PREFIX, every[label][-1], last[label], [ON_HOST] * len(terms.draws))
            if one.unit not in _HOSTS
        ),
        **common_fields(
            terms,
            asked,
            spec=asked.spec,
            unit="ns",
            distances={label: points[-1] for label, points in far.items()},
            looks=looks,
            limits=list(limits.values()),
            invocations=invocations,
            unanswered=unanswered,
        ),
    )


def _runs(terms: Terms, question: PoolQuestion, variant: Variant) -> Points:
    """All points of one variant. Only runs of the last one are looked at over time."""
    check_pools(terms.model, question, variant, question.spec_of(None, max(question.prewarmed)))
    found = []
    points = question.points()
    for number, (keep, count) in enumerate(points):
        terms.say(f"{variant.label}: {keep_alive_text(keep)}, {count} pre-warmed, {len(terms.draws)} runs")
        spec = question.spec_of(keep, count)
        last = number == len(points) - 1
        results: list[FleetResult] = []
        for place, draw in enumerate(terms.draws):
            results.append(one_run(terms, question, variant, spec, draw=draw, place=place, watched=last))
            refuse_far(terms, variant, spec, results, last=place == len(terms.draws) - 1)
        found.append(tuple(results))
    return tuple(found)


Far = tuple[tuple[Distance, ...], ...]
"""Of one variant: how far each point lies beyond the data."""


def _distances(terms: Terms, asked: PoolQuestion, variant: Variant, points: Points) -> Far:
    return tuple(distances_of(terms, variant, asked.spec, results) for results in points)


def _shown(terms: Terms, asked: PoolQuestion, variant: Variant, points: Points, far: Far) -> list[Shown]:
    """The numbers of each point, widened by its own distance. How many hosts there are is no number of one host."""
    caps = caps_of(terms, asked, variant, asked.spec)
    found = []
    for results, distances in zip(points, far, strict=True):
        samples = columns([numbers_of(one, asked.spec) for one in results])
        mine = {name: values for name, values in samples.items() if UNITS[name] not in _HOSTS}
        wide = widenings(terms.model, variant, distances)
        found.append(Shown(samples=mine, weights=terms.draw_weights, wide=wide, caps=caps))
    return found


def _main_first(found: Sequence[Quantity]) -> list[Quantity]:
    """The number that the answer is about stands in front of the others."""
    return sorted(found, key=lambda one: one.name != f"{PREFIX}.{MAIN}" or one.unit == "ratio")


def _looked_at(
    terms: Terms, asked: PoolQuestion, last: Mapping[str, Shown], invocations: int
) -> tuple[dict[str, Shown], dict[str, Look]]:
    """The numbers of the last point with those of other traces, and what decides the main one; by label."""
    shown, looks = dict(last), {}
    for one in asked.variants:
        others = _elsewhere(terms, asked, one, invocations)
        if len(others):
            shown[one.label] = replace(shown[one.label], elsewhere={"delay_elsewhere": others})
        look = _look(terms, asked, one, shown[one.label], others, invocations)
        if look is not None:
            looks[one.label] = look
    return shown, looks


def _elsewhere(terms: Terms, asked: PoolQuestion, variant: Variant, invocations: int) -> Floats:
    """(traces,) The main number on other traces of the same law, at the centre of the model; empty: there are none."""
    if not has_others(asked, terms, invocations):
        return np.zeros(0)
    spec = asked.spec_of(*asked.points()[-1])
    terms.say(f"{variant.label}: {OTHERS} other traces")
    found = (
        one_run(terms, asked, variant, spec, draw=None, place=0, noise=False, other=other)
        for other in range(1, OTHERS + 1)
    )
    return np.array([one.delay_ns(0.99) for one in found])


def _look(
    terms: Terms, asked: PoolQuestion, variant: Variant, shown: Shown, elsewhere: Floats, invocations: int
) -> Look | None:
    spec = asked.spec_of(*asked.points()[-1])
    # What is never served has waited to the end of the run at least.
    longest = float(elsewhere[np.isfinite(elsewhere)].max(initial=float(asked.trace.length_ns)))
    aim = Aim(
        spec_at=lambda _model, _draw: spec,
        number_of=lambda result: min(result.delay_ns(0.99), float(result.ended_ns)),
        widening=shown.side(MAIN),
        others=np.minimum(elsewhere, longest),
    )
    return look_at(terms, asked, variant, aim, invocations)


def _points(asked: PoolQuestion, shown: Mapping[str, Sequence[Shown]], far: Mapping[str, Far]) -> list[PoolPoint]:
    return [
        PoolPoint(
            target=label,
            keep_alive_ns=keep,
            prewarmed=count,
            rejected_share=float(one.samples["rejected_share"].max()),
            unserved_share=float(one.samples["unserved_share"].max()),
            cold_share=one.band("cold_share"),
            wasted_memory=one.band("wasted_memory"),
            delay_p50=one.band("delay_p50"),
            delay_p99=one.band("delay_p99"),
            times=farthest(distances),
        )
        for label in asked.labels
        for (keep, count), one, distances in zip(asked.points(), shown[label], far[label], strict=True)
    ]


def _groups(asked: PoolQuestion, shown: Mapping[str, Shown], note: str) -> tuple[Group, ...]:
    """One table about the last point, without numbers that a sentence says better."""
    zero, sentence = zero_sentence(SHARES, shown)
    if "waited_share" in zero:
        zero |= {"cold_delay"}
    names = {name for one in shown.values() for name in UNITS if one.has(name)} - zero
    keep, count = asked.points()[-1]
    return (
        Group(
            title=f"Boxes {keep_alive_text(keep)}, {count} pre-warmed",
            names=tuple(f"{PREFIX}.{name}" for name in (MAIN, *(one for one in UNITS if one in names - {MAIN}))),
            note=" ".join(filter(None, (sentence, note))),
        ),
    )


def _warm_note(asked: PoolQuestion, every: Mapping[str, Points]) -> str:
    """What looks like an error in the table of points and is none."""
    found = [
        label
        for label, points in every.items()
        if any(
            keep == 0 and count == 0 and any(one.waited and one.warm for one in results)
            for (keep, count), results in zip(asked.points(), points, strict=True)
        )
    ]
    if not found:
        return ""
    return (
        f"{', '.join(found)}: without keep-alive not every beginning is cold, since an invocation that waits for room "
        "takes the box of one that ends."
    )


def _headline(terms: Terms, asked: PoolQuestion, shown: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    keep, count = asked.points()[-1]
    ready = f" and {count} pre-warmed" if count else ""
    idle = [label for label in asked.labels if _begin_at_once(shown, label)]
    deciding = {
        label: _deciding(shown, one, partial(_more_memory_helps, terms, asked)) for label, one in limits.items()
    }
    text = compared_headline(
        shown,
        deciding,
        name=f"{PREFIX}.{MAIN}",
        targets=asked.labels,
        baseline=asked.baseline,
        lead=f"with boxes {keep_alive_text(keep)}{ready}, {_lead(shown)}",
        relation="{other} takes {ratio} as long as {base}",
    )
    if not idle:
        return text
    return f"{text} {', '.join(idle)}: in at least half of the draws 99 % find a box that is ready."


def _deciding(shown: Sequence[Quantity], limit: Bottleneck, more_memory_helps: Callable[[str], bool]) -> Bottleneck:
    """What decides the 99th percentile: nothing where it meets no start, memory where more than 1 % find no room and
    more memory helps more than more CPUs do.

    Elsewhere it is what a start consists of.

    Args:
        more_memory_helps: by label.
    """
    if _begin_at_once(shown, limit.target):
        return Bottleneck(target=limit.target, name="none")
    shares = (find(shown, f"{PREFIX}.{name}", limit.target) for name in _WITHOUT_ROOM)
    if sum(one.band.middle for one in shares if one is not None) > _ONE_OF_100 and more_memory_helps(limit.target):
        return Bottleneck(target=limit.target, name="memory")
    return limit


def _more_memory_helps(terms: Terms, asked: PoolQuestion, label: str) -> bool:
    """Whether twice the memory lowers the 99th percentile, and more than twice the CPUs do, at the centre."""
    variant = next(one for one in asked.variants if one.label == label)
    spec = asked.spec_of(*asked.points()[-1])

    def delay(tried: FleetSpec) -> float:
        return one_run(terms, asked, variant, tried, draw=None, place=0, noise=False).delay_ns(0.99)

    mine = delay(spec)
    with_memory = delay(replace(spec, memory_bytes=2 * spec.memory_bytes))
    with_cpus = delay(replace(spec, cpus=2 * spec.cpus))
    # Where neither is enough for 99 % to begin, those that begin not find no room.
    return with_memory < min(mine, with_cpus) or bool(np.isinf(min(with_memory, with_cpus)))


def _lead(shown: Sequence[Quantity]) -> str:
    """What the main number is, in words that also take ``never``."""
    middles = [one.band.is_never("middle") for one in shown if one.name == f"{PREFIX}.{MAIN}" and one.unit == "ns"]
    if any(middles):
        return "the time until 99 % of the invocations begin is {}"
    return "99 % of the invocations begin within {}"


def _begin_at_once(shown: Sequence[Quantity], label: str) -> bool:
    """Whether the middle of the main number of a variant is 0."""
    main = find(shown, f"{PREFIX}.{MAIN}", label)
    return main is not None and not main.band.is_never("middle") and main.band.middle == 0
