"""Boxes of one or several targets that start together on one host, over the draws of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.bands import Floats
from bench.sim.answer.form import host_values
from bench.sim.answer.terms import Terms
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.luck import trial_factors
from bench.sim.host.shared import SharedGroup, simulate_shared
from bench.sim.host.times import Errors, ranked, with_errors
from bench.sim.model.file import Model
from bench.sim.values import TargetValues

SHARES: Final = {"first": 0.0, "half": 0.5, "p90": 0.9, "all": 1.0}
"""Of the boxes that are up, by the name of the time since the first request."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Boxes of one target."""

    target: str
    boxes: int


Samples = Mapping[str, Floats]
"""(draws x replications,) of each number of ``times.ranked``."""


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Samples of the times of ``SHARES``."""

    by_target: Mapping[str, Samples]
    """Of the boxes of each target."""
    every: Samples
    """Of all boxes of the host."""


def mixed_samples(terms: Terms, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals, errors: Errors) -> Mixed:
    """Simulate the host with each draw, ``terms.replications`` times; with a schedule also with errors of the model, as
    of ``times.with_errors``: one for all boxes of the host."""
    found: list[dict[str, float]] = []
    for place, draw in enumerate(terms.draws, start=terms.first):
        values = _values(terms.model, draw, groups, cpus, terms.seed)
        for replication in range(terms.replications):
            trial = place * terms.replications + replication
            once = partial(_numbers, groups, values, cpus, arrivals, terms.seed, trial)
            found.append(with_errors(once, errors, trial, at_once=not arrivals.gap_ns))
    samples = {name: np.array([one[name] for one in found]) for name in found[0]}
    return Mixed(
        by_target={group.target: _part(samples, _prefix(number)) for number, group in enumerate(groups)},
        every=_part(samples, _prefix(len(groups))),
    )


def _numbers(
    groups: Sequence[Group],
    values: Sequence[TargetValues],
    cpus: int,
    arrivals: Arrivals,
    seed: int,
    trial: int,
    longer: float,
) -> dict[str, float]:
    """Of each group, and of all boxes, under the number of the group and the name."""
    up = _run(groups, values, cpus, arrivals, seed=seed, trial=trial, longer=longer)
    return {
        _prefix(number) + name: value
        for number, times in enumerate([*up, np.concatenate(up)])
        for name, value in ranked(times, SHARES).items()
    }


def _prefix(number: int) -> str:
    return f"{number}:"


def _part(samples: Samples, prefix: str) -> Samples:
    return {name.removeprefix(prefix): values for name, values in samples.items() if name.startswith(prefix)}


def all_up_ns(model: Model, draw: int, groups: Sequence[Group], *, cpus: int, arrivals: Arrivals, seed: int) -> float:
    """When everything is up in one draw of the model, without noise, ns since the first request."""
    values = _values(model, draw, groups, cpus, seed)
    up = _run(groups, values, cpus, arrivals, seed=seed, trial=0, longer=None)
    return float(np.concatenate(up).max())


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
    longer: float | None,
) -> list[Floats]:
    """(boxes,) When the boxes of each group are up, ns since the first request. ``longer``: what all times are
    multiplied by besides their luck; None: no luck either."""
    scheduled = dealt(groups, arrivals.schedule(sum(group.boxes for group in groups), seed=seed, trial=trial))
    parts = [
        SharedGroup(
            values=one,
            scheduled_ns=at,
            noise=np.ones(group.boxes)
            if longer is None
            else trial_factors(one, seed=seed, trial=trial, boxes=group.boxes, longer=longer),
        )
        for one, at, group in zip(values, scheduled, groups, strict=True)
    ]
    return [one.astype(np.float64) for one in simulate_shared(parts, cpus=cpus)]


def dealt(groups: Sequence[Group], times: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The requests' times by group: each group is spread evenly over all of them."""
    places = np.concatenate([(np.arange(group.boxes) + 0.5) / group.boxes for group in groups])
    owner = np.repeat(np.arange(len(groups)), [group.boxes for group in groups])
    order = np.argsort(places, kind="stable")
    return [times[np.flatnonzero(owner[order] == number)] for number in range(len(groups))]
