"""Simulated numbers of several targets over one axis: lines with bands, and a legend below, clear of the data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.render.figures.labels import legend_columns
from bench.render.figures.ticks import number_axis
from bench.render.palette import MUTED, PAPER, marker, target_colour, target_colour_name
from bench.render.text import clean
from bench.sim.answer.answer import Band
from bench.sim.answer.terms import is_emulated

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LABEL: Final = 48
"""Characters of a target's name that a legend has room for."""
_DASHES: Final = ("-", "--", ":", "-.")
_LEGEND_ROW_IN: Final = 0.205
_AXIS_IN: Final = 0.54
"""From the axis down to the legend: the labels of ticks and of the axis."""
_FAINT: Final = 0.14
_STRONG: Final = 0.2
"""Opacities of the bands of 95 and of 80 %."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One target's numbers.

    Attributes:
        x: ascending.
        bands: one for each ``x``.
    """

    target: str
    x: tuple[float, ...]
    bands: tuple[Band, ...]


def line_style(targets: Sequence[str], target: str, *, number: int | None = None) -> dict[str, Any]:
    """Colour, dashes and mark of a target's line. Targets of one colour have different dashes.

    Args:
        number: of the line among those of its target, where it has several.
    """
    colour = target_colour(target)
    same = [other for other in targets if target_colour_name(other) == target_colour_name(target)]
    variant = same.index(target) if number is None else number
    return {
        "color": colour,
        "linestyle": _DASHES[variant % len(_DASHES)],
        "marker": marker(target),
        "mfc": PAPER if is_emulated(target) else colour,
        "mec": colour,
    }


def legend_names(lines: Sequence[Line]) -> list[str]:
    """What the legend calls the lines."""
    return [f"{clean(line.target, limit=LABEL)}, simulated" for line in lines]


def draw_lines(axes: Axes, lines: Sequence[Line], *, marks: bool = False) -> None:
    """Draw middles, and bands of 80 and 95 %.

    Args:
        marks: put the target's mark on each point, too. A line of a single point always has it.
    """
    targets = [line.target for line in lines]
    for line, name in zip(lines, legend_names(lines), strict=True):
        style = line_style(targets, line.target)
        for low, high, alpha in (("low95", "high95", _FAINT), ("low80", "high80", _STRONG)):
            lower, upper = ([getattr(band, end) for band in line.bands] for end in (low, high))
            axes.fill_between(line.x, lower, upper, color=style["color"], alpha=alpha, linewidth=0)
        style |= {} if marks or len(line.x) == 1 else {"marker": ""}
        axes.plot(line.x, [band.middle for band in line.bands], linewidth=1.8, ms=4.5, label=name, **style)


def band_axis(axes: Axes, lines: Sequence[Line], unit: str, *, also: Sequence[float] = ()) -> None:
    """The y axis of bands: logarithmic where they span much, else from 0 on, with a grid.

    Args:
        also: values that the axis must reach, too.
    """
    ends = [end for line in lines for band in line.bands for end in (band.low95, band.high95)]
    values = [value for value in (*ends, *also) if value > 0]
    low = 0.0 if min(ends) <= 0 else min(values)
    number_axis(axes, low, max(values, default=1.0), unit, which="y", from_zero=True)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.tick_params(axis="y", labelcolor=MUTED)


def legend_in(names: Sequence[str]) -> float:
    """The height that a legend of these names needs, inches."""
    return 0.06 + _LEGEND_ROW_IN * math.ceil(len(names) / _columns(names))


def legend_below(figure: Canvas, axes: Axes, names: Sequence[str], *, handles: Sequence[Artist] | None = None) -> None:
    """Put a legend below the axes, at the left edge of the figure.

    Args:
        names: of all entries; see ``legend_in``.
        handles: what is named; what the axes hold when None.
    """
    height = figure.get_size_inches()[1]
    top = axes.get_position().y0 - _AXIS_IN / height
    figure.legend(
        handles=list(handles or axes.get_legend_handles_labels()[0]),
        labels=list(names),
        loc="upper left",
        bbox_to_anchor=(0.0, top),
        ncols=_columns(names),
        fontsize=9,
        handlelength=2.4,
        columnspacing=1.4,
        borderaxespad=0.15,
    )


BELOW_IN: Final = _AXIS_IN + 0.02
"""The room below axes for their labels, above a legend."""


def _columns(names: Sequence[str]) -> int:
    return min(2, legend_columns(names))


def edge_of_data(places: Sequence[float], beyond: float, *, log: bool) -> float:
    """Where hatching begins: between the last place within the data and the first one beyond; inf: nowhere.

    Args:
        places: ascending.
        beyond: the first place beyond the data; inf: none is.
    """
    if not math.isfinite(beyond):
        return math.inf
    below = [place for place in places if place < beyond]
    if not below:
        return -math.inf
    return math.sqrt(below[-1] * beyond) if log and below[-1] > 0 else (below[-1] + beyond) / 2
