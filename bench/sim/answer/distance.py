"""Distance: how far a question lies beyond the data, on each axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from bench.sim.answer.answer import Distance
from bench.sim.answer.bands import Widening
from bench.sim.answer.words import box_text, number_text
from bench.sim.model.file import Discrepancy, Model
from bench.sim.model.values import entry_of
from bench.util.errors import NotInDataError

FARTHEST: Final = 10.0
"""Questions farther beyond the data than this are refused unless the user insists."""
EITHER_SIDE: Final = 4.0
"""Times beyond the data up to which errors were counted with their signs: 4 of 10 were too pessimistic. Those of the
published predictions are known to be too optimistic from 20 times on (``bench.sim.fit.discrepancy``)."""
_WORDS: Final = {"cpus": "CPUs", "memory": "boxes in memory"}
_MORE: Final = {
    "boxes": "storms of more boxes (`concurrency`)",
    "cpus": "a host with more CPUs",
    "residents": "storms beside more boxes (`residents` with `concurrency`)",
    "memory": "more boxes that stay (`residents`)",
    "boxes per CPU": "storms of more boxes (`concurrency`), or the same storms on fewer CPUs",
    "boxes beside residents": "storms of more boxes beside others (`concurrency` with `residents`)",
}


def storm_distances(model: Model, target: str, *, boxes: int, cpus: int, residents: int) -> tuple[Distance, ...]:
    """The distances of a storm of ``boxes`` boxes of one target on ``cpus`` CPUs beside ``residents`` others."""
    measured = entry_of(model, target).measured
    most = max(measured.get("boxes", ()), default=0)
    found = [
        Distance(axis="boxes", asked=boxes, measured=most, target=target),
        Distance(axis="cpus", asked=cpus, measured=model.host.cpus, target=target),
        Distance(axis="boxes per CPU", asked=boxes / cpus, measured=most / model.host.cpus, target=target),
    ]
    if residents:
        others = max(measured.get("residents", ()), default=0)
        found.append(Distance(axis="residents", asked=residents, measured=others, target=target))
        near = nearest_pair(model, target, boxes=boxes, residents=residents)
        if near is not None:
            measured_at = boxes / _times_beyond(near, boxes, residents)
            found.append(Distance(axis="boxes beside residents", asked=boxes, measured=measured_at, target=target))
    return tuple(found)


def nearest_pair(model: Model, target: str, *, boxes: int, residents: int) -> tuple[int, int] | None:
    """Boxes at once and residents that were measured together and are nearest to these; None: none were, or the model
    file does not say."""
    pairs = [pair for pair in entry_of(model, target).pairs if pair[1] > 0]
    return min(pairs, key=lambda pair: (_times_beyond(pair, boxes, residents), -pair[0] * pair[1]), default=None)


def _times_beyond(pair: tuple[int, int], boxes: int, residents: int) -> float:
    """How many times as many boxes, or as many residents, are asked for as were measured together."""
    return max(boxes / pair[0], residents / pair[1])


def beside_sentences(model: Model, target: str, *, boxes: int, residents: int) -> tuple[str, ...]:
    """What is taken for granted of a storm beside residents; empty where such a storm was measured."""
    if not residents:
        return ()
    if not entry_of(model, target).pairs:
        return (
            f"{target}: the model file does not say which storms were measured beside boxes that live, so neither does "
            "this answer. Fit it again.",
        )
    near = nearest_pair(model, target, boxes=boxes, residents=residents)
    if near is None or _times_beyond(near, boxes, residents) <= 1:
        return ()
    return (
        f"{target}: {box_text(boxes)} at once beside {number_text(residents)} that live already were not measured; the "
        f"nearest is {box_text(near[0])} beside {number_text(near[1])}. That what lives lengthens the hold of the lock "
        "as it did there, and slows nothing else, is taken for granted.",
    )


def memory_distance(model: Model, target: str, *, boxes: float) -> Distance:
    """The distance of ``boxes`` boxes whose memory is asked for."""
    most = max(entry_of(model, target).measured.get("memory", ()), default=0)
    return Distance(axis="memory", asked=boxes, measured=most, target=target)


def farthest(distances: Iterable[Distance]) -> float:
    """The largest distance, at least 1. An axis that was not measured at all counts as measured at 1."""
    return max((one.times if one.measured else one.asked for one in distances), default=1.0)


def widening(discrepancy: Discrepancy, distances: Iterable[Distance], misfit: float = 0.0) -> Widening:
    """How much bands of times are widened at these distances: the largest one decides.

    The error beyond the data grows with the doublings of the distance. Up to ``EITHER_SIDE`` times it may have either
    sign; what it is more beyond that makes times longer. Both together have the root mean square that the discrepancy
    states.

    Args:
        misfit: what the model misses within its data, either way; see ``misfit_of``.
    """
    times = farthest(distances)
    if times <= 1:
        return Widening(both=misfit)
    rise, doublings = discrepancy.log_sd_per_doubling, math.log2(times)
    near = min(doublings, math.log2(EITHER_SIDE))
    return Widening(up=rise * math.sqrt(doublings**2 - near**2), both=misfit, either=rise * near)


def misfit_of(model: Model, targets: Iterable[str]) -> float:
    """What the model misses of the times of these targets, at most: a standard deviation of the logarithm."""
    return max((entry_of(model, target).misfit for target in targets), default=0.0)


def for_benefits(found: Widening) -> Widening:
    """The same for quantities that are worse when they are smaller."""
    return replace(found, up=found.down, down=found.up)


def how_far(one: Distance) -> str:
    """``docker: 800 boxes are 100 times the most that was measured (8)``; ``..., and none were measured``."""
    asked = f"{one.target}: {number_text(one.asked)} {_WORDS.get(one.axis, one.axis)}"
    if not one.measured:
        return f"{asked}, and none were measured"
    measured = number_text(one.measured)
    return f"{asked} are {number_text(one.times)} times the most that was measured ({measured})"


def too_far(distances: Iterable[Distance]) -> Distance | None:
    """The largest distance if it is more than ``FARTHEST``; None: all are near enough."""
    worst = max(distances, key=lambda one: one.times, default=None)
    return worst if worst is not None and worst.times > FARTHEST else None


def refuse_beyond(distances: Iterable[Distance], *, allowed: bool) -> None:
    """Raise NotInDataError for a question more than ``FARTHEST`` times beyond the data, unless it is ``allowed``."""
    worst = None if allowed else too_far(distances)
    if worst is None:
        return
    raise NotInDataError(
        f"{how_far(worst)}; more than {FARTHEST:g} times beyond the data there is no answer",
        hint=f"measure {_MORE[worst.axis]} and fit again, or add --beyond for an answer that the data do not support",
    )


def refused_labels(by_label: Mapping[str, Iterable[Distance]], *, allowed: bool) -> dict[str, str]:
    """Which of several answers the data do not support, with a sentence on each.

    Raises NotInDataError, as ``refuse_beyond``, when they support none of them.
    """
    if allowed:
        return {}
    found = {label: worst for label, some in by_label.items() if (worst := too_far(some)) is not None}
    if len(found) == len(by_label):
        refuse_beyond(found.values(), allowed=False)
    return {
        label: f"{how_far(worst)}. More than {FARTHEST:g} times beyond the data there is no answer without --beyond."
        for label, worst in found.items()
    }
