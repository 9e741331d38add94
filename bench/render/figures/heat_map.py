"""A simulated quantity over two axes: each cell has its value, and a stronger colour where it is larger."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.simulated import HATCHED, hatch_cell, say_above
from bench.render.figures.style import style_in_use
from bench.render.palette import INK, MUTED, target_colour
from bench.render.text import clean
from bench.sim.answer.answer import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CELL_IN: Final = 0.42
_RIGHT_IN: Final = 0.2
_MOST_LABELS: Final = 12
"""Rows and columns from which on not every one has a label."""
_LABEL: Final = 26
"""Characters of a label; the table has all of them."""
_LETTER: Final = 0.62
"""The width of a letter, as a share of its size."""
_TEXT: Final = (8.5, 5.5)
"""The usual size of the text in cells, and the least one, points. Smaller text is left out."""
_TILT: Final = 35.0
"""Of labels that are wider than their column, degrees."""
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
    left = 0.55 + 0.075 * max(map(len, _ticks(heat.y)[1]))
    column = (style_in_use().width_in - left - _RIGHT_IN) / len(heat.x)
    below = _below_in(heat, column)
    above = 0.84 if heat.beyond else 0.72
    figure = canvas(above + below + _CELL_IN * max(2, len(heat.y)), _sentence(heat), heat.subtitle)
    axes = add_axes(figure, left_in=left, bottom_in=below, right_in=_RIGHT_IN, top_in=above)
    size = _text_size(heat, column)
    _frame(axes, heat, tilted=_is_wide(heat, column))
    for place, band in heat.bands.items():
        _cell(axes, heat, place, _strength(band.middle, heat.bands), size)
    if heat.beyond:
        say_above(axes, HATCHED)
    return Drawing(
        name=heat.name,
        scenario="simulated",
        title=_sentence(heat),
        topic=heat.title,
        alt=_alt(heat),
        how=_HOW,
        canvas=figure,
        table=_table(heat),
    )


def _sentence(heat: HeatMap) -> str:
    """The least and the largest cell."""
    least, most = (heat.texts[pick(heat.bands, key=lambda place: _height(heat.bands[place]))] for pick in (min, max))
    return f"{heat.title}: {least}" if least == most else f"{heat.title}: {least} to {most}"


def _height(band: Band) -> tuple[bool, float]:
    """Of a middle that is never reached the number is the largest that was."""
    return band.is_never("middle"), band.middle


def _text_size(heat: HeatMap, column: float) -> float:
    """Of the text in cells of so many inches; 0: there is no room for any."""
    longest = max(map(len, heat.texts.values()))
    size = min(_TEXT[0], 0.94 * column * 72 / (_LETTER * longest))
    return size if size >= _TEXT[1] and len(heat.y) <= _MOST_LABELS else 0.0


def _is_wide(heat: HeatMap, column: float) -> bool:
    """Whether a label is wider than its column, or than those that share one label."""
    shown = _ticks(heat.x)[1]
    return max(map(len, shown)) * _LETTER * _TEXT[0] / 72 > column * len(heat.x) / len(shown)


def _below_in(heat: HeatMap, column: float) -> float:
    """The room below the cells for labels, inches."""
    if not _is_wide(heat, column):
        return 0.62
    longest = max(map(len, _ticks(heat.x)[1])) * _LETTER * _TEXT[0] / 72
    return 0.55 + longest * math.sin(math.radians(_TILT))


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


def _cell(axes: Axes, heat: HeatMap, place: tuple[int, int], strength: float, size: float) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    column, row = place
    corner = (column - 0.5, row - 0.5)
    axes.add_patch(Rectangle(corner, 1, 1, facecolor=target_colour(heat.target), alpha=strength, linewidth=0, zorder=1))
    if place in heat.beyond:
        text = heat.texts[place] if size else ""
        hatch_cell(axes, place, (1.0, 1.0), text=text, points=size, edgecolor=MUTED, alpha=0.5, hatch="//")
    if size:
        axes.text(column, row, heat.texts[place], ha="center", va="center", size=size, color=INK, zorder=3)


def _frame(axes: Axes, heat: HeatMap, *, tilted: bool) -> None:
    axes.set_xlim(-0.5, len(heat.x) - 0.5)
    axes.set_ylim(-0.5, len(heat.y) - 0.5)
    tilt: dict[str, Any] = {"rotation": _TILT, "ha": "right", "rotation_mode": "anchor"} if tilted else {}
    axes.set_xticks(*_ticks(heat.x), **tilt)
    axes.set_yticks(*_ticks(heat.y))
    axes.set_xlabel(heat.x_label, size=9)
    axes.set_ylabel(heat.y_label, size=9)
    axes.grid(visible=False)
    axes.tick_params(axis="both", labelsize=8.5, length=0)
    axes.tick_params(axis="y", labelcolor=MUTED)


def _ticks(labels: tuple[str, ...]) -> tuple[list[int], list[str]]:
    step = math.ceil(len(labels) / _MOST_LABELS)
    places = list(range(0, len(labels), step))
    return places, [clean(labels[place], limit=_LABEL) for place in places]


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
