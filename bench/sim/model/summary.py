"""A model in numbers that people compare: what a start takes, how much CPU time, how long the lock is held, memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.sim.kind import Kind
from bench.sim.model.draws import weighted_quantile, weighted_sd
from bench.sim.model.schema import Model, Parameter, TargetEntry

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One number of a target over the draws.

    Attributes:
        name: ``single start``, ``CPU time``, ``hold``, ``scatter``, or the parameter's name.
        low, high: hold 95 % of the draws.
        narrowed: as ``narrowing`` says; None: the number had no prior.
    """

    target: str
    name: str
    unit: Literal["ns", "bytes", "1"]
    middle: float
    low: float
    high: float
    kind: Kind
    note: str
    prior_sd: float | None = None
    narrowed: float | None = None


def summaries(model: Model, label: str) -> tuple[Summary, ...]:
    """The numbers to compare targets by. Sums over stages are made within each draw."""
    return tuple(_main(model, label, model.targets[label]))


def parameters(model: Model, label: str) -> tuple[Summary, ...]:
    """Every parameter of a target, as the model file has it."""
    entry = model.targets[label]
    return tuple(
        _summary(model, label, name, parameter, draws_of(model, label, name))
        for name, parameter in entry.parameters.items()
    )


def draws_of(model: Model, label: str, name: str) -> Floats:
    """(draws,) Of one parameter; one that the target lacks is 0."""
    entry = model.targets[label]
    found = model.draws.get(label, {}).get(name)
    if found is None:
        value = entry.parameters[name].value if name in entry.parameters else 0.0
        return np.full(len(model.weights), value)
    return np.array(found)


def sum_of(model: Model, label: str, *parts: str) -> Floats:
    """(draws,) The sum of these parts over all stages of a target, ns."""
    endpoints = model.targets[label].endpoints
    names = [f"{end}.{part}" for end in endpoints for part in parts]
    found: Floats = np.sum([draws_of(model, label, name) for name in names], axis=0)
    return found


def _main(model: Model, label: str, entry: TargetEntry) -> Iterator[Summary]:
    sums = (
        ("single start", ("delay", "work", "hold_work", "hold_delay"), "the length of a start on an idle host."),
        ("CPU time", ("work", "background", "hold_work"), "of everything that works for one start."),
        ("hold", ("hold_work", "hold_delay"), "for how long one start holds the target's lock."),
    )
    for name, parts, note in sums:
        kind = _kind_of_sum(model, label, parts) if name == "hold" else _assumed_or_measured(entry, parts)
        parameter = Parameter(value=0.0, unit="ns", kind=kind, note=note)
        yield _summary(model, label, name, parameter, sum_of(model, label, *parts))
    yield from _scatter(model, label, entry)
    for name in ("inflation", "crowding", "growth", "memory_fixed", "memory_slope"):
        if name in entry.parameters:
            yield _summary(model, label, name, entry.parameters[name], draws_of(model, label, name))


def _scatter(model: Model, label: str, entry: TargetEntry) -> Iterator[Summary]:
    """Single starts show the sum of both parts of their scatter; how it is split is left to storms."""
    parts = tuple(name for name in ("block_sd", "box_sd") if name in entry.parameters)
    if parts:
        kind = _assumed_or_measured(entry, parts)
        note = "standard deviation of the logarithm of single starts, block_sd and box_sd together."
        values = np.hypot(draws_of(model, label, "block_sd"), draws_of(model, label, "box_sd"))
        yield _summary(model, label, "scatter", Parameter(value=0.0, unit="1", kind=kind, note=note), values)


def _assumed_or_measured(entry: TargetEntry, parts: tuple[str, ...]) -> Kind:
    stated = any(
        parameter.kind == "assumed" and name.rpartition(".")[2] in parts for name, parameter in entry.parameters.items()
    )
    return "assumed" if stated else "measured"


def _kind_of_sum(model: Model, label: str, parts: tuple[str, ...]) -> Kind:
    """The kind of the parameter that makes most of a sum; of no parameter at all: measured, and 0."""
    entry = model.targets[label]
    if _assumed_or_measured(entry, parts) == "assumed":
        return "assumed"
    of_sum = [name for name in entry.parameters if name.rpartition(".")[2] in parts]
    largest = max(of_sum, key=lambda name: float(draws_of(model, label, name).mean()), default=None)
    return "measured" if largest is None else entry.parameters[largest].kind


def blocks_help(entry: TargetEntry) -> bool:
    """Whether more blocks of the same trials would narrow what storms tell.

    They would not where the model's misfit exceeds the noise. True also where a file does not say.
    """
    return entry.noise is None or entry.noise > entry.misfit


def narrowing(parameter: Parameter, values: Floats, weights: Sequence[float]) -> float | None:
    """By how much the data narrowed a parameter, at most 1: what its fit says, else 1 - sd posterior / sd prior.

    None: it had no prior.

    Args:
        values: (draws,) of it.
        weights: (draws,)
    """
    if parameter.narrowed is not None:
        return parameter.narrowed
    return 1 - weighted_sd(values, weights) / parameter.prior_sd if parameter.prior_sd else None


def _summary(model: Model, label: str, name: str, parameter: Parameter, values: Floats) -> Summary:
    middle, low, high = (weighted_quantile(values, model.weights, share) for share in (0.5, 0.025, 0.975))
    return Summary(
        target=label,
        name=name,
        unit=parameter.unit,
        middle=middle,
        low=low,
        high=high,
        kind=parameter.kind,
        note=parameter.note,
        prior_sd=parameter.prior_sd,
        narrowed=narrowing(parameter, values, model.weights),
    )
