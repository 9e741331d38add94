"""``fleet``: a trace on many hosts, in VMs, containers, and containers inside VMs: how many hosts it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from bench.sim.answer.answer import Answer, Quantity, Series
from bench.sim.answer.influence import Look
from bench.sim.answer.terms import Terms
from bench.sim.fleet.fleet_question import PREFIX, FleetQuestion
from bench.sim.fleet.fleet_runs import Runs, run_variant
from bench.sim.fleet.fleet_words import crowded, groups, headline, stated
from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.limits import decided, start_limit
from bench.sim.fleet.needed import never_error
from bench.sim.fleet.numbers import UNITS, memory_in_hosts
from bench.sim.fleet.question import Aim, answered, common_fields, look_at, with_bound
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.shown import Shown, Wide, caps_of, columns, quantities, ratios, series_of, widenings
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import Variant
from bench.sim.model.file import Model

RATIOS: Final = (
    "hosts_needed",
    "memory_in_hosts",
    "peak_hosts",
    "delay_p99",
    "response_p99",
    "wasted_memory",
    "start_cpu",
    "cost_of_needed",
)
_ROOMY: Final = 2
"""Influences are looked at on so many times the hosts that the trace needs, so that no draw is short of them."""


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


def answer_fleet(terms: Terms, question: FleetQuestion) -> FleetAnswer:
    """Simulate and judge. Targets that cannot be answered are left out and named, and so is each of the two fleets.

    Raises:
        UnanswerableError: a host too small for a box, or a model without the memory, of any target.
        UsageError: a wrong trace.
        NotInDataError: all targets lie more than 10 times beyond the data, and ``terms.beyond`` is false.
        LimitError: no number of hosts keeps the limit in any target.
    """
    asked, runs, unanswered = answered(terms, question, question.spec, lambda one: run_variant(terms, question, one))
    _refuse_never(asked, runs)
    shown = {one.label: _shown(terms, asked, one, runs[one.label]) for one in asked.variants}
    invocations = runs[asked.baseline].results[0].arrivals
    looks = _looks(terms, asked, shown, runs, invocations)
    numbers = with_bound(terms, _numbers(asked, shown), f"{PREFIX}.hosts_needed", "hosts", looks)
    stops = {label: decided(label, one.stops, terms.draw_weights) for label, one in runs.items() if one.stops}
    starts = [
        start_limit(f"{one.label}, a start", one.values(terms.model, None), runs[one.label].results)
        for one in asked.variants
    ]
    common = common_fields(
        terms,
        asked,
        spec=asked.spec,
        unit=UNITS["memory_in_hosts"],
        distances={label: one.distances for label, one in runs.items()},
        looks=looks,
        limits=[*stops.values(), *starts],
        invocations=invocations,
        unanswered=(*unanswered, *(line for one in runs.values() for line in one.refused)),
        stated=stated(asked),
    )
    return FleetAnswer(
        question=asked.sentence(),
        short=asked.short(),
        headline=headline(asked, numbers, stops, [label for label in asked.labels if runs[label].never is not None]),
        quantities=tuple(numbers),
        influenced=f"{PREFIX}.memory_in_hosts" if looks else "",
        groups=groups(asked, shown),
        delays_ns={label: _delays(one.mine.results) for label, one in runs.items() if one.mine is not None},
        series=tuple(one for label in asked.labels for one in _series(label, runs[label], shown[label])),
        **{**common, "warnings": (*crowded(asked, runs), *common["warnings"])},
    )


def _refuse_never(asked: FleetQuestion, runs: Mapping[str, Runs]) -> None:
    """Raise LimitError where no target has a smallest fleet, and a limit is the reason for one of them."""
    if any(one.smallest is not None for one in runs.values()):
        return
    reasons = [one.never.message for one in runs.values() if one.never is not None]
    if reasons:
        raise never_error(reasons, asked.spec.policy)


def _shown(terms: Terms, asked: FleetQuestion, variant: Variant, runs: Runs) -> Shown:
    """How the numbers of one variant become bands."""
    wide: list[Wide] = [widenings(terms.model, variant, part.distances) for part in runs.parts]
    samples = {name: values for part in runs.parts for name, values in columns(part.rows).items()}
    elsewhere = {name: values for name, values in runs.elsewhere.items() if name == "hosts_elsewhere"}
    return Shown(
        samples=samples,
        weights=terms.draw_weights,
        wide=wide[0],
        wide_needed=wide[-1],
        caps=caps_of(terms, asked, variant, asked.spec),
        elsewhere=elsewhere,
    )


def _numbers(asked: FleetQuestion, shown: Mapping[str, Shown]) -> list[Quantity]:
    """Of each variant, and against the baseline."""
    currency = "" if asked.prices is None else asked.prices.currency
    return [
        *(one for label in asked.labels for one in quantities(label, PREFIX, shown[label], currency=currency)),
        *ratios(asked, PREFIX, shown, names=RATIOS),
    ]


def _looks(
    terms: Terms, asked: FleetQuestion, shown: Mapping[str, Shown], runs: Mapping[str, Runs], invocations: int
) -> dict[str, Look]:
    """At what decides, where something is open: not where all draws and all such traces need as many hosts."""
    found = {}
    for one in asked.variants:
        mine = shown[one.label]
        bands = [mine.band(name) for name in ("hosts_needed", "hosts_elsewhere") if mine.has(name)]
        is_open = any(band.low95 < band.high95 or band.never > 0 for band in bands)
        if is_open and (look := _look(terms, asked, one, runs[one.label], mine, invocations)) is not None:
            found[one.label] = look
    return found


def _look(
    terms: Terms, asked: FleetQuestion, variant: Variant, runs: Runs, shown: Shown, invocations: int
) -> Look | None:
    """At the memory at the peak in units of hosts, on a fleet with room for all."""

    def spec_at(model: Model, draw: int | None) -> FleetSpec:
        spec = variant.spec(asked.spec, variant.packing(asked.spec, model, draw))
        hosts = _ROOMY * runs.most_hosts * spec.together
        return replace(spec, hosts=hosts, autoscaler=None, failures=None)

    aim = Aim(
        spec_at=spec_at,
        number_of=memory_in_hosts,
        widening=shown.side("memory_in_hosts"),
        others=runs.elsewhere.get("memory_in_hosts", np.zeros(0)),
    )
    return look_at(terms, asked, variant, aim, invocations)


def _series(label: str, runs: Runs, shown: Shown) -> list[Series]:
    """Of the fleet that was asked about; none without it."""
    return [] if runs.mine is None else series_of(label, PREFIX, runs.mine.results, shown, runs.packings)


def _delays(results: tuple[FleetResult, ...]) -> dict[str, float | None]:
    """Percentiles of all runs together; None: among invocations that never began."""
    merged = np.sum([one.delay for one in results], axis=0)
    arrivals = sum(one.arrivals for one in results)
    found = {share: quantile(merged, share, arrivals) for share in (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)}
    return {f"{share:g}": value if np.isfinite(value) else None for share, value in found.items()}
