"""Boxes of one or several targets that start together on one host, over the draws of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.bands import Floats
from bench.sim.answer.form import host_values
from bench.sim.answer.terms import Terms
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.luck import trial_factors
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.host.times import ranked
from bench.sim.model.file import Model
from bench.sim.values import TargetValues

SHARES: Final = {"first": 0.0, "half": 0.5, "p90": 0.9, "all": 1.0}
"""Of the boxes that are up, by the name of the time since the first request."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Boxes of one target."""

    target: str
    boxes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Up:
    """When the boxes of one target are requested and up, ns since the first request of all."""

    requested_ns: NDArray[np.int64]
    """(boxes,)"""
    up_ns: NDArray[np.float64]
    """(boxes,)"""


Samples = Mapping[str, Floats]
"""(draws x replications,) of each number of ``times.ranked``."""


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Samples of the times of ``SHARES``."""

    by_target: Mapping[str, Samples]
    """Of the boxes of each target."""
    every: Samples
    """Of all boxes of the host."""


def mixed_samples(terms: Terms, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals) -> Mixed:
    """Simulate the host with each draw, ``terms.replications`` times."""
    each: list[list[dict[str, float]]] = [[] for _ in groups]
    every: list[dict[str, float]] = []
    for place, draw in enumerate(terms.draws, start=terms.first):
        values = _values(terms.model, draw, groups, cpus, terms.seed)
        for replication in range(terms.replications):
            trial = place * terms.replications + replication
            found = _run(groups, values, cpus, arrivals, seed=terms.seed, trial=trial, noise=True)
            for numbers, own in zip(each, found, strict=True):
                numbers.append(ranked(own.up_ns, own.requested_ns, SHARES))
            every.append(ranked(*_joined(found), SHARES))
    return Mixed(
        by_target={group.target: _samples(numbers) for group, numbers in zip(groups, each, strict=True)},
        every=_samples(every),
    )


def _samples(numbers: Sequence[Mapping[str, float]]) -> Samples:
    return {name: np.array([one[name] for one in numbers]) for name in numbers[0]}


def _joined(found: Sequence[Up]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(boxes,) When each is up, and when it was requested."""
    return np.concatenate([one.up_ns for one in found]), np.concatenate([one.requested_ns for one in found])


def all_up_ns(model: Model, draw: int, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals, seed: int) -> float:
    """When everything is up in one draw of the model, without noise, ns since the first request."""
    values = _values(model, draw, groups, cpus, seed)
    up_ns, _ = _joined(_run(groups, values, cpus, arrivals, seed=seed, trial=0, noise=False))
    return float(up_ns.max())


def _values(model: Model, draw: int, groups: Sequence[Group], cpus: int, seed: int) -> list[TargetValues]:
    boxes = sum(group.boxes for group in groups)
    return [host_values(model, group.target, draw, cpus=cpus, boxes=boxes, seed=seed) for group in groups]


def _run(
    groups: Sequence[Group],
    values: Sequence[TargetValues],
    cpus: int,
    arrivals: Arrivals,
    *,
    seed: int,
    trial: int,
    noise: bool,
) -> list[Up]:
    scheduled = dealt(groups, arrivals.schedule(sum(group.boxes for group in groups), seed=seed, trial=trial))
    parts = [
        SharedGroup(
            values=one,
            scheduled_ns=at,
            noise=trial_factors(one, seed=seed, trial=trial, boxes=group.boxes) if noise else np.ones(group.boxes),
        )
        for one, at, group in zip(values, scheduled, groups, strict=True)
    ]
    up = simulate_shared(parts, cpus=cpus)
    return [Up(requested_ns=at, up_ns=one.astype(np.float64)) for at, one in zip(scheduled, up, strict=True)]


def dealt(groups: Sequence[Group], times: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The requests' times by group: each group is spread evenly over all of them."""
    places = np.concatenate([(np.arange(group.boxes) + 0.5) / group.boxes for group in groups])
    owner = np.repeat(np.arange(len(groups)), [group.boxes for group in groups])
    order = np.argsort(places, kind="stable")
    return [times[np.flatnonzero(owner[order] == number)] for number in range(len(groups))]
