"""A fan: a simulated quantity over an axis or over time, with its 80 and 95 % bands, one line per target."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from bench.render.answer_tables import band_text, quantity_label
from bench.render.figures.banded import fan_data
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.series import (
    BELOW_IN,
    Line,
    band_axis,
    band_entries,
    draw_lines,
    edge_of_data,
    legend_below,
    legend_height_in,
    name_height_in,
    name_lines,
    name_room_in,
)
from bench.render.figures.simulated import LOGARITHMIC, axis_name, hatch_beyond, say_above, subtitle
from bench.render.figures.simulated_sentences import over_time_sentence
from bench.render.figures.ticks import clock_text, clock_ticks, set_ticks, some_ticks
from bench.render.text import clean, significant
from bench.sim.answer.answer import Distance, Series
from bench.sim.traces.law import is_law

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_LOG_FROM: Final = 8.0
"""From this range of places on the axis is logarithmic: 1, 2, 4, 8 are equally far from each other."""
_CLOCK_TICKS: Final = 6
_COUNTS: Final = ("boxes", "hosts", "mean_hosts")
"""Over time these are seen from 0 on."""
_AXES_IN: Final = 2.15
"""The least height of the axes."""
_BANDS: Final = (
    "Lines are the middle of the band; the strong band holds 80 %, the faint one 95 % of what was simulated: what the "
    "data leave open, noise, what the model misses within its data, and beyond them the errors that such predictions "
    "had elsewhere."
)
_HOW: Final = f"{_BANDS} Where the ground is hatched, the axis lies beyond the data that the model was fitted to."
_HOW_CLOCK: Final = (
    f"{_BANDS} Each point is a part of the trace's time. All targets meet the same invocations at the same time; where "
    "a law made them, another trace of that law has its bursts at other times. A hatched band lies beyond the data, as "
    "far as the target's name says. At a cross invocations waited, and none began."
)
_ONE_DRAW: Final = " These bands come from one draw of the model: what the data leave open is not in them."


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
        x_unit: of the axis, as data name it.
        beyond: the first ``x`` that lies beyond the data; inf: none does.
        clock: the axis is the time of a trace, ns.
        also: further values that are drawn and must lie on the y axis.
        also_x: the same of the x axis.
        entries: texts and handles of more in the legend.
        one_draw: the bands come from a single draw of the model.
        topic: what the figure is about; the title when empty.
    """

    name: str
    title: str
    subtitle: str
    x_label: str
    x_text: Callable[[float], str]
    y_unit: str
    lines: tuple[FanLine, ...]
    x_unit: str = "count"
    beyond: float = math.inf
    clock: bool = False
    also: tuple[float, ...] = ()
    also_x: tuple[float, ...] = ()
    entries: tuple[tuple[str, Any], ...] = ()
    one_draw: bool = False
    topic: str = ""


class OverTime(Protocol):
    """An answer with numbers over the time of a trace."""

    @property
    def short(self) -> str:
        """The question in few words."""

    @property
    def draws(self) -> int:
        """Of the model."""

    @property
    def series(self) -> tuple[Series, ...]:
        """Over the time of the trace."""

    @property
    def distances(self) -> tuple[Distance, ...]:
        """How far it lies beyond the data."""


def draw(fan: Fan) -> Drawing:
    """The figure. Every line has at least one point."""
    figure, _ = plot(fan)
    return Drawing(
        name=fan.name,
        scenario="simulated",
        title=fan.title,
        alt=_alt(fan),
        how=(_HOW_CLOCK if fan.clock else _HOW) + (_ONE_DRAW if fan.one_draw else ""),
        canvas=figure,
        topic=fan.topic,
        table=_table(fan),
        kind="lines",
        data=fan_data(fan.lines, fan.x_unit, fan.y_unit),
    )


def draw_series(answer: OverTime) -> Iterator[Drawing]:
    """One figure for each number of an answer that changes over the time of a trace, with all its targets."""
    for name in dict.fromkeys(one.name for one in answer.series):
        mine = [one for one in answer.series if one.name == name and one.at_ns]
        if not any(len(one.at_ns) > 1 for one in mine):
            continue
        yield draw(
            Fan(
                # Names of numbers are ours: they differ in more than dots and underscores.
                name="-".join(("simulated-over-time", *re.split(r"[._]", name))),
                title=over_time_sentence(name, mine[0].unit, [(one.target, one.bands) for one in mine]),
                topic=f"Simulated: {quantity_label(name)}, over the time of the trace",
                subtitle=subtitle(answer.short, [one.target for one in mine], more=_trace_note(answer.short)),
                x_label="time of the trace, simulated",
                x_text=clock_text,
                y_unit=mine[0].unit,
                lines=tuple(_over_time(one, answer.distances) for one in mine),
                clock=True,
                x_unit="ns",
                one_draw=answer.draws == 1,
            )
        )


def _trace_note(short: str) -> str:
    """What a reader must know of the trace; ``short`` begins with its name."""
    return "one trace of this law" if is_law(short) else ""


def _over_time(one: Series, distances: Sequence[Distance]) -> FanLine:
    times = max((found.times for found in distances if found.target == one.target), default=0.0)
    beyond = "not measured" if math.isinf(times) else f"{significant(times)}× the data"
    return FanLine(
        target=one.target,
        x=tuple(map(float, one.at_ns)),
        bands=one.bands,
        note=beyond if times > 1 else "",
        gaps=tuple(float(place) for place in one.none_ns if place not in one.at_ns),
        hatched=times > 1,
        details=tuple(band_text(band, one.unit) for band in one.bands),
    )


def plot(fan: Fan) -> tuple[Canvas, Axes]:
    """The figure's canvas and axes, so that more can be drawn on them."""
    names, handles = band_entries(fan.lines)
    names += [name for name, _ in fan.entries]
    handles += [handle for _, handle in fan.entries]
    below, above = BELOW_IN + legend_height_in(names), 0.84
    figure = canvas(below + above + max(_AXES_IN, name_height_in(fan.lines)), fan.title, fan.subtitle)
    axes = add_axes(figure, left_in=0.82, bottom_in=below, top_in=above, right_in=name_room_in(fan.lines))
    places = sorted({value for line in fan.lines for value in (*line.x, *line.gaps)} | set(fan.also_x))
    draw_lines(axes, fan.lines)
    log = _x_axis(axes, fan, places)
    if band_axis(axes, fan.lines, fan.y_unit, also=fan.also, linear=fan.clock and fan.y_unit in _COUNTS):
        say_above(axes, f"{LOGARITHMIC} axes" if log else f"{LOGARITHMIC} axis", left=True)
    elif log:
        axes.set_xlabel(axis_name(fan.x_label, log=True), size=9)
    hatch_beyond(axes, edge_of_data(places, fan.beyond, log=log))
    name_lines(axes, fan.lines)
    legend_below(figure, axes, names, handles=handles)
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
    return f"{fan.topic or fan.title}, over {fan.x_label}: {'; '.join(parts)}."


def _table(fan: Fan) -> tuple[tuple[str, ...], ...]:
    head = (fan.x_label, *(clean(line.target) for line in fan.lines))
    found = [
        dict(zip(line.x, line.details, strict=True)) | dict.fromkeys(line.gaps, "none began") for line in fan.lines
    ]
    places = sorted({place for one in found for place in one})
    return (head, *((fan.x_text(place), *(one.get(place, "–") for one in found)) for place in places))
