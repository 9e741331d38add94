"""The difference of two cells by phase and by step, each with an interval.

Within one campaign, both cells ran in the same blocks. Then the difference is taken inside each block, and its median
over blocks is reported with the order-statistic interval of ``bench.analysis.order_statistics``. Two campaigns share
no blocks. Then it is the difference of the medians, with an interval made of both intervals (MOVER, Zou and Donner
2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median as middle
from typing import Final, Literal

from bench.analysis.compare import caveats
from bench.analysis.estimates import MIN_BOOTS, Estimate, Interval
from bench.analysis.in_order import estimate
from bench.analysis.metrics import headline
from bench.analysis.order_statistics import median_interval
from bench.analysis.phases import phase_label
from bench.analysis.results import NotComparableError
from bench.analysis.sources import source_word
from bench.analysis.values import START
from bench.anatomy.steps import DEPTH, step_named
from bench.explain.cells import CampaignCell
from bench.records.record import Endpoint, Record
from bench.util.units import format_bytes

Direction = Literal["slower", "faster", "cannot tell"]
_DIFFERENT: Final = "different"
"""Begins a note of two cells that are not alike."""
_NO_BOX: Final = "no box ran for it"
ByBlock = Mapping[int, float]
Values = tuple[CampaignCell, ByBlock]
"""A cell and its values, ns."""


@dataclass(frozen=True)
class Part:
    """One part of the difference.

    Attributes:
        name: ``created-init``, or a step's name.
        a, b: medians, ns.
        change_ns: median of b minus a, or the difference of the medians.
        interval: of the change, ns; None with too few boots.
        share: of the whole difference; negative when it offsets other parts; None when the whole may be noise.
        n: number of blocks with both, or the smaller number of boots.
    """

    name: str
    label: str
    a: Estimate
    b: Estimate
    change_ns: float
    interval: Interval | None
    share: float | None
    n: int

    @property
    def verdict(self) -> Direction:
        """Whether B is slower, by its interval."""
        if self.interval is None or self.interval.low <= 0 <= self.interval.high:
            return "cannot tell"
        return "slower" if self.interval.low > 0 else "faster"


@dataclass(frozen=True)
class Explanation:
    """Two cells and the parts in which they differ.

    Attributes:
        a, b: names of the cells.
        phases, steps: the largest change first. ``steps`` is empty unless both campaigns have an anatomy.
    """

    a: str
    b: str
    headline: Endpoint
    paired: bool
    total: Part
    phases: tuple[Part, ...]
    steps: tuple[Part, ...]
    notes: tuple[str, ...]


def explain_difference(a: CampaignCell, b: CampaignCell, *, force: bool = False) -> Explanation:
    """The parts in which ``b`` is slower or faster than ``a``.

    Args:
        force: compare cells of different hosts, limits or sources with a note, instead of refusing.

    Raises:
        NotComparableError: they end at different endpoints, or, without ``force``, differ in host, limits or source.
    """
    problems = _problems(a, b)
    if problems and not force:
        raise NotComparableError(
            f"{a.name} and {b.name} cannot be compared: {'; '.join(problems)}",
            hint="add --force to compare them anyway; the result names the difference",
        )
    goal = _goal(a, b)
    paired = a.manifest.id == b.manifest.id
    left, right = a.good, b.good
    total = _part("total", f"time to {goal}", (a, _times(left, goal)), (b, _times(right, goal)), paired=paired)
    whole = total.change_ns if total.verdict != "cannot tell" else None
    chain = common_chain(left, right, goal)
    phases = [
        _part(
            f"{start}-{end}",
            f"{start} → {end}: {phase_label(end)}",
            (a, _gaps(left, start, end)),
            (b, _gaps(right, start, end)),
            paired=paired,
            whole=whole,
        )
        for start, end in pairwise(chain)
    ]
    return Explanation(
        a.name, b.name, goal, paired, total, _ranked(phases), _ranked(_steps(a, b, paired)),
        (*problems, *_notes(a, b)),
    )  # fmt: skip


def _problems(a: CampaignCell, b: CampaignCell) -> tuple[str, ...]:
    """The differences that make two cells incomparable."""
    found = []
    hosts = [side.manifest.host.get("fingerprint") for side in (a, b)]
    if hosts[0] != hosts[1]:
        found.append(f"{_DIFFERENT} hosts (fingerprints {hosts[0]} and {hosts[1]})")
    limits = [side.scenario.resources for side in (a, b)]
    if limits[0].cpus != limits[1].cpus:
        found.append(f"{_DIFFERENT} limits: cpus {limits[0].cpus} and {limits[1].cpus}")
    if limits[0].memory != limits[1].memory:
        sizes = [format_bytes(limit.memory) for limit in limits]
        found.append(f"{_DIFFERENT} limits: memory {sizes[0]} and {sizes[1]}")
    sources = [sorted({record.source for record in side.records}) for side in (a, b)]
    if sources[0] != sources[1]:
        found.append(f"{_DIFFERENT} sources: {' and '.join(map('+'.join, sources))}")
    return tuple(found)


def is_doubt(note: str) -> bool:
    """Whether a note of an explanation says that A and B were not measured alike, or not at all."""
    return note.startswith(f"{_DIFFERENT} ") or _NO_BOX in note


def _goal(a: CampaignCell, b: CampaignCell) -> Endpoint:
    goals = [headline(side.scenario).endpoint for side in (a, b)]
    if goals[0] is not goals[1]:
        raise NotComparableError(
            f"{a.name} ends at {goals[0]}, {b.name} at {goals[1]}", hint="compare cells of the same headline"
        )
    return goals[0]


def _notes(a: CampaignCell, b: CampaignCell) -> tuple[str, ...]:
    notes = [f"{side.name} is {word}: {_NO_BOX}" for side in (a, b) if (word := source_word(side.records))]
    notes += caveats(a.cell, b.cell)
    if a.cell.accel != b.cell.accel:
        notes.append(f"{_DIFFERENT} accelerators: {a.cell.accel} and {b.cell.accel}")
    digests = [side.digest for side in (a, b)]
    if digests[0] != digests[1]:
        notes.append(f"{_DIFFERENT} images: {(digests[0] or 'unknown')[:12]} and {(digests[1] or 'unknown')[:12]}")
    if a.cell.box == b.cell.box:
        old, new = a.description, b.description
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                notes.append(f"{key}: {old.get(key, '–')} → {new.get(key, '–')}")
    if a.manifest.id != b.manifest.id:
        notes.append(
            "A and B are of different sittings: what changed on the host between them is part of every difference, and "
            "no interval allows for it"
        )
    for side in (a, b):
        bad = len(side.measured) - len(side.good)
        if bad:
            notes.append(
                f"{side.name}: {bad} of {len(side.measured)} boots failed or timed out; they are left out here"
            )
    return tuple(notes)


def common_chain(left: Sequence[Record], right: Sequence[Record], goal: Endpoint) -> tuple[Endpoint, ...]:
    """The endpoints up to ``goal`` that all boots of both sides passed, in the order that holds for both.

    Of two endpoints whose order differs, one is left out. Most often that is ``start_returned``: a start call may
    return before or after the box's own first mark.
    """
    boots = (*left, *right)
    shared = [name for name in START if name is not Endpoint.REQUESTED and all(name in r.endpoints_ns for r in boots)]
    # The goal and the agent's marks first: an endpoint that conflicts with them is left out.
    order = sorted(shared, key=lambda name: (name is not goal, name is Endpoint.START_RETURNED, START.index(name)))
    kept: list[Endpoint] = [Endpoint.REQUESTED]
    for name in order:
        candidate = sorted((*kept, name), key=lambda one: _median_at(left, one))
        inside = candidate[-1] is goal or goal not in candidate
        if inside and candidate == sorted(candidate, key=lambda one: _median_at(right, one)):
            kept = candidate
    return tuple(kept)


def _median_at(records: Sequence[Record], endpoint: Endpoint) -> tuple[float, int]:
    return middle(record.endpoints_ns[endpoint] for record in records), START.index(endpoint)


def _times(records: Sequence[Record], goal: Endpoint) -> dict[int, float]:
    return {record.trial.block: record.endpoints_ns[goal] for record in records}


def _gaps(records: Sequence[Record], start: Endpoint, end: Endpoint) -> dict[int, float]:
    return {record.trial.block: record.endpoints_ns[end] - record.endpoints_ns[start] for record in records}


def _steps(a: CampaignCell, b: CampaignCell, paired: bool) -> list[Part]:
    left, right = a.anatomy, b.anatomy
    if left is None or right is None:
        return []
    totals = [{start.block: float(start.total_ns) for start in side.starts} for side in (left, right)]
    whole = _part("total", "", (a, totals[0]), (b, totals[1]), paired=paired)
    change = whole.change_ns if whole.verdict != "cannot tell" else None
    parts = []
    for name in sorted({*left.steps(), *right.steps()}, key=DEPTH.__getitem__):
        values = [{start.block: float(start.steps_ns.get(name, 0)) for start in side.starts} for side in (left, right)]
        label = step_named(name).short
        parts.append(_part(name, label, (a, values[0]), (b, values[1]), paired=paired, whole=change))
    return parts


def _part(name: str, label: str, left: Values, right: Values, *, paired: bool, whole: float | None = None) -> Part:
    a, b = _median_of(left), _median_of(right)
    changes = _changes(left[1], right[1]) if paired else []
    change, interval, n = _paired(changes) if changes else _unpaired(a, b)
    return Part(name, label, a, b, change, interval, change / whole if whole else None, n)


def _median_of(values: Values) -> Estimate:
    side, by_block = values
    return estimate(list(by_block.values()), [side.sittings.get(block, 0) for block in by_block])


def _changes(left: ByBlock, right: ByBlock) -> list[float]:
    return [right[block] - left[block] for block in sorted(left.keys() & right.keys())]


def _paired(changes: Sequence[float]) -> tuple[float, Interval | None, int]:
    interval = median_interval(changes) if len(changes) >= MIN_BOOTS else None
    return middle(changes), interval, len(changes)


def _unpaired(a: Estimate, b: Estimate) -> tuple[float, Interval | None, int]:
    change, n = b.value - a.value, min(a.n, b.n)
    if a.interval is None or b.interval is None:
        return change, None, n
    down = math.hypot(b.value - b.interval.low, a.interval.high - a.value)
    up = math.hypot(b.interval.high - b.value, a.value - a.interval.low)
    return change, Interval(change - down, change + up, min(a.interval.level, b.interval.level)), n


def _ranked(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: -abs(part.change_ns)))
