"""The distribution of the headline: each boot is a step, and failed boots are missing at the top."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.metrics import Metric, headline
from bench.analysis.order_statistics import ecdf
from bench.analysis.results import Analysis
from bench.analysis.storms import FACTOR
from bench.plan.trials import Cell
from bench.render.figures import numbers
from bench.render.figures.axes import time_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.direct import Series, is_direct, last_margin_in, name_curves
from bench.render.figures.labels import accelerators, legend_columns, legend_in, legend_under, names, subtitle, variant
from bench.render.figures.sentences import distribution_sentence, notes_of
from bench.render.figures.shown import shown
from bench.render.figures.thin import list_note, spaced
from bench.render.palette import MUTED, target_colour
from bench.render.text import cell_label, describe_endpoint, is_emulated, median_text, quantity, short_median

if TYPE_CHECKING:
    from matplotlib.axes import Axes
_FEW: Final = 3
_LONG: Final = 20
"""Letters of a name and its median, from which more than a few curves have a legend."""
_EDGE_IN: Final = 0.18


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when no boot has reached the headline."""
    metric = headline(analysis.scenario(scenario))
    # Storms have a figure of their own, in which each box is one step.
    cells = [
        cell for cell in shown(analysis, scenario) if FACTOR not in cell.factors and analysis.values_of(cell, metric)
    ]
    values = {cell.key: analysis.values_of(cell, metric) for cell in cells}
    finite = [value for series in values.values() for value in series if math.isfinite(value)]
    if not finite:
        return None
    word = describe_endpoint(metric)
    topic, title = f"{scenario}: how long until {word}", distribution_sentence(analysis, cells, metric)
    labels = [
        f"{name}  {short_median(analysis.summary(cell, metric))}"
        for name, cell in zip(names(cells), cells, strict=True)
    ]
    columns = min(2, legend_columns(labels))
    # Many long names would stand on each other's curves.
    direct = is_direct(len(cells)) and (len(cells) <= _FEW or max(map(len, labels)) <= _LONG)
    legend = 0.0 if direct else 0.05 + legend_in(math.ceil(len(cells) / columns), 0.205)
    room = last_margin_in(labels) if direct else _EDGE_IN
    figure = canvas(3.3 + legend, title, subtitle(topic, "every boot is one step", accelerators(cells)))
    axes = add_axes(figure, left_in=0.55, bottom_in=0.45 + legend, right_in=room)
    time_axis(axes, finite)
    curves = [
        curve(axes, values[cell.key], label, target_colour(cell.target), line_of(cells, cell))
        for cell, label in zip(cells, labels, strict=True)
    ]
    frame(axes)
    if direct:
        name_curves(axes, curves)
    else:
        legend_under(axes, columns, gap_in=0.33)
    return Drawing(
        name=f"{scenario}-ecdf",
        scenario=scenario,
        title=title,
        alt=_alt(analysis, cells, metric),
        how=_HOW + list_note([len(series) for series in values.values()], "boots"),
        canvas=figure,
        table=_table(analysis, cells, metric),
        kind="distribution",
        topic=topic,
        notes=notes_of(analysis, cells, metric),
        data=numbers.values(analysis, cells, metric),
    )


def frame(axes: Axes) -> None:
    """Draw the axis of shares."""
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.grid(visible=True, axis="y")
    axes.tick_params(axis="y", labelcolor=MUTED, labelsize=9)


Dashes = tuple[float, tuple[float, ...]]
_REAL: Final[tuple[Dashes, ...]] = ((0, ()), (0, (7, 1)), (0, (1.2, 0.8)), (0, (7, 1, 1.2, 1)))
_EMULATED: Final[tuple[Dashes, ...]] = ((0, (4, 1.6)), (0, (1.6, 1.2)), (0, (7, 1.6, 1.6, 1.6)), (0, (2.5, 3)))
_HOW: Final = (
    "A curve further left is faster, and a steeper one varies less. A curve that does not reach 100 % has boots that "
    "timed out or failed. Boxes with an emulated CPU are dashed, and so are further boxes of one colour."
)


def line_of(cells: Sequence[Cell], cell: Cell) -> Dashes:
    """The dashes of a cell: some when its CPU is emulated, and others for each further box of a colour."""
    lines = _EMULATED if is_emulated(cell) else _REAL
    return lines[variant(cells, cell) % len(lines)]


def curve(axes: Axes, values: Sequence[float], label: str, colour: str, line: Dashes) -> Series:
    """Draw one series, and return it. An inf value is a failed boot, marked by a cross at the edge."""
    end = axes.get_xlim()[1]
    steps, shares = ecdf(values)
    lost = sum(math.isinf(value) for value in values)
    label += f", {lost} of {len(values)} never" if lost else ""
    # A box without a successful boot still has its line in the legend.
    x, y = ([steps[0], *steps], [0.0, *shares]) if len(steps) else ([end], [0.0])
    axes.step(x, y, where="post", color=colour, linewidth=2.2, linestyle=line, label=label, solid_capstyle="butt")
    if lost:
        # A thin dotted line leads to a cross at the edge: these boots failed or timed out.
        axes.plot([x[-1], end], [y[-1]] * 2, color=colour, linewidth=1.2, linestyle=":")
        axes.plot([end], [y[-1]], marker="x", color=colour, markersize=7, markeredgewidth=2, clip_on=False)
    return Series(_corners(x, y), label, colour)


def _corners(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of steps that are as high as the value at their left end."""
    points = [(float(x[0]), float(y[0]))]
    for before, across, up in zip(y, x[1:], y[1:], strict=False):
        points += [(float(across), float(before)), (float(across), float(up))]
    return points


def thin(axes: Axes, values: Sequence[float], colour: str) -> None:
    """Draw one series behind a curve; inf values only keep it from reaching 100 %."""
    steps, shares = ecdf(values)
    if len(steps):
        axes.step([steps[0], *steps], [0.0, *shares], where="post", color=colour, linewidth=0.6, alpha=0.35)


def _alt(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> str:
    parts = [f"{cell_label(cell)} median {median_text(analysis.summary(cell, metric))}" for cell in cells]
    return f"Cumulative distribution of time until {describe_endpoint(metric)}: {'; '.join(parts)}."


def _table(analysis: Analysis, cells: Sequence[Cell], metric: Metric) -> tuple[tuple[str, ...], ...]:
    rows = []
    for cell in cells:
        values = sorted(analysis.values_of(cell, metric))
        points = ", ".join(quantity(value, "ns") if math.isfinite(value) else "never" for value in spaced(values))
        rows.append((cell_label(cell), str(len(values)), median_text(analysis.summary(cell, metric)), points))
    return (("box", "boots", "median", "every boot, sorted"), *rows)
