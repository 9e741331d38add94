"""``pool``: one function or a trace on one host: what keeping boxes alive and ready saves users, and what it wastes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict

from bench.sim.answer.answer import Answer, Band, Bottleneck, Influence, Quantity
from bench.sim.answer.bands import Widening, band_of
from bench.sim.answer.distance import refuse_beyond
from bench.sim.answer.terms import Terms, emulated_sentences
from bench.sim.answer.words import count_text
from bench.sim.fleet.numbers import UNITS, numbers_of
from bench.sim.fleet.question import (
    LEFT_OUT,
    Asked,
    Floats,
    Numbers,
    assumptions,
    check_memory,
    columns,
    distances_of,
    identified,
    influence_note,
    influences_of,
    one_run,
    quantities,
    ratios,
    side,
    start_limit,
    targets_of,
    trace_seed,
    widenings,
    with_bound,
)
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import Variant
from bench.sim.host.headline import compared_headline
from bench.sim.model.file import Model
from bench.util.units import format_bytes, format_ns

PREFIX: Final = "pool"
MAIN: Final = "delay_p99"
"""The number that the answer is about."""
RATIOS: Final = ("delay_p99", "cold_start", "response_p99", "wasted_memory", "start_cpu")


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
            f"{format_bytes(self.spec.memory_bytes)}: how long do users wait, and how much memory lies idle?"
        )

    def points(self) -> list[tuple[int | None, int]]:
        """Keep-alive and pre-warmed boxes of each point; the last one is the answer's."""
        return [(keep, count) for count in self.prewarmed for keep in self.keep_alives_ns]


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


class PoolAnswer(Answer):
    """The answer to a question about a pool."""

    invocations: int
    points: tuple[PoolPoint, ...]
    rules: tuple[str, ...] = ()


def keep_alive_text(keep_alive_ns: int | None) -> str:
    """``kept for 10.0 s``, ``kept for ever``, ``not kept``."""
    if keep_alive_ns is None:
        return "kept for ever"
    return f"kept for {format_ns(keep_alive_ns)}" if keep_alive_ns else "not kept"


def answer_pool(terms: Terms, question: PoolQuestion) -> PoolAnswer:
    """Simulate and judge.

    Raises:
        UsageError: a host too small for a box, a model without the target's memory, a wrong trace.
        NotInDataError: more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    check_memory(terms.model, question)
    every = {
        one.label: [_runs(terms, question, one, keep, count) for keep, count in question.points()]
        for one in question.variants
    }
    distances = {
        one.label: distances_of(terms, one, question.spec, [run for runs in every[one.label] for run in runs])
        for one in question.variants
    }
    refuse_beyond([one for found in distances.values() for one in found], allowed=terms.beyond)
    wide = widenings(terms, distances)
    samples = {
        label: [columns([_numbers(run, question.spec) for run in runs]) for runs in points]
        for label, points in every.items()
    }
    last = {label: points[-1] for label, points in samples.items()}
    invocations = every[question.baseline][0][0].arrivals
    found = {one.label: _influences(terms, question, one, invocations) for one in question.variants}
    shown = [
        *(one for label in question.labels for one in quantities(terms, label, PREFIX, last[label], wide[label])),
        *ratios(terms, question, PREFIX, last, wide, names=RATIOS),
    ]
    shown = with_bound(terms, shown, f"{PREFIX}.{MAIN}", "ns", found)
    limits = {one.label: _limit(terms, one, every) for one in question.variants}
    return PoolAnswer(
        question=question.sentence(),
        headline=_headline(question, shown, limits),
        model=terms.digest,
        seed=terms.seed,
        draws=len(terms.draws),
        quantities=tuple(shown),
        distances=tuple(one for label in question.labels for one in distances[label]),
        bottlenecks=tuple(limits.values()),
        influences=tuple(one for label in question.labels for one in found[label]),
        assumed=assumptions(terms.model, question.variants),
        identify=identified(terms.model, found),
        left_out=(*emulated_sentences(targets_of(question.variants)), *influence_note(invocations), *LEFT_OUT),
        invocations=invocations,
        points=tuple(_points(terms, question, samples, wide)),
        rules=question.trace.rules,
    )


def _numbers(result: FleetResult, spec: FleetSpec) -> Numbers:
    """The numbers of a run on one host: how many hosts there are is no number of it."""
    found = {name: value for name, value in numbers_of(result, spec).items() if UNITS[name] != "hosts"}
    return {MAIN: found.pop(MAIN), **found}


def _limit(terms: Terms, variant: Variant, every: Mapping[str, Sequence[Sequence[FleetResult]]]) -> Bottleneck:
    """What a cold start waits for at the point that the answer is about."""
    return start_limit(variant.label, variant.values(terms.model, None), every[variant.label][-1])


def _spec(question: PoolQuestion, keep_alive_ns: int | None, prewarmed: int) -> FleetSpec:
    return replace(question.spec, keep_alive_ns=keep_alive_ns, prewarmed=prewarmed)


def _runs(
    terms: Terms, question: PoolQuestion, variant: Variant, keep_alive_ns: int | None, prewarmed: int
) -> list[FleetResult]:
    terms.say(f"{variant.label}: {keep_alive_text(keep_alive_ns)}, {prewarmed} pre-warmed, {len(terms.draws)} runs")
    spec = _spec(question, keep_alive_ns, prewarmed)
    return [
        one_run(terms.model, question, variant, spec, draw=draw, seed=trace_seed(terms, place))
        for place, draw in enumerate(terms.draws)
    ]


def _influences(terms: Terms, question: PoolQuestion, variant: Variant, invocations: int) -> tuple[Influence, ...]:
    spec = _spec(question, question.keep_alives_ns[-1], question.prewarmed[-1])

    def delay(model: Model, draw: int | None) -> float:
        result = one_run(model, question, variant, spec, draw=draw, seed=trace_seed(terms, 0), noise=False)
        return numbers_of(result, spec)[MAIN]

    return influences_of(terms, variant, delay, invocations)


def _points(
    terms: Terms,
    question: PoolQuestion,
    samples: Mapping[str, Sequence[Mapping[str, Floats]]],
    wide: Mapping[str, tuple[Widening, Widening]],
) -> list[PoolPoint]:
    return [
        PoolPoint(
            target=label,
            keep_alive_ns=keep,
            prewarmed=count,
            rejected_share=float(sample["rejected_share"].max()),
            **{
                name: band_of(sample[name], terms.draw_weights, side(name, wide[label]))
                for name in ("cold_share", "wasted_memory", "delay_p50", "delay_p99")
            },
        )
        for label in question.labels
        for (keep, count), sample in zip(question.points(), samples[label], strict=True)
    ]


def _headline(question: PoolQuestion, shown: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    keep, count = question.points()[-1]
    ready = f" and {count} pre-warmed" if count else ""
    return compared_headline(
        shown,
        limits,
        name=f"{PREFIX}.{MAIN}",
        targets=question.labels,
        baseline=question.baseline,
        lead=f"with boxes {keep_alive_text(keep)}{ready}, 99 % of the invocations begin within {{}}",
        relation="{other} takes {ratio} as long as {base}",
    )
