"""The distribution of storms: each scheduled box is a step, and lost boxes are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.analysis.results import Analysis
from bench.analysis.storms import goal_of, is_storm_cell, reached_by, storms_of, times_ns
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from bench.render.figures.base import Drawing, add_axes, canvas, time_axis
from bench.render.figures.ecdf import curve, frame, line_of
from bench.render.figures.labels import accelerators, legend_columns
from bench.render.palette import target_colour
from bench.render.text import cell_label, quantity

_HOW: Final = (
    "Each step is one box. Time runs from the box's scheduled instant, even when the request came later. A curve that "
    "ends in a cross below 100 % has lost boxes, which failed or timed out."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the scenario has no storms or all boxes of them were lost."""
    goal = goal_of(analysis.scenario(scenario))
    cells = [
        cell for cell in analysis.cells(scenario) if is_storm_cell(cell) and storms_of(analysis.records_of(cell), cell)
    ]
    values = {cell.key: pooled(analysis, cell, goal) for cell in cells}
    finite = [value for series in values.values() for value in series if math.isfinite(value)]
    if not finite:
        return None
    how = analysis.scenario(scenario).storm.describe()
    title = f"{scenario}: storms, time until {goal}"
    names = [f"{cell_label(cell)}  {_half(values[cell.key])}" for cell in cells]
    columns = min(2, legend_columns(names))
    legend = 0.24 * math.ceil(len(cells) / columns)
    subtitle = f"boxes requested {how}, each is one step · {accelerators(cells)}"
    figure = canvas(3.3 + legend, title, subtitle)
    axes = add_axes(figure, left_in=0.55, bottom_in=0.45 + legend)
    time_axis(axes, finite)
    for cell, name in zip(cells, names, strict=True):
        curve(axes, values[cell.key], name, target_colour(cell.target), line_of(cells, cell))
    frame(axes, columns)
    return Drawing(
        name=f"{scenario}-storm",
        scenario=scenario,
        title=title,
        alt=_alt(cells, values),
        how=_HOW,
        canvas=figure,
        table=_table(cells, values),
    )


def pooled(analysis: Analysis, cell: Cell, goal: Endpoint) -> tuple[float, ...]:
    """The times of all boxes of all storms of a cell, ns, ascending; inf for lost boxes."""
    return tuple(
        sorted(time for record in storms_of(analysis.records_of(cell), cell) for time in times_ns(record.members, goal))
    )


def _half(values: Sequence[float]) -> str:
    return f"half by {quantity(reached_by(values, 0.5), 'ns')}"


def _alt(cells: Sequence[Cell], values: dict[str, tuple[float, ...]]) -> str:
    parts = [
        f"{cell_label(cell)} {_half(values[cell.key])}, all by {quantity(values[cell.key][-1], 'ns')}" for cell in cells
    ]
    return f"Cumulative distribution over the boxes of storms: {'; '.join(parts)}."


def _table(cells: Sequence[Cell], values: dict[str, tuple[float, ...]]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for cell in cells:
        series = values[cell.key]
        points = ", ".join(quantity(value, "ns") if math.isfinite(value) else "never" for value in series)
        rows.append((cell_label(cell), str(len(series)), points))
    return (("storm", "boxes", "every box, sorted"), *rows)
