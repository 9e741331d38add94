"""What questions about fleets share: which targets can be answered, runs over the model's draws, distances, notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck, Distance, Quantity
from bench.sim.answer.bands import Widening
from bench.sim.answer.distance import FARTHEST, refuse_beyond
from bench.sim.answer.form import form_sentences
from bench.sim.answer.influence import Look, bound_sentence, look_into
from bench.sim.answer.rest import Rest
from bench.sim.answer.terms import Terms, choose_baseline, choose_draws
from bench.sim.answer.words import NOISE, TRACE
from bench.sim.fleet.numbers import Unit
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec, UnanswerableError, box_pages, check_fit, check_prewarmed
from bench.sim.fleet.variants import Variant
from bench.sim.host.common import fields_of
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.traces.trace import TraceSource, same_traces
from bench.util.errors import BoxbenchError, NotInDataError

Floats = NDArray[np.float64]

SEEDS: Final = 2**20
"""Draws of one question have neighbouring seeds; questions with neighbouring seeds share none."""
MOST_INFLUENCED: Final = 100_000
"""Influences and other traces are looked at when a trace has at most so many invocations."""
INFLUENCE_DRAWS: Final = 100
"""Draws of the model, at most, that influences are made from."""
OTHERS: Final = 20
"""Other traces of the same law, and runs with other luck, that an answer looks at."""
WINDOWS: Final = 60
"""Parts of the trace's time, each with a point of the figures over time."""
LEFT_OUT: Final = (
    "Boxes that compute leave the CPUs to starts: the trace's durations are taken as they are, and a host whose CPUs "
    "are busy with invocations starts boxes more slowly than this.",
    "The model has no disk, no memory bandwidth, no NUMA, no image pull and no network.",
    "A box takes what its target was measured to take for one box, and the function's own memory beside it.",
)
_SURELY_TOO_FAR: Final = 1.25 * FARTHEST
"""A first run that lies farther beyond the data than this speaks for all: the others are not made."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A trace, and what is compared on it."""

    trace: TraceSource
    trace_text: str
    """As the user named it."""
    variants: tuple[Variant, ...]
    baseline: str
    """The label of one of them."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the variants, in their order."""
        return tuple(one.label for one in self.variants)

    def is_random(self, terms: Terms) -> bool:
        """Whether another seed gives other invocations: the trace is a law, or has counts without times."""
        one, other = (self.trace.chunks(seed=trace_seed(terms, number)) for number in (0, 1))
        return not same_traces(one, other)


AskedT = TypeVar("AskedT", bound=Asked)
Found = TypeVar("Found")


def answered(
    terms: Terms, asked: AskedT, spec: FleetSpec, run: Callable[[Variant], Found]
) -> tuple[AskedT, dict[str, Found], tuple[str, ...]]:
    """Run each variant that the model and its data can answer.

    Args:
        spec: of the hosts, for what can be refused before any run.

    Returns:
        The question about those that were answered, with another baseline where its own was not; what ``run`` gave,
        by label; and a sentence on each of the others.

    Raises:
        UnanswerableError, NotInDataError: none can be answered; the first one's reason.
    """
    found: dict[str, Found] = {}
    reasons: list[str] = []
    first: BoxbenchError | None = None
    for one in asked.variants:
        try:
            check_memory(terms.model, one)
            _check_boxes(terms, asked, one, spec)
            refuse_beyond((_cpu_distance(terms.model, one, _cpus(one, spec)),), allowed=terms.beyond)
            found[one.label] = run(one)
        except (UnanswerableError, NotInDataError) as error:
            first = first or error
            reasons.append(error.message)
    if first is not None and not found:
        raise first
    left = tuple(one for one in asked.variants if one.label in found)
    labels = [one.label for one in left]
    baseline = asked.baseline if asked.baseline in found else choose_baseline(labels, None)
    return replace(asked, variants=left, baseline=baseline), found, tuple(reasons)


class NoMemoryError(UnanswerableError):
    """The model does not know what boxes of a target take of a host's memory."""


def check_memory(model: Model, variant: Variant) -> None:
    """Raise NoMemoryError before any run when the model has no memory of a target: which ones it has is said."""
    known = [name for name in model.targets if target_values(model, name, None).memory_slope_bytes is not None]
    for target in targets_of((variant,)):
        if target not in known:
            raise NoMemoryError(
                f"{target}: the model does not know what a further box takes of the host's memory",
                hint=f"ask for -t {','.join(known)}, or measure {target} with `residents: [1, 8, 16]` and fit again"
                if known
                else "add `residents: [1, 8, 16]` to the scenario of the calibration, and fit again",
            )


def _check_boxes(terms: Terms, asked: Asked, variant: Variant, real: FleetSpec) -> None:
    """Raise UnanswerableError before any run when a host is too small for a box, in any draw that is used."""
    for draw in terms.draws:
        spec = variant.spec(real, variant.packing(real, terms.model, draw))
        values = variant.values(terms.model, draw)
        pages = box_pages(values, variant.label, asked.trace.memory_bytes, len(asked.trace.names))
        check_fit(spec, values, variant.label, pages, asked.trace.names)


def check_pools(model: Model, asked: Asked, variant: Variant, spec: FleetSpec) -> None:
    """Raise UnanswerableError before any run when the fleet has no room for its pre-warmed boxes."""
    values = variant.values(model, None)
    pages = box_pages(values, variant.label, asked.trace.memory_bytes, len(asked.trace.names))
    check_prewarmed(spec, values, variant.label, pages)


def trace_seed(terms: Terms, other: int = 0) -> int:
    """The seed of the trace: one trace for all draws and all variants.

    Args:
        other: number of another trace of the same law; 0: the one that is asked about.
    """
    return (terms.seed * SEEDS + (SEEDS // 2 + other if other else 0)) % 2**63


def run_seed(terms: Terms, place: int) -> int:
    """The seed of the luck of boxes and hosts in the run of one draw: the same for all variants."""
    return (terms.seed * SEEDS + place) % 2**63


def one_run(
    terms: Terms,
    asked: Asked,
    variant: Variant,
    spec: FleetSpec,
    *,
    draw: int | None,
    place: int,
    model: Model | None = None,
    noise: bool = True,
    watched: bool = False,
    other: int = 0,
) -> FleetResult:
    """Run the trace with one draw of the model; None: at its centre.

    Args:
        place: of the draw among those of the question: all variants have the same luck there.
        model: None: that of the terms.
        watched: the result has the run over the time of the trace.
        other: as in ``trace_seed``.
    """
    return simulate_fleet(
        spec,
        variant.values(model or terms.model, draw, cpus=spec.cpus, seed=terms.seed),
        asked.trace,
        label=variant.label,
        seed=run_seed(terms, place),
        trace_seed=trace_seed(terms, other),
        noise=noise,
        windows=WINDOWS if watched else 0,
    )


def refuse_far(
    terms: Terms, variant: Variant, spec: FleetSpec, results: Sequence[FleetResult], *, last: bool, of: str = ""
) -> None:
    """Raise NotInDataError when the runs of a variant lie too far beyond the data.

    Args:
        last: all runs are done. Before that only a distance is refused that further runs hardly bring below the limit.
        of: as for ``distances_of``.
    """
    found = distances_of(terms, variant, spec, results, of=of)
    if last or max(one.times for one in found) > _SURELY_TOO_FAR:
        refuse_beyond(found, allowed=terms.beyond)


def distances_of(
    terms: Terms, variant: Variant, spec: FleetSpec, results: Sequence[FleetResult], *, of: str = ""
) -> tuple[Distance, ...]:
    """How far the fullest host of the runs lies beyond the data, and the VMs on a real host.

    Args:
        of: as for ``distances_at``.
    """
    return distances_at(
        terms.model,
        variant,
        spec,
        on_host=float(np.median([one.peak_on_host for one in results])),
        starts=float(np.median([one.peak_starts for one in results])),
        of=of,
    )


def distances_at(
    model: Model, variant: Variant, spec: FleetSpec, *, on_host: float, starts: float, of: str = ""
) -> tuple[Distance, ...]:
    """How far a fleet lies beyond the data on which at most ``on_host`` boxes are on a host, and ``starts`` start.

    Args:
        of: what the runs are of, where a variant has several: it stands behind the label.
    """
    label = variant.label + of
    measured = model.targets[variant.target].measured
    most = max((max(measured.get(axis, ()), default=0) for axis in ("residents", "memory")), default=0)
    found = [
        _cpu_distance(model, variant, spec.cpus, label=label),
        Distance(axis="memory", asked=on_host, measured=most, target=label),
    ]
    if variant.inside is not None:
        vms = model.targets[variant.inside.target].measured.get("memory", ())
        found.append(
            Distance(axis="memory", asked=spec.together, measured=max(vms, default=0), target=variant.inside.target)
        )
    if variant.snapshot is None:
        at_once = max(measured.get("boxes", ()), default=0)
        found.insert(0, Distance(axis="boxes", asked=starts, measured=at_once, target=label))
    return tuple(found)


def _cpu_distance(model: Model, variant: Variant, cpus: int, *, label: str = "") -> Distance:
    return Distance(axis="cpus", asked=cpus, measured=model.host.cpus, target=label or variant.label)


def _cpus(variant: Variant, spec: FleetSpec) -> int:
    """Of the host that its boxes see."""
    return spec.cpus if variant.inside is None else variant.inside.cpus


def has_others(asked: Asked, terms: Terms, invocations: int) -> bool:
    """Whether other traces of the same law are looked at: the trace leaves something open, and is not long."""
    return invocations <= MOST_INFLUENCED and asked.is_random(terms)


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The number that influences are about, and the fleet on which it is looked at."""

    spec_at: Callable[[Model, int | None], FleetSpec]
    """The fleet as boxes see it, in one draw of a model; None: at its centre."""
    number_of: Callable[[FleetResult], float]
    """Finite."""
    widening: Widening
    """Of its band."""
    others: Floats
    """(traces,) The number on other traces at the centre of the model; empty: there are none."""


def look_at(terms: Terms, asked: Asked, variant: Variant, aim: Aim, invocations: int) -> Look | None:
    """What decides a number of a variant: parameters, the luck of single runs, the luck of the trace; None for a long
    trace."""
    if invocations > MOST_INFLUENCED:
        return None
    terms.say(f"{variant.label}: what decides the answer")

    def number(model: Model, draw: int | None, place: int = 0) -> float:
        spec = aim.spec_at(model, draw)
        # The first place is that of runs without noise.
        result = one_run(terms, asked, variant, spec, draw=draw, place=place, model=model, noise=place > 0)
        return aim.number_of(result)

    runs = {NOISE: np.array([number(terms.model, None, place) for place in range(1, OTHERS + 1)])}
    if len(aim.others):
        runs[TRACE] = aim.others
    # More draws than the answer has: shares of some twenty parameters need them, and these runs are without noise.
    draws = choose_draws(terms.model, min(INFLUENCE_DRAWS, len(terms.model.weights)))
    rest = Rest(widening=aim.widening, runs=runs)
    return look_into(terms.model, targets_of((variant,)), draws, number, answer=variant.label, rest=rest)


def with_bound(
    terms: Terms, shown: Sequence[Quantity], name: str, unit: Unit, looks: Mapping[str, Look]
) -> list[Quantity]:
    """The quantities; one that is a bound and no estimate says so, if it is what the answer is about."""
    return [
        one.model_copy(update={"bound": bound_sentence(terms.model, looks[one.target].influences, one.band, unit)})
        if (one.name, one.unit) == (name, unit) and one.target in looks and not one.band.never
        else one
        for one in shown
    ]


def common_fields(
    terms: Terms,
    asked: Asked,
    *,
    spec: FleetSpec,
    unit: Unit,
    distances: Mapping[str, Sequence[Distance]],
    looks: Mapping[str, Look],
    limits: Sequence[Bottleneck],
    invocations: int,
    unanswered: Sequence[str],
    stated: Sequence[str] = (),
) -> dict[str, Any]:
    """The fields of an answer that all questions about traces fill alike.

    Args:
        spec: of the real hosts.
        unit: of what ``looks`` are about.
        stated: sentences on what the question takes for granted, beside those of the variants.
    """
    forms = (
        line
        for one in asked.variants
        for line in form_sentences(terms.model, (one.target,), cpus=_cpus(one, spec), boxes=_cpus(one, spec))
    )
    taken = (*(line for one in asked.variants for line in one.assumed()), *forms, *stated)
    common = fields_of(
        terms,
        distances=distances,
        looks=looks,
        owners={one.label: targets_of((one,)) for one in asked.variants},
        unit=unit,
        taken=taken,
        unanswered=unanswered,
    )
    return common | {
        "bottlenecks": tuple(limits),
        "left_out": (
            *_trace_notes(invocations),
            *(f"The trace: {rule}" for rule in asked.trace.rules),
            *LEFT_OUT,
        ),
        "invocations": invocations,
        "rules": asked.trace.rules,
    }


def _trace_notes(invocations: int) -> tuple[str, ...]:
    """What was not looked at in a long trace."""
    if invocations <= MOST_INFLUENCED:
        return ()
    return (
        f"Which parameter decides, and what other such traces give, was not looked at: that takes {INFLUENCE_DRAWS} "
        f"and {OTHERS} runs of {invocations} invocations. Ask about a part of it with at most {MOST_INFLUENCED}.",
    )


def targets_of(variants: Sequence[Variant]) -> tuple[str, ...]:
    """The model's targets that the variants are of, each once."""
    inner = (one.target for one in variants)
    outer = (one.inside.target for one in variants if one.inside is not None)
    return tuple(dict.fromkeys([*inner, *outer]))
