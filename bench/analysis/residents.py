"""What the next box costs: the slope over residents, and from how many boxes on a daemon pays.

A box's own numbers do not tell: PSS falls as boxes share pages, and the kernel's share is in nobody's. So the host is
read with 1, 2, 4, 8 ... boxes, and the slope is what one more of them adds. Every block gives one slope; the blocks
are the sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from bench.analysis.ledger import UNRECLAIMABLE, USED, residents_of, without_residents
from bench.analysis.results import Analysis
from bench.analysis.stats import Estimate, estimate
from bench.plan.trials import Cell

Points = Mapping[int, float]
"""Bytes by number of boxes."""


@dataclass(frozen=True)
class Marginal:
    """One box's line over residents.

    Attributes:
        cell: without the factor.
        held: bytes per further box that the kernel cannot take back; ``used`` counts what it could, too.
        first: what the line has at no box at all, bytes: what the first box brings that the others share.
        fixed: what daemons hold before there is any box, bytes; 0 without daemons.
        blocks: by block, the held bytes by number of boxes.
        partial: blocks that lack a level and are left out.
    """

    cell: Cell
    levels: tuple[int, ...]
    held: Estimate
    used: Estimate | None
    first: float
    fixed: float
    blocks: Mapping[int, Points]
    partial: int


@dataclass(frozen=True)
class BreakEven:
    """From how many boxes on ``one``, which has daemons, takes less memory than ``other``; inf: never."""

    one: Cell
    other: Cell
    boxes: Estimate


def slope(points: Points) -> float:
    """The weighted median of the slopes of all pairs of points, each weighted by its distance: Theil-Sen, weighted.

    The error of a reading is the same at 1 and at 8 boxes, so a slope over 7 boxes is worth more than one over 1; and
    one reading that something disturbed does not move a median. Needs two numbers of boxes.

    References: Birkes & Dodge 1993, Alternative Methods of Regression, chapter 6 (weights |xi - xj|).
    """
    slopes = sorted(((y2 - y1) / (x2 - x1), x2 - x1) for (x1, y1), (x2, y2) in combinations(sorted(points.items()), 2))
    if not slopes:
        raise ValueError("a slope needs two numbers of boxes")
    half = sum(weight for _, weight in slopes) / 2
    passed = 0.0
    for number, (value, weight) in enumerate(slopes):
        passed += weight
        if passed > half:
            return value
        if passed == half:
            return (value + slopes[number + 1][0]) / 2
    return slopes[-1][0]


def start_of(points: Points, rise: float) -> float:
    """What a line of this slope has at no box: the median over the points."""
    return median(y - rise * x for x, y in points.items())


def marginals(analysis: Analysis, scenario: str) -> tuple[Marginal, ...]:
    """One per box that was measured with at least two numbers of residents, in the order of the scenario's targets."""
    families: dict[str, list[Cell]] = {}
    for cell in analysis.cells(scenario):
        if residents_of(cell) is not None:
            families.setdefault(without_residents(cell).key, []).append(cell)
    found = (_marginal(analysis, cells) for cells in families.values() if len(cells) > 1)
    return tuple(one for one in found if one is not None)


def _marginal(analysis: Analysis, cells: Sequence[Cell]) -> Marginal | None:
    levels = tuple(sorted(level for cell in cells if (level := residents_of(cell)) is not None))
    every = _by_block(analysis, cells, UNRECLAIMABLE)
    whole = {block: points for block, points in every.items() if len(points) == len(levels)}
    if not whole:
        return None
    rises = [slope(points) for points in whole.values()]
    used = [slope(points) for points in _by_block(analysis, cells, USED).values() if len(points) == len(levels)]
    return Marginal(
        cell=without_residents(cells[0]),
        levels=levels,
        held=estimate(rises),
        used=estimate(used) if used else None,
        first=median(start_of(points, rise) for points, rise in zip(whole.values(), rises, strict=True)),
        fixed=_fixed(analysis, cells),
        blocks=whole,
        partial=len(every) - len(whole),
    )


def _by_block(analysis: Analysis, cells: Sequence[Cell], metric: str) -> dict[int, dict[int, float]]:
    found: dict[int, dict[int, float]] = {}
    for cell in cells:
        level = residents_of(cell)
        for sample in analysis.of(cell, metric):
            if level is not None and math.isfinite(sample.value):
                found.setdefault(sample.block, {})[level] = sample.value
    return dict(sorted(found.items()))


def _fixed(analysis: Analysis, cells: Sequence[Cell]) -> float:
    """The daemons' memory before the first box: the median over trials, all daemons together."""
    metrics = {s.metric for s in analysis.summaries if s.metric.startswith("ledger.fixed.")}
    sizes = {metric: [s.value for cell in cells for s in analysis.of(cell, metric)] for metric in metrics}
    return sum(median(values) for values in sizes.values() if values)


def break_evens(found: Sequence[Marginal]) -> tuple[BreakEven, ...]:
    """Every box with daemons against every one whose boxes cost more: the others never come out dearer."""
    pairs = ((one, other) for one in found for other in found if one.fixed > other.fixed and one is not other)
    return tuple(
        BreakEven(one.cell, other.cell, estimate([_crossing(one, other, block) for block in shared]))
        for one, other in pairs
        if (shared := sorted(one.blocks.keys() & other.blocks.keys())) and one.held.value < other.held.value
    )


def _crossing(one: Marginal, other: Marginal, block: int) -> float:
    """In one block: the least number of boxes, at least 1, with which ``one`` takes less; inf when there is none."""
    (own, own_rise), (theirs, their_rise) = (_line(marginal, block) for marginal in (one, other))
    if own + own_rise < theirs + their_rise:
        return 1
    if own_rise >= their_rise:
        return math.inf
    return math.floor((own - theirs) / (their_rise - own_rise)) + 1


def _line(marginal: Marginal, block: int) -> tuple[float, float]:
    points = marginal.blocks[block]
    rise = slope(points)
    return marginal.fixed + start_of(points, rise), rise
