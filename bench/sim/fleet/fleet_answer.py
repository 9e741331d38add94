"""``fleet``: a trace on many hosts, in VMs, containers, and containers inside VMs: how many hosts it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from bench.sim.answer.answer import Answer, Bottleneck, Distance, Group, Quantity, Series
from bench.sim.answer.influence import Look
from bench.sim.answer.terms import Terms
from bench.sim.answer.words import count_text
from bench.sim.cost import Prices
from bench.sim.fleet.failures import down_share
from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.limits import Stop, decided, start_limit, stop_of
from bench.sim.fleet.needed import Limit, smallest_fleet
from bench.sim.fleet.numbers import UNITS, costs_of, numbers_of
from bench.sim.fleet.question import (
    Asked,
    answered,
    check_pools,
    common_fields,
    distances_of,
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
from bench.sim.fleet.spec import FleetSpec, box_pages
from bench.sim.fleet.variants import Packing, Variant
from bench.sim.host.headline import compared_headline
from bench.sim.model.file import Model
from bench.util.units import format_bytes, format_ns, format_span

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
_NEEDED: Final = ("hosts_needed", "memory_in_hosts", "needed_delay_p99", "cost_of_needed")
"""Numbers of the smallest fleet; all others are of the fleet that was asked about."""
_OFTEN_DOWN: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class FleetQuestion(Asked):
    """A trace on a fleet."""

    spec: FleetSpec
    fleet_text: str = "the fleet file"
    """The fleet's name, for people."""
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

    def short(self) -> str:
        """In few words: ``sample:azure-2021 on 20 hosts of 8 CPUs and 64.0 GiB``."""
        hosts = count_text(self.spec.hosts, "host")
        each = f"{count_text(self.spec.cpus, 'CPU')} and {format_bytes(self.spec.memory_bytes)}"
        return f"{self.trace_text} on {hosts} of {each}"


class FleetAnswer(Answer):
    """The answer to a question about a fleet."""

    invocations: int
    """Of the trace."""
    rules: tuple[str, ...] = ()
    """What the trace left open and how it was filled."""
    delays_ns: dict[str, dict[str, float | None]]
    """By label: start delays by share of invocations, over all draws together; None: never."""
    series: tuple[Series, ...] = ()
    """Over the time of the trace, of the fleet that was asked about."""


@dataclass(frozen=True, kw_only=True)
class _Runs:
    """All runs of one variant, and what one host fewer would lack in each draw."""

    spec: FleetSpec
    """As its boxes see it, in the last draw."""
    packings: tuple[Packing, ...]
    """In each draw."""
    results: tuple[FleetResult, ...]
    rows: tuple[Mapping[str, float], ...]
    stops: tuple[Stop, ...]


def answer_fleet(terms: Terms, question: FleetQuestion) -> FleetAnswer:
    """Simulate and judge. Targets that cannot be answered are left out and named.

    Raises:
        UsageError: a host too small for a box, a model without the memory of any target, a wrong trace.
        NotInDataError: all targets lie more than 10 times beyond the data, and ``terms.beyond`` is false.
    """
    asked, runs, unanswered = answered(terms, question, question.spec, lambda one: _runs(terms, question, one))
    distances = {
        one.label: distances_of(terms, one, runs[one.label].spec, runs[one.label].results) for one in asked.variants
    }
    shown = {one.label: _shown(terms, asked, one, runs[one.label], distances[one.label]) for one in asked.variants}
    invocations = runs[asked.baseline].results[0].arrivals
    looks = _looks(terms, asked, shown, invocations)
    numbers = with_bound(terms, _numbers(asked, shown), f"{PREFIX}.hosts_needed", "hosts", looks)
    stops = {label: decided(label, one.stops, terms.draw_weights) for label, one in runs.items()}
    starts = [
        start_limit(f"{one.label}, a start", one.values(terms.model, None), runs[one.label].results)
        for one in asked.variants
    ]
    return FleetAnswer(
        question=asked.sentence(),
        short=asked.short(),
        headline=_headline(asked, numbers, stops),
        quantities=tuple(numbers),
        influenced=f"{PREFIX}.memory_in_hosts" if looks else "",
        groups=_groups(asked, shown),
        delays_ns={label: _delays(one.results) for label, one in runs.items()},
        series=tuple(
            one
            for label in asked.labels
            for one in series_of(label, PREFIX, runs[label].results, shown[label], runs[label].packings)
        ),
        **common_fields(
            terms,
            asked,
            spec=asked.spec,
            unit=UNITS["memory_in_hosts"],
            distances=distances,
            looks=looks,
            limits=[*stops.values(), *starts],
            invocations=invocations,
            unanswered=unanswered,
            stated=_stated(asked.spec),
        ),
    )


def _shown(terms: Terms, asked: FleetQuestion, variant: Variant, runs: _Runs, distances: Sequence[Distance]) -> Shown:
    """How the numbers of one variant become bands."""
    return Shown(
        samples=columns(runs.rows),
        weights=terms.draw_weights,
        wide=widenings(terms.model, variant, distances),
        caps=caps_of(terms, asked, variant, asked.spec),
    )


def _numbers(asked: FleetQuestion, shown: Mapping[str, Shown]) -> list[Quantity]:
    """Of each variant, and against the baseline."""
    currency = "" if asked.prices is None else asked.prices.currency
    return [
        *(one for label in asked.labels for one in quantities(label, PREFIX, shown[label], currency=currency)),
        *ratios(asked, PREFIX, shown, names=RATIOS),
    ]


def _runs(terms: Terms, question: FleetQuestion, variant: Variant) -> _Runs:
    packing = variant.packing(question.spec, terms.model, None)
    spec = variant.spec(question.spec, packing)
    check_pools(terms.model, question, variant, spec)
    results: list[FleetResult] = []
    rows, stops, packings = [], [], []
    for place, draw in enumerate(terms.draws):
        terms.say(f"{variant.label}: draw {place + 1} of {len(terms.draws)}")
        packing = variant.packing(question.spec, terms.model, draw)
        spec = variant.spec(question.spec, packing)
        results.append(one_run(terms, question, variant, spec, draw=draw, place=place, watched=True))
        refuse_far(terms, variant, spec, results[:1], last=False)
        row, stop = _smallest(terms, question, variant, packing, place)
        rows.append({**row, **numbers_of(results[-1], spec, packing), **_costs(question, results[-1], packing, row)})
        stops.append(stop)
        packings.append(packing)
    refuse_far(terms, variant, spec, results, last=True)
    return _Runs(spec=spec, packings=tuple(packings), results=tuple(results), rows=tuple(rows), stops=tuple(stops))


def _smallest(
    terms: Terms, question: FleetQuestion, variant: Variant, packing: Packing, place: int
) -> tuple[dict[str, float], Stop]:
    """The numbers of the smallest fleet in one draw, and what it would lack with one host fewer."""
    draw = terms.draws[place]
    spec = variant.spec(question.spec, packing)
    found = smallest_fleet(
        spec,
        question.limit,
        lambda tried: one_run(terms, question, variant, tried, draw=draw, place=place),
        step=packing.per_host,
    )
    values = variant.values(terms.model, draw)
    pages = box_pages(values, variant.label, question.trace.memory_bytes, len(question.trace.names))
    row = {
        "hosts_needed": float(found.hosts // packing.per_host),
        "memory_in_hosts": _in_hosts(found.result, packing),
        "needed_delay_p99": found.result.delay_ns(0.99),
    }
    return row, stop_of(question.limit, found, spec, values, pages, per_host=packing.per_host)


def _in_hosts(result: FleetResult, packing: Packing) -> float:
    """The memory of boxes at the peak, in hosts: hosts needed, without being rounded to whole ones."""
    return result.peak_bytes / result.capacity_bytes / packing.per_host


def _costs(
    question: FleetQuestion, result: FleetResult, packing: Packing, row: Mapping[str, float]
) -> dict[str, float]:
    if question.prices is None:
        return {}
    return costs_of(
        result,
        question.spec,
        question.prices,
        kind=question.host_kind,
        needed=row["hosts_needed"],
        packing=packing,
    )


def _looks(terms: Terms, asked: FleetQuestion, shown: Mapping[str, Shown], invocations: int) -> dict[str, Look]:
    """At what decides, where something is open: not where all draws need the same number of hosts."""
    found = {}
    for one in asked.variants:
        needed = shown[one.label].band("hosts_needed")
        if needed.low95 < needed.high95 and (look := _look(terms, asked, one, invocations)) is not None:
            found[one.label] = look
    return found


def _look(terms: Terms, asked: FleetQuestion, variant: Variant, invocations: int) -> Look | None:
    """At the memory at the peak in units of hosts."""

    def hosts_full(model: Model, draw: int | None) -> float:
        packing = variant.packing(asked.spec, model, draw)
        spec = replace(variant.spec(asked.spec, packing), autoscaler=None, failures=None)
        result = one_run(terms, asked, variant, spec, draw=draw, place=0, model=model, noise=False)
        return _in_hosts(result, packing)

    return look_at(terms, variant, hosts_full, invocations)


def _groups(asked: FleetQuestion, shown: Mapping[str, Shown]) -> tuple[Group, ...]:
    """The smallest fleet, and the fleet that was asked about, each in a table of its own."""
    zero, sentence = zero_sentence(SHARES, shown)
    names = {name for one in shown.values() for name in one.samples}
    if "waited_share" in zero:
        # Then no cold start has waited for a host with room, and the two are equal.
        zero |= {"cold_delay"}
    if "lost_share" in zero:
        zero |= {"restart_p99"}
    span = format_span(asked.trace.length_ns)
    cost = (
        ""
        if asked.prices is None
        else f"Costs are of {span}, and of the time until all are served ({asked.prices.about})."
    )
    of_file = [name for name in UNITS if name in names - zero and name not in _NEEDED]
    return (
        Group(
            title="The smallest fleet that is enough",
            names=tuple(f"{PREFIX}.{name}" for name in _NEEDED if name in names),
            note=f"Enough: {asked.limit.sentence()}{_delay_limit(asked.limit)}. Found by bisection, without failures "
            "and without an autoscaler.",
        ),
        Group(
            title=f"Your fleet of {asked.fleet_text}",
            names=tuple(f"{PREFIX}.{name}" for name in of_file),
            note=" ".join(filter(None, (sentence, cost))),
        ),
    )


def _delay_limit(limit: Limit) -> str:
    return "" if limit.delay_ns is None else f", and 99 % begin within {format_ns(limit.delay_ns)}"


def _stated(spec: FleetSpec) -> tuple[str, ...]:
    """What a reader may not expect of the fleet file."""
    if spec.failures is None or (down := down_share(spec.failures)) <= _OFTEN_DOWN:
        return ()
    return (
        f"the fleet file: hosts are down for {down:.0%} of the time (mtbf {format_span(spec.failures.mtbf_ns)}, "
        f"mttr {format_span(spec.failures.mttr_ns)})",
    )


def _delays(results: tuple[FleetResult, ...]) -> dict[str, float | None]:
    """Percentiles of all runs together; None: among invocations that never began."""
    merged = np.sum([one.delay for one in results], axis=0)
    arrivals = sum(one.arrivals for one in results)
    found = {share: quantile(merged, share, arrivals) for share in (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)}
    return {f"{share:g}": value if np.isfinite(value) else None for share, value in found.items()}


def _headline(asked: FleetQuestion, shown: list[Quantity], stops: Mapping[str, Bottleneck]) -> str:
    if all(one.name == "none" for one in stops.values()):
        return (
            f"Simulated: {asked.limit.sentence()}, and one host is enough for that in {' and in '.join(asked.labels)}: "
            "nothing decides."
        )
    return compared_headline(
        shown,
        stops,
        name=f"{PREFIX}.hosts_needed",
        targets=asked.labels,
        baseline=asked.baseline,
        lead=f"{asked.limit.sentence()}, so this trace needs hosts: {{}}",
        relation="{other} needs {ratio} the hosts of {base}",
        times=False,
    )
