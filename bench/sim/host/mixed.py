"""Boxes of one or several targets that start together on one host, over the draws of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.storms import reached_by
from bench.sim.answer.bands import Floats
from bench.sim.answer.form import host_values
from bench.sim.answer.terms import Terms
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.luck import trial_factors
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.model.file import Model
from bench.sim.values import TargetValues

SHARES: Final = {"first": 0.0, "half": 0.5, "p90": 0.9, "all": 1.0}
"""Of the boxes that are up, by the name of the time since the first request."""
ALL_TARGETS: Final = "everything"
"""The label of the boxes of all targets together."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Boxes of one target."""

    target: str
    boxes: int


Times = tuple[NDArray[np.float64], ...]
"""By group: (boxes,) when each box is up, since the first request of all, ns."""


def mixed_samples(
    terms: Terms, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals
) -> dict[str, Mapping[str, Floats]]:
    """Samples (draws x replications,) of the times of ``SHARES``, by target, and of ``ALL_TARGETS``."""
    found: dict[str, list[dict[str, float]]] = {label: [] for label in (*(one.target for one in groups), ALL_TARGETS)}
    for place, draw in enumerate(terms.draws, start=terms.first):
        values = _values(terms.model, draw, groups, cpus, terms.seed)
        for replication in range(terms.replications):
            trial = place * terms.replications + replication
            times = _run(groups, values, cpus, arrivals, seed=terms.seed, trial=trial, noise=True)
            for group, own in zip(groups, times, strict=True):
                found[group.target].append(_numbers(own))
            found[ALL_TARGETS].append(_numbers(np.concatenate(times)))
    return {
        label: {name: np.array([one[name] for one in numbers]) for name in SHARES} for label, numbers in found.items()
    }


def all_up_ns(model: Model, draw: int, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals, seed: int) -> float:
    """When everything is up in one draw of the model, without noise, ns since the first request."""
    values = _values(model, draw, groups, cpus, seed)
    times = _run(groups, values, cpus, arrivals, seed=seed, trial=0, noise=False)
    return float(np.concatenate(times).max())


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
) -> Times:
    scheduled = _dealt(groups, arrivals.schedule(sum(group.boxes for group in groups), seed=seed, trial=trial))
    parts = [
        SharedGroup(
            values=one,
            scheduled_ns=at,
            noise=trial_factors(one, seed=seed, trial=trial, boxes=group.boxes) if noise else np.ones(group.boxes),
        )
        for one, at, group in zip(values, scheduled, groups, strict=True)
    ]
    return tuple(times.astype(np.float64) for times in simulate_shared(parts, cpus=cpus))


def _dealt(groups: Sequence[Group], times: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The requests' times by group: each group is spread evenly over all of them."""
    places = np.concatenate([(np.arange(group.boxes) + 0.5) / group.boxes for group in groups])
    owner = np.repeat(np.arange(len(groups)), [group.boxes for group in groups])
    order = np.argsort(places, kind="stable")
    return [times[np.flatnonzero(owner[order] == number)] for number in range(len(groups))]


def _numbers(times: NDArray[np.float64]) -> dict[str, float]:
    ranked: list[float] = np.sort(times).tolist()
    return {name: reached_by(ranked, share) for name, share in SHARES.items()}
