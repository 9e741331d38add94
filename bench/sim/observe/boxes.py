"""From a record to the boxes that were requested in its trial, with their times."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.analysis.storms import GOALS, is_storm
from bench.records.record import Endpoint, Member, Record
from bench.scenario.fields import older_label
from bench.sim.observe.trials import StartTrial

_BEFORE: Final = "start."
_NO_CPU: Final = ".window"
"""Ends the key of a window's length, which is no CPU time."""
_POSITION: Final = {endpoint: position for position, endpoint in enumerate(Endpoint)}
_MOST_OUT_OF_ORDER: Final = 0.02
"""An endpoint that comes in another order in more than this share of boxes is no stage's end."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of one record that were requested in its trial, in the order of their numbers."""

    scheduled_ns: NDArray[np.int64]
    """(boxes,)"""
    endpoints_ns: tuple[Mapping[Endpoint, float], ...]
    """By box, since its own request; a box that was lost lacks the goal."""
    cpu_ns: Mapping[str, int]
    """By component, of all boxes; empty when a box was lost, since such a box uses less."""


def boxes_of(record: Record) -> Boxes:
    """The boxes of a storm, or the one box of another trial: with residents the last one, beside the others."""
    if not is_storm(record):
        return Boxes(np.zeros(1, np.int64), (_floats(record.endpoints_ns),), _cpu(record))
    members = sorted(record.members, key=lambda member: member.number)
    whole = all(member.outcome == "ok" for member in members)
    return Boxes(
        np.array([member.scheduled_ns for member in members], np.int64),
        tuple(_of_member(member) for member in members),
        _cpu(record) if whole else {},
    )


def _floats(at: Mapping[Endpoint, int]) -> dict[Endpoint, float]:
    return {endpoint: float(value) for endpoint, value in at.items()}


def _of_member(member: Member) -> dict[Endpoint, float]:
    # A box that reached the goal after its time limit is lost. The endpoints that it passed before did happen.
    lost = member.outcome != "ok"
    return {end: at for end, at in _floats(member.endpoints_ns).items() if not (lost and end in GOALS)}


def _cpu(record: Record) -> dict[str, int]:
    return {
        key.removeprefix(_BEFORE): used
        for key, used in record.cpu_ns.items()
        if key.startswith(_BEFORE) and not key.endswith(_NO_CPU)
    }


def endpoints_in_order(every: Sequence[Boxes], goal: Endpoint) -> tuple[Endpoint, ...]:
    """The endpoints that every box has that reached the goal, in order of their median times; the goal is the last.

    An endpoint after the goal, or one whose order differs from box to box, is left out: a start call may return
    before or after the box's first mark, so it ends no stage.
    """
    boxes = [at for one in every for at in one.endpoints_ns if goal in at]
    if not boxes:
        return ()
    shared = set.intersection(*(set(at) for at in boxes)) - {Endpoint.REQUESTED}
    middle = {end: median(at[end] for at in boxes) for end in shared}
    order = sorted(shared, key=lambda end: (middle[end], _POSITION[end]))
    kept = [goal]
    # Of two that change places, the call's return is the one that ends no stage.
    for end in sorted(order[: order.index(goal)], key=lambda end: end is Endpoint.START_RETURNED):
        if all(_in_order(boxes, *sorted((end, other), key=order.index)) for other in kept):
            kept.append(end)
    return tuple(sorted(kept, key=order.index))


def missing_notes(every: Sequence[Boxes], goal: Endpoint) -> Iterator[str]:
    """A sentence on each instant before the goal that most boxes have and some lack: no stage ends there."""
    boxes = [at for one in every for at in one.endpoints_ns if goal in at]
    counts = Counter(end for at in boxes for end in at)
    for end in sorted(counts, key=_POSITION.__getitem__):
        lacking = len(boxes) - counts[end]
        if 0 < lacking < len(boxes) / 2 and median(at[goal] - at[end] for at in boxes if end in at) > 0:
            yield f"{lacking} of {len(boxes)} boxes lack the instant `{end}`, so no stage of a start ends there."


def _in_order(boxes: Sequence[Mapping[Endpoint, float]], first: Endpoint, second: Endpoint) -> bool:
    return sum(at[second] < at[first] for at in boxes) <= _MOST_OUT_OF_ORDER * len(boxes)


def start_trial(
    record: Record,
    boxes: Boxes,
    endpoints: Sequence[Endpoint],
    *,
    residents: int,
    source: int,
    first_block: int,
    first_sitting: int,
) -> StartTrial:
    """A trial as observation.

    Args:
        source: number of its campaign.
        first_block, first_sitting: what is added to the record's numbers, so that those of two campaigns differ.
    """
    return StartTrial(
        digest=digest_of(record),
        cell=record.trial.cell.key,
        block=first_block + record.trial.block,
        sitting=first_sitting + record.sitting,
        boxes=len(boxes.endpoints_ns),
        residents=residents,
        scheduled_ns=boxes.scheduled_ns,
        times_ns={end: np.array([at.get(end, math.inf) for at in boxes.endpoints_ns], np.float64) for end in endpoints},
        cpu_ns=boxes.cpu_ns,
        source=source,
    )


def digest_of(record: Record) -> str:
    """``sha256:...`` of a record's line, with the target's label as older versions wrote it.

    So a model knows the trials that it was fitted to, whichever version has written them, or fitted it.
    """
    trial, label = record.trial, older_label(record.trial.cell.target)
    if label != trial.cell.target:
        cell = trial.cell.model_copy(update={"target": label})
        record = record.model_copy(update={"trial": trial.model_copy(update={"cell": cell})})
    return f"sha256:{hashlib.sha256(record.line().encode()).hexdigest()}"
