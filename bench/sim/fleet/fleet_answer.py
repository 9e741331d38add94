"""``fleet``: a trace on many hosts, in VMs, containers, and containers inside VMs: how many hosts it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from bench.sim.answer.answer import Answer, Bottleneck, Influence, Quantity
from bench.sim.answer.distance import refuse_beyond
from bench.sim.answer.terms import Terms, emulated_sentences
from bench.sim.answer.words import count_text
from bench.sim.cost import Prices
from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.needed import Limit, hosts_needed
from bench.sim.fleet.numbers import costs_of, numbers_of
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
    room_limit,
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
from bench.util.units import format_bytes

PREFIX: Final = "fleet"
RATIOS: Final = (
    "hosts_needed",
    "peak_hosts",
    "delay_p99",
    "response_p99",
    "wasted_memory",
    "start_cpu",
    "cost_of_needed",
)


@dataclass(frozen=True, kw_only=True)
class FleetQuestion(Asked):
    """A trace on a fleet."""

    spec: FleetSpec
    limit: Limit = field(default_factory=Limit)
    prices: Prices | None = None
    host_kind: str | None = None
    """Of the price file."""

    def sentence(self) -> str:
        """The question as a sentence."""
        hosts = count_text(self.spec.hosts, "host")
        return (
            f"{self.trace_text} in {', '.join(self.labels)} on {hosts} of {count_text(self.spec.cpus, 'CPU')} and "
            f"{format_bytes(self.spec.memory_bytes)} each, placed by {self.spec.policy}: how many hosts does it need, "
            "and how long do users wait?"
        )


class FleetAnswer(Answer):
    """The answer to a question about a fleet."""

    invocations: int
    """Of the trace."""
    rules: tuple[str, ...] = ()
    """What the trace left open and how it was filled."""
    delays_ns: dict[str, dict[str, float]]
    """By label: start delays by share of invocations, over all draws together."""


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """All runs of one variant."""

    spec: FleetSpec
    results: tuple[FleetResult, ...]
    samples: Mapping[str, Floats]


def answer_fleet(terms: Terms, question: FleetQuestion) -> FleetAnswer:
    """Simulate and judge.

    Raises:
        UsageError: a host too small for a box, a model without the target's memory, a wrong trace.
        NotInDataError: more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    check_memory(terms.model, question)
    runs = {one.label: _runs(terms, question, one) for one in question.variants}
    distances = {
        one.label: distances_of(terms, one, runs[one.label].spec, runs[one.label].results) for one in question.variants
    }
    refuse_beyond([one for found in distances.values() for one in found], allowed=terms.beyond)
    invocations = runs[question.baseline].results[0].arrivals
    wide = widenings(terms, distances)
    found = {one.label: _influences(terms, question, one, invocations) for one in question.variants}
    samples = {label: one.samples for label, one in runs.items()}
    shown = [
        *(one for label in question.labels for one in quantities(terms, label, PREFIX, samples[label], wide[label])),
        *ratios(terms, question, PREFIX, samples, wide, names=RATIOS),
    ]
    shown = with_bound(terms, shown, f"{PREFIX}.hosts_needed", "hosts", found)
    limits = {
        one.label: room_limit(question, one, runs[one.label].spec, one.values(terms.model, None))
        for one in question.variants
    }
    return FleetAnswer(
        question=question.sentence(),
        headline=_headline(question, shown, limits),
        model=terms.digest,
        seed=terms.seed,
        draws=len(terms.draws),
        quantities=tuple(shown),
        distances=tuple(one for label in question.labels for one in distances[label]),
        bottlenecks=(*limits.values(), *_start_limits(terms, question, runs)),
        influences=tuple(one for label in question.labels for one in found[label]),
        assumed=assumptions(terms.model, question.variants),
        identify=identified(terms.model, found),
        left_out=(*emulated_sentences(targets_of(question.variants)), *influence_note(invocations), *LEFT_OUT),
        invocations=invocations,
        rules=question.trace.rules,
        delays_ns={label: _delays(one.results) for label, one in runs.items()},
    )


def _runs(terms: Terms, question: FleetQuestion, variant: Variant) -> _Runs:
    results, rows = [], []
    spec = question.spec
    for place, draw in enumerate(terms.draws):
        terms.say(f"{variant.label}: draw {place + 1} of {len(terms.draws)}")
        result, row, spec = _run(terms, question, variant, place, draw)
        results.append(result)
        rows.append(row)
    return _Runs(spec=spec, results=tuple(results), samples=columns(rows))


def _run(
    terms: Terms, question: FleetQuestion, variant: Variant, place: int, draw: int
) -> tuple[FleetResult, Numbers, FleetSpec]:
    per_host = variant.vms_per_host(question.spec, terms.model, draw)
    spec = variant.spec(question.spec, per_host)
    seed = trace_seed(terms, place)

    def simulate(tried: FleetSpec) -> FleetResult:
        return one_run(terms.model, question, variant, tried, draw=draw, seed=seed)

    result = simulate(spec)
    needed = -(-hosts_needed(spec, question.limit, simulate) // per_host)
    row = {"hosts_needed": float(needed), **numbers_of(result, spec, per_host)}
    if question.prices is not None:
        row |= costs_of(
            result, question.spec, question.prices, kind=question.host_kind, needed=needed, per_host=per_host
        )
    return result, row, spec


def _influences(terms: Terms, question: FleetQuestion, variant: Variant, invocations: int) -> tuple[Influence, ...]:
    """Of the memory at the peak in units of hosts: hosts needed, without being rounded to whole ones."""

    def hosts_full(model: Model, draw: int | None) -> float:
        per_host = variant.vms_per_host(question.spec, model, draw)
        spec = replace(variant.spec(question.spec, per_host), autoscaler=None, failures=None)
        result = one_run(model, question, variant, spec, draw=draw, seed=trace_seed(terms, 0), noise=False)
        return result.peak_bytes / result.capacity_bytes / per_host

    return influences_of(terms, variant, hosts_full, invocations)


def _start_limits(terms: Terms, question: FleetQuestion, runs: Mapping[str, _Runs]) -> list[Bottleneck]:
    return [
        start_limit(f"{one.label}, a start", one.values(terms.model, None), runs[one.label].results)
        for one in question.variants
    ]


def _delays(results: tuple[FleetResult, ...]) -> dict[str, float]:
    """Percentiles of all runs together."""
    merged = np.sum([one.delay for one in results], axis=0)
    return {f"{share:g}": quantile(merged, share) for share in (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)}


def _headline(question: FleetQuestion, shown: list[Quantity], limits: Mapping[str, Bottleneck]) -> str:
    return compared_headline(
        shown,
        limits,
        name=f"{PREFIX}.hosts_needed",
        targets=question.labels,
        baseline=question.baseline,
        lead=f"{question.limit.sentence()}, so this trace needs hosts: {{}}",
        relation="{other} needs {ratio} the hosts of {base}",
        times=False,
    )
