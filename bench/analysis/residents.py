"""Boxes that stay (residents): what each further box costs, who holds the memory, and when a daemon pays off.

One box's own numbers do not answer this: PSS falls as boxes share pages, and kernel memory belongs to no process. So
the host is read with 1, 2, 4, 8 ... boxes, and the slope is what one more box adds. Each block gives one slope; the
blocks are the sample.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Final

from bench.analysis.estimates import Estimate
from bench.analysis.ledger import UNEXPLAINED, UNRECLAIMABLE, USED, residents_of, without_residents
from bench.analysis.order_statistics import within_blocks
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.component import component_position

Points = Mapping[int, float]
"""Bytes by number of boxes."""

HOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "boxes": ("anon.",),
    "daemons": ("daemon.",),
    "harness": ("harness",),
    "kernel": ("kernel",),
    "tmpfs": ("shmem",),
    "unexplained": ("unexplained",),
}
"""Holders of memory, and the ledger metrics that add up to each. A name with a final dot is a prefix."""


@dataclass(frozen=True, kw_only=True)
class MarginalCost:
    """What further boxes of one kind cost: a line over the number of residents.

    Attributes:
        cell: the box, without the factor ``residents``.
        levels: the numbers of boxes that were measured, ascending; at least two.
        unreclaimable: bytes per further box that the kernel cannot take back.
        added: the same with memory that the kernel can take back; None when it was not measured.
        intercept: the line's value at no box, bytes: what the first box brings and the others share; over blocks.
        fixed: what daemons hold before there is any box, bytes; 0 without daemons.
        blocks: by block, unreclaimable bytes by number of boxes.
        partial: how many blocks lack a level and are left out.
    """

    cell: Cell
    levels: tuple[int, ...]
    unreclaimable: Estimate
    added: Estimate | None
    intercept: Estimate
    fixed: float
    blocks: Mapping[int, Points]
    partial: int


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """The least number of boxes with which ``one``, which has daemons, takes less memory than ``other``.

    Attributes:
        boxes: over blocks; inf when ``one`` never takes less.
    """

    one: Cell
    other: Cell
    boxes: Estimate


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """Who holds the memory of one cell's boxes; medians over trials, bytes.

    Attributes:
        boxes: how many boxes stayed.
        unreclaimable: what the host holds more, by its own counters, and cannot take back.
        reclaimable: what it holds more and can take back (page cache, reclaimable slab).
        holders: by name of HOLDERS; a holder that no trial had is absent.
        components: the part of ``boxes`` in ``holders``, by component.
        unexplained_share: unexplained bytes over unreclaimable ones; None when nothing is held.
    """

    cell: Cell
    boxes: int
    unreclaimable: float
    reclaimable: float
    holders: Mapping[str, float]
    components: Mapping[str, float]
    unexplained_share: float | None


def slope(points: Points) -> float:
    """The weighted median of the slopes of all pairs of points (weighted Theil-Sen), bytes per box.

    Each pair is weighted by its distance. A reading has the same error at 1 and at 8 boxes, so a slope over 7 boxes is
    worth more than one over 1. One disturbed reading does not move a median.

    Raises:
        ValueError: fewer than two points.
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


def intercept(points: Points, rise: float) -> float:
    """The value at no box of a line of slope ``rise``: the median over the points."""
    return median(y - rise * x for x, y in points.items())


def marginal_costs(analysis: Analysis, scenario: str) -> tuple[MarginalCost, ...]:
    """One for each box measured with at least two numbers of residents, in the order of the scenario's targets."""
    return analysis.once(f"marginal costs of {scenario}", lambda: _marginal_costs(analysis, scenario))


def _marginal_costs(analysis: Analysis, scenario: str) -> tuple[MarginalCost, ...]:
    families: dict[str, list[Cell]] = {}
    for cell in analysis.cells(scenario):
        if residents_of(cell) is not None:
            families.setdefault(without_residents(cell).key, []).append(cell)
    found = (_marginal_cost(analysis, cells) for cells in families.values() if len(cells) > 1)
    return tuple(cost for cost in found if cost is not None)


def _marginal_cost(analysis: Analysis, cells: Sequence[Cell]) -> MarginalCost | None:
    levels = tuple(sorted(level for cell in cells if (level := residents_of(cell)) is not None))
    every = _by_block(analysis, cells, UNRECLAIMABLE)
    whole = {block: points for block, points in every.items() if len(points) == len(levels)}
    if not whole:
        return None
    rises = [slope(points) for points in whole.values()]
    added = [slope(points) for points in _by_block(analysis, cells, USED).values() if len(points) == len(levels)]
    return MarginalCost(
        cell=without_residents(cells[0]),
        levels=levels,
        unreclaimable=within_blocks(rises),
        added=within_blocks(added) if added else None,
        intercept=within_blocks([intercept(points, rise) for points, rise in zip(whole.values(), rises, strict=True)]),
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
    """The memory of all daemons before the first box: the sum of each daemon's median over trials."""
    metrics = {s.metric for s in analysis.summaries if s.metric.below("ledger", "fixed")}
    sizes = {metric: [value for cell in cells for value in analysis.values_of(cell, metric)] for metric in metrics}
    return sum(median(values) for values in sizes.values() if values)


def break_evens(costs: Sequence[MarginalCost]) -> tuple[BreakEven, ...]:
    """Pairs of boxes whose lines can cross: ``one`` has the higher fixed cost and the lower cost per box.

    This is the only definition of a break-even in Boxbench: it needs measurements with several boxes.
    """
    pairs = ((one, other) for one in costs for other in costs if one.fixed > other.fixed and one is not other)
    return tuple(
        BreakEven(
            one=one.cell, other=other.cell, boxes=within_blocks([_crossing(one, other, block) for block in shared])
        )
        for one, other in pairs
        if (shared := sorted(one.blocks.keys() & other.blocks.keys()))
        and one.unreclaimable.value < other.unreclaimable.value
    )


def _crossing(one: MarginalCost, other: MarginalCost, block: int) -> float:
    """In one block: the least number of boxes, at least 1, with which ``one`` takes less; inf when there is none."""
    (own, own_rise), (theirs, their_rise) = (_line(cost, block) for cost in (one, other))
    if own + own_rise < theirs + their_rise:
        return 1
    if own_rise >= their_rise:
        return math.inf
    return math.floor((own - theirs) / (their_rise - own_rise)) + 1


def _line(cost: MarginalCost, block: int) -> tuple[float, float]:
    points = cost.blocks[block]
    rise = slope(points)
    return cost.fixed + intercept(points, rise), rise


def ledgers(analysis: Analysis, scenario: str) -> tuple[Ledger, ...]:
    """One for each cell whose boxes stay, in the order of targets, then of the number of residents."""
    cells = [(cell, boxes) for cell in analysis.cells(scenario) if (boxes := residents_of(cell)) is not None]
    first: dict[str, int] = {}
    for position, (cell, _) in enumerate(cells):
        first.setdefault(without_residents(cell).key, position)
    cells.sort(key=lambda pair: (first[without_residents(pair[0]).key], pair[1]))
    found = (_ledger(analysis, cell, boxes) for cell, boxes in cells)
    return tuple(ledger for ledger in found if ledger is not None)


def _ledger(analysis: Analysis, cell: Cell, boxes: int) -> Ledger | None:
    sizes = {
        summary.metric.rest: summary.median.value
        for summary in analysis.summaries_of(cell)
        if summary.metric.kind == "ledger"
    }
    # A simulated trial has a total without its holders.
    if "unreclaimable" not in sizes or "reclaimable" not in sizes:
        return None
    components = {name.removeprefix("anon."): size for name, size in sizes.items() if name.startswith("anon.")}
    return Ledger(
        cell=cell,
        boxes=boxes,
        unreclaimable=sizes["unreclaimable"],
        reclaimable=sizes["reclaimable"],
        holders=dict(_holders(sizes)),
        components=dict(sorted(components.items(), key=lambda part: (component_position(part[0]), part[0]))),
        unexplained_share=_unexplained_share(analysis, cell),
    )


def _holders(sizes: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for holder, metrics in HOLDERS.items():
        values = [size for name, size in sizes.items() if any(_matches(name, metric) for metric in metrics)]
        if values:
            yield holder, sum(values)


def _matches(name: str, metric: str) -> bool:
    return name.startswith(metric) if metric.endswith(".") else name == metric


def _unexplained_share(analysis: Analysis, cell: Cell) -> float | None:
    held = {boot.trial: value for boot, value in analysis.boots_of(cell, UNRECLAIMABLE)}
    shares = [
        value / held[boot.trial] for boot, value in analysis.boots_of(cell, UNEXPLAINED) if held.get(boot.trial, 0) > 0
    ]
    return median(shares) if shares else None
