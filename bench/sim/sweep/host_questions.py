"""Questions about one host, as a sweep asks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from bench.sim.answer.answer import Distance
from bench.sim.answer.distance import memory_distance, storm_distances
from bench.sim.answer.terms import Terms
from bench.sim.host import density, reboot, storm
from bench.sim.host.arrivals import Arrivals
from bench.sim.host.density import fitting
from bench.sim.host.mixed import Group, mixed_samples
from bench.sim.host.sides import Alone
from bench.sim.host.storm import run as run_storms
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.sweep.parameters import Parameter, Values
from bench.sim.sweep.question import CPUS, MEMORY, RESERVE, Floats, Quantity, Question

MOST_BOXES: Final = 1_000_000
"""On one host, as in the commands."""
_MOST_GAP_NS: Final = 24 * 3600 * 10**9


def _storm(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    side = Alone(
        target=target,
        cpus=int(values["cpus"]),
        residents=int(values["residents"]),
        arrivals=Arrivals(gap_ns=int(values["interval"])),
    )
    found = run_storms(terms, side, int(values["boxes"]))
    return {f"storm.{name}": found[name] for name in ("last", "first", "median", "cpu")}


def _storm_distances(model: Model, target: str, values: Values) -> Iterable[Distance]:
    return storm_distances(
        model,
        target,
        boxes=int(values["boxes"]),
        cpus=int(values["cpus"]),
        residents=int(values["residents"]),
    )


def _reboot(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    group = Group(target=target, boxes=int(values["boxes"]))
    arrivals = Arrivals(gap_ns=int(values["interval"]))
    found = mixed_samples(terms, (group,), cpus=int(values["cpus"]), arrivals=arrivals).every
    return {f"reboot.{name}": found[name] for name in ("all", "half", "p90", "first")}


def _reboot_distances(model: Model, target: str, values: Values) -> Iterable[Distance]:
    return storm_distances(model, target, boxes=int(values["boxes"]), cpus=int(values["cpus"]), residents=0)


def _boxes(values: Values) -> float:
    """What a storm takes grows with its boxes; the smallest ones take as long as 20 boxes."""
    return 20.0 + float(values["boxes"])


def _density(terms: Terms, target: str, values: Values) -> Mapping[str, Floats]:
    room = int(values["memory"]) - int(values["reserve"])
    counts = [np.floor(fitting(target_values(terms.model, target, draw), room)) for draw in terms.draws]
    # Memory has no noise of single runs.
    return {"density.boxes": np.repeat(np.array(counts), terms.replications)}


def _density_distances(model: Model, target: str, values: Values) -> Iterable[Distance]:
    room = int(values["memory"]) - int(values["reserve"])
    return (memory_distance(model, target, boxes=fitting(target_values(model, target, None), room)),)


_BOXES: Final = Parameter(kind="count", help=f"boxes that start, 1 to {MOST_BOXES}", least=1, most=MOST_BOXES)
_INTERVAL: Final = Parameter(kind="duration", help="time between requests, such as 50ms", default=0, most=_MOST_GAP_NS)

HOST_QUESTIONS: Final[Mapping[str, Question]] = {
    "storm": Question(
        parameters={
            "boxes": _BOXES,
            "cpus": CPUS,
            "residents": Parameter(
                kind="count", help=f"boxes that live already, 0 to {MOST_BOXES}", default=0, most=MOST_BOXES
            ),
            "interval": _INTERVAL,
        },
        quantities={
            "storm.last": Quantity(unit="ns"),
            "storm.first": Quantity(unit="ns"),
            "storm.median": Quantity(unit="ns"),
            "storm.cpu": Quantity(unit="cpu_ns"),
        },
        samples=_storm,
        distances=_storm_distances,
        left_out=lambda _values: storm.LEFT_OUT,
        load=_boxes,
    ),
    "reboot": Question(
        parameters={"boxes": _BOXES, "cpus": CPUS, "interval": _INTERVAL},
        quantities={f"reboot.{name}": Quantity(unit="ns") for name in ("all", "half", "p90", "first")},
        samples=_reboot,
        distances=_reboot_distances,
        left_out=lambda _values: reboot.LEFT_OUT,
        load=_boxes,
    ),
    "density": Question(
        parameters={"memory": MEMORY, "reserve": RESERVE},
        quantities={"density.boxes": Quantity(unit="boxes", benefit=True)},
        samples=_density,
        distances=_density_distances,
        left_out=lambda _values: density.LEFT_OUT,
        of_memory=True,
    ),
}
"""By name."""
