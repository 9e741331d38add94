"""A fan: a simulated quantity over an axis or over time, with its 80 and 95 % bands, one line per target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.render.figures.base import LOG_FROM, Drawing, add_axes, canvas, tick
from bench.render.figures.simulated import hatch_beyond
from bench.render.palette import MUTED, marker, target_colour, target_colour_name
from bench.render.text import clean
from bench.sim.answer.answer import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES: Final = ("-", "--", ":", "-.")
_MARKS: Final = 24
"""With more points than this a line has no marks."""
_HOW: Final = (
    "Lines are the middle of what was simulated; the strong band holds 80 %, the faint one 95 % of it: what the data "
    "leave open, noise, and beyond the data the errors that such predictions had elsewhere. Where the ground is "
    "hatched, the axis lies beyond the data that the model was fitted to."
)


@dataclass(frozen=True, kw_only=True)
class FanLine:
    """One target's line.

    Attributes:
        x: ascending.
        bands: one for each ``x``.
        details: each band as text, for the table.
    """

    target: str
    x: tuple[float, ...]
    bands: tuple[Band, ...]
    details: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fan:
    """What is drawn.

    Attributes:
        x_text: how a value of the axis is written.
        y_unit: of the bands, as ``bench.render.figures.base.tick`` takes it.
        beyond: the first ``x`` that lies beyond the data; inf: none does.
    """

    name: str
    title: str
    subtitle: str
    x_label: str
    x_text: Callable[[float], str]
    y_unit: str
    lines: tuple[FanLine, ...]
    beyond: float = math.inf


def draw(fan: Fan) -> Drawing:
    """The figure. Every line has at least one point."""
    legend = 0.24 * math.ceil(len(fan.lines) / 2)
    figure = canvas(3.5 + legend, fan.title, fan.subtitle)
    axes = add_axes(figure, left_in=0.82, bottom_in=0.72 + legend, top_in=0.86)
    for line in fan.lines:
        _line(axes, line, _variant(fan.lines, line.target))
    _frame(axes, fan)
    hatch_beyond(axes, _hatched_from(fan), axes.get_xlim()[1])
    axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.24), fontsize=9, borderaxespad=0, ncols=2)
    return Drawing(
        name=fan.name,
        scenario="simulated",
        title=fan.title,
        alt=_alt(fan),
        how=_HOW,
        canvas=figure,
        table=_table(fan),
    )


def _variant(lines: Sequence[FanLine], target: str) -> int:
    """0 for the first target of its colour, 1 for the next."""
    colour = target_colour_name(target)
    return [one.target for one in lines if target_colour_name(one.target) == colour].index(target)


def _line(axes: Axes, line: FanLine, number: int) -> None:
    colour = target_colour(line.target)
    for low, high, alpha in (("low95", "high95", 0.14), ("low80", "high80", 0.2)):
        axes.fill_between(
            line.x,
            [getattr(band, low) for band in line.bands],
            [getattr(band, high) for band in line.bands],
            color=colour,
            alpha=alpha,
            linewidth=0,
        )
    axes.plot(
        line.x,
        [band.middle for band in line.bands],
        color=colour,
        linewidth=1.8,
        linestyle=_DASHES[number % len(_DASHES)],
        marker=marker(line.target) if len(line.x) <= _MARKS else "",
        markersize=4,
        label=f"{clean(line.target)}, simulated",
    )


def _frame(axes: Axes, fan: Fan) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter  # noqa: PLC0415

    places = sorted({value for line in fan.lines for value in line.x})
    ends = [end for line in fan.lines for band in line.bands for end in (band.low95, band.high95)]
    if _is_log(places):
        axes.set_xscale("log")
        axes.set_xlim(places[0] / 1.15, places[-1] * 1.15)
    else:
        margin = (places[-1] - places[0] or 1.0) * 0.04
        axes.set_xlim(places[0] - margin, places[-1] + margin)
    if len(places) <= _MARKS:
        step = math.ceil(len(places) / 10)
        axes.xaxis.set_major_locator(FixedLocator(places[::step]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(lambda value, _: fan.x_text(value))
    if _is_log(ends):
        axes.set_yscale("log")
        dense = max(ends) < 100 * min(ends)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(lambda value, _: tick(value, fan.y_unit))
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.set_xlabel(fan.x_label, size=9)
    axes.tick_params(axis="both", labelsize=9)
    axes.tick_params(axis="y", labelcolor=MUTED)


def _is_log(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) >= LOG_FROM * min(values)


def _hatched_from(fan: Fan) -> float:
    """Between the last point within the data and the first one beyond."""
    places = sorted({value for line in fan.lines for value in line.x})
    below = [value for value in places if value < fan.beyond]
    if not math.isfinite(fan.beyond):
        return math.inf
    if not below:
        return places[0] / 1.15 if _is_log(places) else places[0] - (places[-1] - places[0] or 1.0) * 0.04
    return math.sqrt(below[-1] * fan.beyond) if _is_log(places) else (below[-1] + fan.beyond) / 2


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
