"""Distance: how far a question lies beyond the data, on each axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from bench.sim.answer.answer import Distance
from bench.sim.answer.bands import Widening
from bench.sim.model.file import Discrepancy, Model
from bench.util.errors import NotInDataError

FARTHEST: Final = 10.0
"""Questions farther beyond the data than this are refused unless the user insists."""
_WORDS: Final = {"cpus": "CPUs", "memory": "boxes in memory"}
_MORE: Final = {
    "boxes": "storms of more boxes (`concurrency`)",
    "cpus": "a host with more CPUs",
    "residents": "storms beside more boxes (`residents` with `concurrency`)",
    "memory": "more boxes that stay (`residents`)",
    "boxes per CPU": "storms of more boxes (`concurrency`), or the same storms on fewer CPUs",
}


def storm_distances(model: Model, target: str, *, boxes: int, cpus: int, residents: int) -> tuple[Distance, ...]:
    """The distances of a storm of ``boxes`` boxes of one target on ``cpus`` CPUs beside ``residents`` others."""
    measured = model.targets[target].measured
    most = max(measured.get("boxes", ()), default=0)
    found = [
        Distance(axis="boxes", asked=boxes, measured=most, target=target),
        Distance(axis="cpus", asked=cpus, measured=model.host.cpus, target=target),
        Distance(axis="boxes per CPU", asked=boxes / cpus, measured=most / model.host.cpus, target=target),
    ]
    if residents:
        others = max(measured.get("residents", ()), default=0)
        found.append(Distance(axis="residents", asked=residents, measured=others, target=target))
    return tuple(found)


def memory_distance(model: Model, target: str, *, boxes: float) -> Distance:
    """The distance of ``boxes`` boxes whose memory is asked for."""
    most = max(model.targets[target].measured.get("memory", ()), default=0)
    return Distance(axis="memory", asked=boxes, measured=most, target=target)


def farthest(distances: Iterable[Distance]) -> float:
    """The largest distance, at least 1. An axis that was not measured at all counts as measured at 1."""
    return max((one.times if one.measured else one.asked for one in distances), default=1.0)


def widening(discrepancy: Discrepancy, distances: Iterable[Distance]) -> Widening:
    """How much bands are widened at these distances: the largest one decides. Times are widened upwards."""
    times = farthest(distances)
    return Widening(up=discrepancy.log_sd_per_doubling * math.log2(times)) if times > 1 else Widening()


def for_benefits(found: Widening) -> Widening:
    """The same for quantities that are worse when they are smaller."""
    return Widening(up=found.down, down=found.up)


def refuse_beyond(distances: Iterable[Distance], *, allowed: bool) -> None:
    """Raise NotInDataError for a question more than ``FARTHEST`` times beyond the data, unless it is ``allowed``."""
    worst = max(distances, key=lambda one: one.times, default=None)
    if allowed or worst is None or worst.times <= FARTHEST:
        return
    asked = f"{worst.target}: {worst.asked:.4g} {_WORDS.get(worst.axis, worst.axis)}"
    data = (
        f"{asked} are {worst.times:.3g} times the most that was measured ({worst.measured:g})"
        if worst.measured
        else f"{asked}, and none were measured"
    )
    raise NotInDataError(
        f"{data}; more than {FARTHEST:g} times beyond the data there is no answer",
        hint=f"measure {_MORE[worst.axis]} and fit again, or add --beyond for an answer that the data do not support",
    )
