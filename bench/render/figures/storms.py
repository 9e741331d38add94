"""The distribution of storms: each box of the median storm is a step, and lost boxes are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from bench.analysis.order_statistics import median
from bench.analysis.results import Analysis
from bench.analysis.storms import is_storm_cell, reached_by, shown_goal, storms_of, times_ns
from bench.plan.trials import Cell
from bench.records.record import Endpoint
from bench.render.figures.axes import time_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.direct import is_direct, last_margin_in, name_curves
from bench.render.figures.ecdf import curve, frame, line_of, thin
from bench.render.figures.labels import accelerators, legend_columns, legend_in, legend_under, names, subtitle
from bench.render.figures.sentences import alike_ends, said
from bench.render.figures.shown import shown
from bench.render.palette import target_colour
from bench.render.text import cell_label, quantity

_HOW: Final = (
    "Each step of a curve is one box: the first of a storm, the second, and so on, each at its median over the storms, "
    "which the table shows too. Thin lines are single storms. Time runs from the box's scheduled instant, even when "
    "the request came later. A curve that ends in a cross below 100 % has lost boxes, which failed or timed out."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the scenario has no storms or all boxes of them were lost."""
    goal = shown_goal(analysis.scenario(scenario))
    cells = [
        cell for cell in shown(analysis, scenario) if is_storm_cell(cell) and storms_of(analysis.records_of(cell), cell)
    ]
    single = {cell.key: storm_times(analysis, cell, goal) for cell in cells}
    values = {key: median_storm(storms) for key, storms in single.items()}
    finite = [value for storms in single.values() for times in storms for value in times if math.isfinite(value)]
    if not finite:
        return None
    how = analysis.scenario(scenario).storm.describe()
    topic, title = f"{scenario}: storms, time until {goal}", _sentence(cells, values, single)
    labels = [
        f"{name}  {_half(values[cell.key])}{_lost(single[cell.key])}"
        for name, cell in zip(names(cells), cells, strict=True)
    ]
    columns = min(2, legend_columns(labels))
    legend = 0.0 if is_direct(len(cells)) else legend_in(math.ceil(len(cells) / columns), 0.24)
    room = last_margin_in(labels)
    figure = canvas(
        3.3 + legend, title, subtitle(topic, f"boxes requested {how}", "medians over storms", accelerators(cells))
    )
    axes = add_axes(figure, left_in=0.55, bottom_in=0.45 + legend, right_in=room)
    time_axis(axes, finite)
    curves = []
    for cell, label in zip(cells, labels, strict=True):
        for times in single[cell.key]:
            thin(axes, times, target_colour(cell.target))
        curves.append(curve(axes, values[cell.key], label, target_colour(cell.target), line_of(cells, cell)))
    frame(axes)
    if is_direct(len(cells)):
        name_curves(axes, curves)
    else:
        legend_under(axes, columns, gap_in=0.33)
    return Drawing(
        name=f"{scenario}-storm",
        scenario=scenario,
        title=title,
        alt=_alt(cells, values),
        how=_HOW,
        canvas=figure,
        table=_table(cells, values, single),
        kind="distribution",
        topic=topic,
        data=_data(cells, single),
    )


Times = tuple[float, ...]
"""Times of boxes, ns, ascending; inf for lost boxes."""


def storm_times(analysis: Analysis, cell: Cell, goal: Endpoint) -> tuple[Times, ...]:
    """The times of each storm of a cell."""
    return tuple(times_ns(record.members, goal) for record in storms_of(analysis.records_of(cell), cell))


def median_storm(storms: Sequence[Times]) -> Times:
    """The median over storms of the first box, of the second, and so on. All storms have equally many boxes."""
    return tuple(median(boxes) for boxes in zip(*storms, strict=True))


def _sentence(cells: Sequence[Cell], values: dict[str, Times], single: dict[str, tuple[Times, ...]]) -> str:
    """When half of the boxes and the last one are up, of the first and the last cell."""
    parts = []
    for cell in alike_ends(cells[::-1])[::-1]:
        lost = _lost(single[cell.key])
        last = values[cell.key][-1]
        whole = "not all ever" if math.isinf(last) else f"the last by {quantity(last, 'ns')}"
        half = reached_by(values[cell.key], 0.5)
        first = "most boxes never" if math.isinf(half) else f"half of the boxes by {quantity(half, 'ns')}"
        parts.append(f"{said(cell)}: {first}, {whole}{lost}")
    return "; ".join(parts)


def _data(cells: Sequence[Cell], single: dict[str, tuple[Times, ...]]) -> FigureData:
    """Every box of every storm."""
    rows: list[tuple[str, float, float]] = []
    for cell in cells:
        every = sorted(time for times in single[cell.key] for time in times)
        rows += [(cell_label(cell), time, (place + 1) / len(every)) for place, time in enumerate(every)]
    return FigureData((Column("box", ""), Column("value", "ns"), Column("share", "share")), tuple(rows))


def _half(values: Sequence[float]) -> str:
    return f"half by {quantity(reached_by(values, 0.5), 'ns')}"


def _lost(storms: Sequence[Times]) -> str:
    times = [time for storm in storms for time in storm]
    lost = sum(map(math.isinf, times))
    return f", {lost} of {len(times)} lost" if lost else ""


def _alt(cells: Sequence[Cell], values: dict[str, Times]) -> str:
    parts = [
        f"{cell_label(cell)} {_half(values[cell.key])}, all by {quantity(values[cell.key][-1], 'ns')}" for cell in cells
    ]
    return f"Cumulative distribution over the boxes of storms: {'; '.join(parts)}."


def _table(
    cells: Sequence[Cell], values: dict[str, Times], single: dict[str, tuple[Times, ...]]
) -> tuple[tuple[str, ...], ...]:
    rows = []
    for cell in cells:
        every = sorted(time for times in single[cell.key] for time in times)
        rows.append((cell_label(cell), _points(values[cell.key]), str(len(every)), _points(every)))
    return (("storm", "median of each box", "boxes", "every box, sorted"), *rows)


def _points(times: Sequence[float]) -> str:
    return ", ".join(quantity(time, "ns") if math.isfinite(time) else "never" for time in times)
