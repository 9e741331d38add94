"""A fan: a simulated quantity over an axis or over time, with its 80 and 95 % bands, one line per target."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.render.answer_tables import band_text, quantity_label
from bench.render.figures.base import Drawing, add_axes, canvas
from bench.render.figures.series import (
    BELOW_IN,
    Line,
    band_axis,
    draw_lines,
    edge_of_data,
    legend_below,
    legend_in,
    legend_names,
)
from bench.render.figures.simulated import hatch_beyond
from bench.render.figures.ticks import clock_text, clock_ticks, set_ticks, some_ticks
from bench.render.text import clean, file_stem
from bench.sim.answer.answer import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_MARKS: Final = 24
"""With more points than this a line has no marks."""
_LOG_FROM: Final = 8.0
"""From this range of places on the axis is logarithmic: 1, 2, 4, 8 are equally far from each other."""
_CLOCK_TICKS: Final = 7
_HOW: Final = (
    "Lines are the middle of what was simulated; the strong band holds 80 %, the faint one 95 % of it: what the data "
    "leave open, noise, and beyond the data the errors that such predictions had elsewhere. Where the ground is "
    "hatched, the axis lies beyond the data that the model was fitted to."
)
_HOW_CLOCK: Final = (
    "Each point is one window of the trace. Lines are the middle of all runs, the strong band holds 80 %, the faint "
    "one 95 % of them. All targets meet the same invocations at the same time."
)


@dataclass(frozen=True, kw_only=True)
class FanLine(Line):
    """One target's line.

    Attributes:
        details: each band as text, for the table.
    """

    details: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fan:
    """What is drawn.

    Attributes:
        x_text: how a value of the axis is written.
        y_unit: of the bands, as for an answer's quantity.
        beyond: the first ``x`` that lies beyond the data; inf: none does.
        clock: the axis is the time of a trace, ns, and lines have no marks.
        also: further values that are drawn and must lie on the y axis.
        also_x: the same of the x axis.
    """

    name: str
    title: str
    subtitle: str
    x_label: str
    x_text: Callable[[float], str]
    y_unit: str
    lines: tuple[FanLine, ...]
    beyond: float = math.inf
    clock: bool = False
    also: tuple[float, ...] = ()
    also_x: tuple[float, ...] = ()


def draw(fan: Fan) -> Drawing:
    """The figure. Every line has at least one point."""
    figure, _ = plot(fan)
    return Drawing(
        name=fan.name,
        scenario="simulated",
        title=fan.title,
        alt=_alt(fan),
        how=_HOW_CLOCK if fan.clock else _HOW,
        canvas=figure,
        table=_table(fan),
    )


def draw_series(series: Sequence[Series]) -> Iterator[Drawing]:
    """One figure for each number of an answer that changes over the time of a trace, with all its targets."""
    for name in dict.fromkeys(one.name for one in series):
        mine = [one for one in series if one.name == name and one.at_ns]
        if not any(len(one.at_ns) > 1 for one in mine):
            continue
        lines = tuple(
            FanLine(
                target=one.target,
                x=tuple(map(float, one.at_ns)),
                bands=one.bands,
                details=tuple(band_text(band, one.unit) for band in one.bands),
            )
            for one in mine
        )
        yield draw(
            Fan(
                name=f"simulated-over-time-{file_stem(name)}",
                title=f"Simulated: {quantity_label(name)}, over the time of the trace",
                subtitle="simulated, with bands of 80 and 95 %",
                x_label="time of the trace, simulated",
                x_text=clock_text,
                y_unit=mine[0].unit,
                lines=lines,
                clock=True,
            )
        )


def plot(fan: Fan) -> tuple[Canvas, Axes]:
    """The figure's canvas and axes, so that more can be drawn on them."""
    names = legend_names(fan.lines)
    below = BELOW_IN + legend_in(names)
    figure = canvas(3.55 + legend_in(names), fan.title, fan.subtitle)
    axes = add_axes(figure, left_in=0.82, bottom_in=below, top_in=0.84)
    places = sorted({value for line in fan.lines for value in line.x} | set(fan.also_x))
    draw_lines(axes, fan.lines, marks=len(places) <= _MARKS and not fan.clock)
    log = _x_axis(axes, fan, places)
    band_axis(axes, fan.lines, fan.y_unit, also=fan.also)
    hatch_beyond(axes, edge_of_data(places, fan.beyond, log=log))
    legend_below(figure, axes, names)
    return figure, axes


def _x_axis(axes: Axes, fan: Fan, places: Sequence[float]) -> bool:
    """Set scale, limits and ticks; returns whether the axis is logarithmic."""
    log = not fan.clock and places[0] > 0 and places[-1] >= _LOG_FROM * places[0]
    if log:
        axes.set_xscale("log")
        axes.set_xlim(places[0] / 1.15, places[-1] * 1.15)
    else:
        margin = (places[-1] - places[0] or 1.0) * 0.04
        axes.set_xlim(places[0] - margin, places[-1] + margin)
    if fan.clock and places[-1] > 0:
        set_ticks(axes, clock_ticks(places[-1], most=_CLOCK_TICKS), which="x")
    else:
        set_ticks(axes, some_ticks(axes, places, [fan.x_text(place) for place in places]), which="x")
    axes.set_xlabel(fan.x_label, size=9)
    return log


def _alt(fan: Fan) -> str:
    parts = [
        f"{clean(line.target)} from {line.details[0]} at {fan.x_text(line.x[0])} to {line.details[-1]} at "
        f"{fan.x_text(line.x[-1])}"
        for line in fan.lines
    ]
    return f"{fan.title}, over {fan.x_label}: {'; '.join(parts)}."


def _table(fan: Fan) -> tuple[tuple[str, ...], ...]:
    head = (fan.x_label, *(clean(line.target) for line in fan.lines))
    places = sorted({value for line in fan.lines for value in line.x})
    found = [dict(zip(line.x, line.details, strict=True)) for line in fan.lines]
    return (head, *((fan.x_text(place), *(one.get(place, "–") for one in found)) for place in places))
