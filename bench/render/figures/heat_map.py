"""A simulated quantity over two axes: each cell has its value, and a stronger colour where it is larger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.render.figures.base import Drawing, add_axes, canvas
from bench.render.palette import INK, MUTED, target_colour
from bench.render.text import clean
from bench.sim.answer.answer import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CELL_IN: Final = 0.42
_MOST_LABELS: Final = 12
"""Rows and columns from which on not every one has a label, and cells have no text."""
_MOST_LARGE: Final = 7
"""Columns up to which the text in cells is of the usual size."""
_FAINT: Final = 0.05
_STRONG: Final = 0.62
"""The opacities of the smallest and of the largest value. Text can be read on all of them, on light and dark pages."""

_HOW: Final = (
    "Each cell is the middle of the simulated band, in a stronger colour where it is larger; the scale of colours is "
    "logarithmic where the largest value is at least 10 times the smallest. Hatched cells lie beyond the data that the "
    "model was fitted to. The table has the bands."
)


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """What is drawn.

    Attributes:
        target: gives the colour; of a ratio the target above.
        x: labels of the columns.
        y: labels of the rows, the lowest first.
        bands: by column and row.
        texts: what stands in each cell; the band as text in the table.
        beyond: cells beyond the data.
    """

    name: str
    title: str
    subtitle: str
    target: str
    x_label: str
    y_label: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    bands: Mapping[tuple[int, int], Band]
    texts: Mapping[tuple[int, int], str]
    details: Mapping[tuple[int, int], str]
    beyond: frozenset[tuple[int, int]]


def draw(heat: HeatMap) -> Drawing:
    """The figure. There is a band in each cell."""
    label_in = 0.35 + 0.075 * max(len(label) for label in heat.y)
    figure = canvas(1.35 + _CELL_IN * max(2, len(heat.y)), heat.title, heat.subtitle)
    axes = add_axes(figure, left_in=label_in + 0.2, bottom_in=0.62, top_in=0.66)
    for place, band in heat.bands.items():
        _cell(axes, heat, place, _strength(band.middle, heat.bands))
    _frame(axes, heat)
    return Drawing(
        name=heat.name,
        scenario="simulated",
        title=heat.title,
        alt=_alt(heat),
        how=_HOW,
        canvas=figure,
        table=_table(heat),
    )


def _strength(value: float, bands: Mapping[tuple[int, int], Band]) -> float:
    """Opacity of a value: between the smallest and the largest one."""
    values = [band.middle for band in bands.values()]
    low, high = min(values), max(values)
    if high == low:
        return (_FAINT + _STRONG) / 2
    if low > 0 and high >= 10 * low:
        share = math.log(value / low) / math.log(high / low)
    else:
        share = (value - low) / (high - low)
    return _FAINT + (_STRONG - _FAINT) * share


def _cell(axes: Axes, heat: HeatMap, place: tuple[int, int], strength: float) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    column, row = place
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=target_colour(heat.target), alpha=strength, linewidth=0, zorder=1))
    if place in heat.beyond:
        style: dict[str, Any] = {"facecolor": "none", "edgecolor": MUTED, "alpha": 0.5, "hatch": "//", "linewidth": 0}
        axes.add_patch(Rectangle(corner, 1, 1, **style, zorder=2))
    if len(heat.x) <= _MOST_LABELS and len(heat.y) <= _MOST_LABELS:
        size = 8.5 if len(heat.x) <= _MOST_LARGE else 7
        axes.text(column, row, heat.texts[place], ha="center", va="center", size=size, color=INK, zorder=3)


def _frame(axes: Axes, heat: HeatMap) -> None:
    axes.set_xlim(-0.5, len(heat.x) - 0.5)
    axes.set_ylim(-0.5, len(heat.y) - 0.5)
    axes.set_xticks(*_ticks(heat.x))
    axes.set_yticks(*_ticks(heat.y))
    axes.set_xlabel(heat.x_label, size=9)
    axes.set_ylabel(heat.y_label, size=9)
    axes.grid(visible=False)
    axes.tick_params(axis="both", labelsize=8.5, length=0)
    axes.tick_params(axis="y", labelcolor=MUTED)


def _ticks(labels: tuple[str, ...]) -> tuple[list[int], list[str]]:
    step = math.ceil(len(labels) / _MOST_LABELS)
    places = list(range(0, len(labels), step))
    return places, [labels[place] for place in places]


def _alt(heat: HeatMap) -> str:
    ranked = sorted(heat.bands, key=lambda place: heat.bands[place].middle)
    ends = [f"{heat.texts[one]} at {heat.x[one[0]]} and {heat.y[one[1]]}" for one in (ranked[0], ranked[-1])]
    return f"{heat.title}, over {heat.x_label} and {heat.y_label}: from {ends[0]} to {ends[1]}."


def _table(heat: HeatMap) -> tuple[tuple[str, ...], ...]:
    rows = [
        (clean(label), *(heat.details[column, row] for column in range(len(heat.x))))
        for row, label in enumerate(heat.y)
    ]
    return ((f"{heat.y_label} \\ {heat.x_label}", *heat.x), *rows)
