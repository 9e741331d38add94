"""Which boxes a figure shows: all on a page, a few on a slide. The others are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.data import NO_DATA, FigureData
from bench.render.figures.style import style_in_use
from bench.render.text import cell_label

Levels = Mapping[str, str]
"""Of factors, by their names."""
Value = TypeVar("Value")
_NAMED = 12
"""So many boxes are named in a line; more are counted."""


def shown(analysis: Analysis, scenario: str) -> tuple[Cell, ...]:
    """The cells of a scenario that a figure has room for, in the scenario's order.

    Of more than the style's most, boxes stay that are spread evenly from the fastest to the slowest, and the baseline.
    Where factors vary, all boxes have the same levels: the baseline's first, and more if there is room for all boxes.
    """
    cells, most = analysis.cells(scenario), style_in_use().most_series
    if most is None or len(cells) <= most:
        return cells
    kept = set(_chosen(analysis, scenario, cells, most))
    return tuple(cell for cell in cells if cell in kept)


def _chosen(analysis: Analysis, scenario: str, cells: Sequence[Cell], most: int) -> list[Cell]:
    entry = analysis.scenario(scenario)
    metric = headline(entry)
    medians = {cell.key: found.median.value for cell in cells if (found := analysis.summary(cell, metric)) is not None}
    there = [cell for cell in cells if cell.key in medians] or list(cells)
    base = next((cell for cell in there if entry.baseline in (cell.target, cell.box)), None)
    levels = (base or there[0]).factors
    first = {cell.box: cell for cell in reversed(there)} | {cell.box: cell for cell in there if cell.factors == levels}
    boxes = _spread(sorted(first.values(), key=lambda cell: medians.get(cell.key, 0.0)), base, most)
    return [*boxes, *_further(there, boxes, levels, most // len(boxes) - 1)]


def _spread(ranked: Sequence[Cell], base: Cell | None, most: int) -> list[Cell]:
    """The baseline and cells at even distances; all when there is room."""
    chosen = [cell for cell in ranked if cell == base]
    others = [cell for cell in ranked if cell != base]
    return [*chosen, *_even(others, most - len(chosen))]


def _further(there: Sequence[Cell], boxes: Sequence[Cell], levels: Levels, room: int) -> list[Cell]:
    """The cells of the boxes at so many other levels of the factors, which end with the last ones."""
    names, first = {cell.box for cell in boxes}, set(boxes)
    rest = [cell for cell in there if cell.box in names and cell not in first]
    other: list[Levels] = []
    for cell in rest:
        if cell.factors != levels and cell.factors not in other:
            other.append(cell.factors)
    # Even places have both ends. The baseline's levels stand for the first one.
    wanted = _even([levels, *other], room + 1)[1:]
    return [cell for cell in rest if cell.factors in wanted]


def _even(values: Sequence[Value], most: int) -> list[Value]:
    """At most so many values at even distances, with the first and, of two or more, the last."""
    room = min(most, len(values))
    return [values[round(number * (len(values) - 1) / max(room - 1, 1))] for number in range(room)]


def left_out(analysis: Analysis, scenario: str, data: FigureData = NO_DATA) -> str:
    """``not shown: podman, runc``; empty when all cells are shown.

    Args:
        data: of a figure, which may have room for more boxes than others.
    """
    boxes = set(data.column("box")) if any(column.name == "box" for column in data.columns) else set()
    kept = shown(analysis, scenario)
    names = [
        cell_label(cell) for cell in analysis.cells(scenario) if cell not in kept and cell_label(cell) not in boxes
    ]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"not shown: {', '.join(names[:_NAMED])}{more}"
