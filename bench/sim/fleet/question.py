"""What questions about fleets share: runs over the model's draws, distances, what limits them, what decides them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Bottleneck, Distance, Influence, Quantity
from bench.sim.answer.bands import Widening, band_of, ratio_band
from bench.sim.answer.distance import widening
from bench.sim.answer.influence import AnswerOf, bound_sentence, identify_sentences, influences
from bench.sim.answer.terms import Terms, assumed_of, choose_draws
from bench.sim.fleet.numbers import UNITS, Unit
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec, box_pages
from bench.sim.fleet.variants import Variant
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.traces.trace import TraceSource
from bench.sim.values import TargetValues
from bench.util.errors import UsageError

Floats = NDArray[np.float64]
Numbers = dict[str, float]

SEEDS: Final = 2**20
"""Draws of one question have neighbouring seeds; questions with neighbouring seeds share none."""
MOST_INFLUENCED: Final = 100_000
"""Influences are looked for when a trace has at most so many invocations."""
INFLUENCE_DRAWS: Final = 100
"""Draws of the model, at most, that influences are made from."""
LEFT_OUT: Final = (
    "Boxes that compute leave the CPUs to starts: the trace's durations are taken as they are, and a host whose CPUs "
    "are busy with invocations starts boxes more slowly than this.",
    "The model has no disk, no memory bandwidth, no NUMA, no image pull and no network.",
    "A box takes what its target was measured to take for one box, and the function's own memory beside it.",
)


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


def check_memory(model: Model, asked: Asked) -> None:
    """Raise UsageError before any run when the model has no memory of a target: which ones it has is said."""
    known = [name for name in model.targets if target_values(model, name, None).memory_slope_bytes is not None]
    for target in targets_of(asked.variants):
        if target not in known:
            raise UsageError(
                f"{target}: the model does not know what a further box takes of the host's memory",
                hint=f"ask for -t {','.join(known)}, or measure {target} with `residents: [1, 8, 16]` and fit again"
                if known
                else "add `residents: [1, 8, 16]` to the scenario of the calibration, and fit again",
            )


def trace_seed(terms: Terms, place: int) -> int:
    """The seed of the trace and of all luck in the run of one draw: the same for all variants."""
    return (terms.seed * SEEDS + place) % 2**63


def one_run(
    model: Model, asked: Asked, variant: Variant, spec: FleetSpec, *, draw: int | None, seed: int, noise: bool = True
) -> FleetResult:
    """Run the trace with one draw of the model; None: at its centre."""
    return simulate_fleet(spec, variant.values(model, draw), asked.trace, label=variant.label, seed=seed, noise=noise)


def columns(rows: Sequence[Numbers]) -> dict[str, Floats]:
    """Samples by name: one number per draw."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def distances_of(
    terms: Terms, variant: Variant, spec: FleetSpec, results: Sequence[FleetResult]
) -> tuple[Distance, ...]:
    """How far the fullest host of the runs lies beyond the data."""
    measured = terms.model.targets[variant.target].measured
    most = max((max(measured.get(axis, ()), default=0) for axis in ("residents", "memory")), default=0)
    on_host = float(np.median([one.peak_on_host for one in results]))
    found = [
        Distance(axis="cpus", asked=spec.cpus, measured=terms.model.host.cpus, target=variant.label),
        Distance(axis="memory", asked=on_host, measured=most, target=variant.label),
    ]
    if variant.snapshot is None:
        starts = float(np.median([one.peak_starts for one in results]))
        at_once = max(measured.get("boxes", ()), default=0)
        found.insert(0, Distance(axis="boxes", asked=starts, measured=at_once, target=variant.label))
    return tuple(found)


def widenings(terms: Terms, distances: Mapping[str, Sequence[Distance]]) -> dict[str, tuple[Widening, Widening]]:
    """By label: of times and CPU time, and of memory and hosts."""
    model = terms.model
    return {
        label: (
            widening(model.discrepancy, [one for one in found if one.axis != "memory"]),
            widening(model.discrepancy, [one for one in found if one.axis == "memory"]),
        )
        for label, found in distances.items()
    }


_MEMORY: Final = ("hosts", "bytes", "cost")
_STATED: Final = ("mean_hosts_on", "cost")
"""They follow from the fleet file, and with an autoscaler from the runs."""


def side(name: str, wide: tuple[Widening, Widening]) -> Widening:
    """How much the band of a number is widened: shares are not, since they cannot grow without end."""
    unit = UNITS[name]
    if unit == "share" or name in _STATED:
        return Widening()
    return wide[1] if unit in _MEMORY else wide[0]


def quantities(
    terms: Terms, label: str, prefix: str, samples: Mapping[str, Floats], wide: tuple[Widening, Widening]
) -> list[Quantity]:
    """The numbers of one variant with their bands."""
    weights = terms.draw_weights
    return [
        Quantity(
            name=f"{prefix}.{name}", unit=unit, target=label, band=band_of(samples[name], weights, side(name, wide))
        )
        for name, unit in ((name, UNITS[name]) for name in samples)
    ]


def ratios(
    terms: Terms,
    asked: Asked,
    prefix: str,
    samples: Mapping[str, Mapping[str, Floats]],
    wide: Mapping[str, tuple[Widening, Widening]],
    *,
    names: Sequence[str],
) -> list[Quantity]:
    """Each variant against the baseline, within each draw: the same trace and the same luck."""
    base = asked.baseline
    return [
        Quantity(
            name=f"{prefix}.{name}",
            unit="ratio",
            target=f"{label} : {base}",
            band=ratio_band(
                samples[label][name],
                samples[base][name],
                terms.draw_weights,
                side(name, wide[label]),
                side(name, wide[base]),
            ),
        )
        for label in asked.labels
        if label != base
        for name in names
        if name in samples[base] and np.all(samples[base][name] > 0)
    ]


def start_limit(label: str, values: TargetValues, results: Sequence[FleetResult]) -> Bottleneck:
    """What a cold start consists of on average: the start itself, waiting for the lock, for CPUs, and for memory."""
    cold = max(1, sum(one.cold for one in results))
    lock = sum(one.lock_wait_ns for one in results) / cold
    room = sum(one.room_wait_ns for one in results) / cold
    rest = max(0.0, sum(one.waiting_ns for one in results) / cold - room - lock - values.solo_ns)
    parts = {"start": float(values.solo_ns), "lock": lock, "CPU": rest, "memory": room}
    name = max(parts, key=lambda part: parts[part])
    return Bottleneck(target=label, name=name, bounds_ns=parts)


def room_limit(asked: Asked, variant: Variant, spec: FleetSpec, values: TargetValues) -> Bottleneck:
    """What decides how many boxes a host takes: memory, or the stated number of boxes."""
    pages = box_pages(values, variant.label, asked.trace.memory_bytes, len(asked.trace.names))
    by_memory = spec.capacity_pages(values) // max(1, int(np.median(pages)))
    limited = spec.box_limit is not None and spec.box_limit < by_memory
    switch = None
    if limited and spec.box_limit is not None:
        switch = f"from {by_memory} boxes per host on it is memory"
    return Bottleneck(target=variant.label, name="hosts" if limited else "memory", switch=switch)


def influences_of(terms: Terms, variant: Variant, number_at: AnswerOf, invocations: int) -> tuple[Influence, ...]:
    """What decides a number of a variant; empty for a long trace.

    Args:
        number_at: the number at one draw of a model, without noise.
    """
    if invocations > MOST_INFLUENCED:
        return ()
    terms.say(f"{variant.label}: what decides the answer")
    # More draws than the answer has: shares of some twenty parameters need them, and these runs are without noise.
    draws = choose_draws(terms.model, min(INFLUENCE_DRAWS, len(terms.model.weights)))
    return influences(terms.model, targets_of((variant,)), draws, number_at, answer=variant.label)


def influence_note(invocations: int) -> tuple[str, ...]:
    """Why there are no influences; empty when there are."""
    if invocations <= MOST_INFLUENCED:
        return ()
    return (
        f"Which parameter decides was not looked at: that takes {INFLUENCE_DRAWS} runs of {invocations} invocations. "
        f"Ask about a part of the trace with at most {MOST_INFLUENCED}.",
    )


def identified(model: Model, found: Mapping[str, tuple[Influence, ...]]) -> tuple[str, ...]:
    """Which cells would narrow what decides, each sentence once."""
    return tuple(dict.fromkeys(line for some in found.values() for line in identify_sentences(model, some)))


def with_bound(
    terms: Terms, shown: Sequence[Quantity], name: str, unit: Unit, found: Mapping[str, tuple[Influence, ...]]
) -> list[Quantity]:
    """The quantities; one that is a bound and no estimate says so, if it is what the answer is about."""
    return [
        one.model_copy(update={"bound": bound_sentence(terms.model, found[one.target], one.band, unit)})
        if (one.name, one.unit) == (name, unit)
        else one
        for one in shown
    ]


def assumptions(model: Model, variants: Sequence[Variant]) -> tuple[str, ...]:
    """Everything that no data stand behind: in the model, and in the question."""
    return (*assumed_of(model, targets_of(variants)), *(line for one in variants for line in one.assumed()))


def targets_of(variants: Sequence[Variant]) -> tuple[str, ...]:
    """The model's targets that the variants are of, each once."""
    inner = (one.target for one in variants)
    outer = (one.inside.target for one in variants if one.inside is not None)
    return tuple(dict.fromkeys([*inner, *outer]))
