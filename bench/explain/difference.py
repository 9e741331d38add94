"""Why is one slower: the difference of two cells taken apart by phase and by step, each part with an interval.

Within one campaign both cells were run in the same blocks, so the difference is taken inside each block, and its
median over blocks is reported with the order-statistic interval of ``bench.analysis.stats``. Two campaigns share no
blocks: there it is the difference of the medians, and the two intervals are joined like the sides of a triangle
(MOVER, Zou and Donner 2008).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median as middle
from typing import Literal

from bench.analysis.compare import caveats
from bench.analysis.metrics import headline
from bench.analysis.phases import phase_label
from bench.analysis.results import NotComparableError
from bench.analysis.stats import MIN_BOOTS, Estimate, Interval, estimate, median_interval
from bench.analysis.values import START
from bench.anatomy.steps import DEPTH, step_named
from bench.explain.cells import Side
from bench.records.record import Endpoint, Record

Verdict = Literal["slower", "faster", "cannot tell"]
ByBlock = Mapping[int, float]


@dataclass(frozen=True)
class Part:
    """One part of the difference.

    Attributes:
        name: ``created-init``, or a step's name.
        base, other: medians, ns.
        change_ns: other minus base.
        interval: of the change, ns; None when there are too few boots.
        share: of the whole difference, None when that cannot be told from noise; negative: made up for other parts.
        n: blocks that held both, or the smaller number of boots.
    """

    name: str
    label: str
    base: Estimate
    other: Estimate
    change_ns: float
    interval: Interval | None
    share: float | None
    n: int

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say about the other one."""
        if self.interval is None or self.interval.low <= 0 <= self.interval.high:
            return "cannot tell"
        return "slower" if self.interval.low > 0 else "faster"


@dataclass(frozen=True)
class Explanation:
    """Two cells and where they differ. ``phases`` and ``steps`` are ranked, the largest change first."""

    base: str
    other: str
    headline: Endpoint
    paired: bool
    total: Part
    phases: tuple[Part, ...]
    steps: tuple[Part, ...]
    """Empty without an anatomy of both."""
    notes: tuple[str, ...]


def explain_difference(base: Side, other: Side, *, force: bool = False) -> Explanation:
    """Where ``other`` is slower or faster than ``base``.

    Args:
        force: compare cells of different hosts, limits or sources, and say so, instead of refusing.

    Raises:
        NotComparableError: they end at different endpoints, or, without ``force``, differ in host, limits or source.
    """
    problems = _problems(base, other)
    if problems and not force:
        raise NotComparableError(
            f"{base.name} and {other.name} cannot be compared: {'; '.join(problems)}",
            hint="add --force to compare them all the same; the difference stays named in the result",
        )
    goal = _goal(base, other)
    paired = base.manifest.id == other.manifest.id
    left, right = base.good, other.good
    total = _part("total", f"time to {goal}", _times(left, goal), _times(right, goal), paired=paired)
    whole = total.change_ns if total.verdict != "cannot tell" else None
    chain = common_chain(left, right, goal)
    phases = [
        _part(
            f"{start}-{end}",
            f"{start} → {end}: {phase_label(end)}",
            _gaps(left, start, end),
            _gaps(right, start, end),
            paired=paired,
            whole=whole,
        )
        for start, end in pairwise(chain)
    ]
    return Explanation(
        base.name, other.name, goal, paired, total, _ranked(phases), _ranked(_steps(base, other, paired)),
        (*problems, *_notes(base, other)),
    )  # fmt: skip


def _problems(base: Side, other: Side) -> tuple[str, ...]:
    """What makes two cells incomparable."""
    found = []
    hosts = [side.manifest.host.get("fingerprint") for side in (base, other)]
    if hosts[0] != hosts[1]:
        found.append(f"different hosts (fingerprints {hosts[0]} and {hosts[1]})")
    limits = [side.scenario.resources for side in (base, other)]
    for name in ("cpus", "memory"):
        values = [getattr(limit, name) for limit in limits]
        if values[0] != values[1]:
            found.append(f"different limits: {name} {values[0]} and {values[1]}")
    sources = [sorted({record.source for record in side.records}) for side in (base, other)]
    if sources[0] != sources[1]:
        found.append(f"different sources: {' and '.join(map('+'.join, sources))}")
    return tuple(found)


def _goal(base: Side, other: Side) -> Endpoint:
    goals = [headline(side.scenario).endpoint for side in (base, other)]
    if goals[0] is not goals[1]:
        raise NotComparableError(
            f"{base.name} ends at {goals[0]}, {other.name} at {goals[1]}", hint="compare cells of the same headline"
        )
    return goals[0]


def _notes(base: Side, other: Side) -> tuple[str, ...]:
    notes = list(caveats(base.cell, other.cell))
    if base.cell.accel != other.cell.accel:
        notes.append(f"different accelerators: {base.cell.accel} and {other.cell.accel}")
    digests = [side.digest for side in (base, other)]
    if digests[0] != digests[1]:
        notes.append(f"different images: {(digests[0] or 'unknown')[:12]} and {(digests[1] or 'unknown')[:12]}")
    if base.cell.box == other.cell.box:
        words = [side.description for side in (base, other)]
        for key in sorted(words[0].keys() | words[1].keys()):
            if words[0].get(key) != words[1].get(key):
                notes.append(f"{key}: {words[0].get(key, '–')} → {words[1].get(key, '–')}")
    for side in (base, other):
        bad = len(side.measured) - len(side.good)
        if bad:
            notes.append(f"{side.name}: {bad} of {len(side.measured)} boots failed or timed out, and are left out here")
    return tuple(notes)


def common_chain(left: Sequence[Record], right: Sequence[Record], goal: Endpoint) -> tuple[Endpoint, ...]:
    """The endpoints up to ``goal`` that all boots of both sides passed, in the one order that holds for both.

    Of two endpoints that come in different orders the later named one stays out: most often ``start_returned``, which a
    start call may stamp before or after the box's own first mark.
    """
    boots = (*left, *right)
    shared = [name for name in START if name is not Endpoint.REQUESTED and all(name in r.endpoints_ns for r in boots)]
    # The goal and the agent's marks first: what conflicts with them is left out.
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


def _steps(base: Side, other: Side, paired: bool) -> list[Part]:
    left, right = base.anatomy, other.anatomy
    if left is None or right is None:
        return []
    totals = [{start.block: float(start.total_ns) for start in side.starts} for side in (left, right)]
    whole = _part("total", "", totals[0], totals[1], paired=paired)
    change = whole.change_ns if whole.verdict != "cannot tell" else None
    parts = []
    for name in sorted({*left.steps(), *right.steps()}, key=DEPTH.__getitem__):
        values = [{start.block: float(start.steps_ns.get(name, 0)) for start in side.starts} for side in (left, right)]
        parts.append(_part(name, step_named(name).short, values[0], values[1], paired=paired, whole=change))
    return parts


def _part(name: str, label: str, left: ByBlock, right: ByBlock, *, paired: bool, whole: float | None = None) -> Part:
    change, interval, n = _paired(left, right) if paired else _unpaired(left, right)
    share = change / whole if whole else None
    return Part(name, label, estimate(list(left.values())), estimate(list(right.values())), change, interval, share, n)


def _paired(left: ByBlock, right: ByBlock) -> tuple[float, Interval | None, int]:
    changes = [right[block] - left[block] for block in sorted(left.keys() & right.keys())]
    if not changes:
        return _unpaired(left, right)
    interval = median_interval(changes) if len(changes) >= MIN_BOOTS else None
    return middle(changes), interval, len(changes)


def _unpaired(left: ByBlock, right: ByBlock) -> tuple[float, Interval | None, int]:
    a, b = estimate(list(left.values())), estimate(list(right.values()))
    change, n = b.value - a.value, min(a.n, b.n)
    if a.interval is None or b.interval is None:
        return change, None, n
    down = math.hypot(b.value - b.interval.low, a.interval.high - a.value)
    up = math.hypot(b.interval.high - b.value, a.value - a.interval.low)
    return change, Interval(change - down, change + up, min(a.interval.level, b.interval.level)), n


def _ranked(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(sorted(parts, key=lambda part: -abs(part.change_ns)))
