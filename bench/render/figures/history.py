"""One series of a history: each commit's median with its interval, change points, and the levels between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.metrics import Metric
from bench.history.detect import Change, State
from bench.history.series import Series
from bench.instructions.model import ACCEL
from bench.render.figures.axes import tick
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import FigureData
from bench.render.figures.numbers import lines
from bench.render.palette import GRID, INK, MUTED, PAPER, target_colour
from bench.render.text import EMULATED, clean, exact_change, format_ratio, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS: Final = 3
"""Labels of neighbouring changes use this many rows, since exact counts may change at every commit."""
_ROW_PT: Final = 11

_HOW = (
    "Each point is one commit, oldest on the left: the median of its boots with its 95 % interval (of 5 boots "
    "93.75 %). Lines are the levels between change points; a shaded span shows where the change may be. A cross at the "
    "top means that most boots failed. Of counts of instructions the interval is the range of the runs."
)


def draw(series: Series, changes: Sequence[Change], number: int) -> Drawing | None:
    """The figure of one series; None when it has no finite median. ``number`` makes its name unique in a page."""
    finite = [value for value in series.values if math.isfinite(value)]
    if not finite:
        return None
    title = _sentence(series, changes)
    what, where = ("count", "clock") if series.accel == ACCEL else ("median", "host")
    figure = canvas(3.0, title, f"{what} per commit · {where} {series.fingerprint} · {series.accel}")
    axes = add_axes(figure, left_in=1.0 if series.accel == ACCEL else 0.78, bottom_in=0.5)
    _scale(axes, series)
    for number_of_change, change in enumerate(changes):
        _mark(axes, change, number_of_change % _ROWS)
    _levels(axes, series, changes)
    _points(axes, series)
    name = f"history-{number}"
    return Drawing(
        name=name,
        scenario=clean(series.cell),
        title=title,
        alt=_alt(series, changes),
        how=_HOW,
        canvas=figure,
        topic=f"{clean(series.cell)}: {Metric(series.metric).label}",
        table=_table(series, changes),
        kind="lines",
        data=_data(series),
    )


def _data(series: Series) -> FigureData:
    """The median of each commit with its interval; x is the number of the commit, from 1 on."""
    unit = Metric(series.metric).unit
    points = enumerate(series.points, start=1)
    rows = ((clean(series.cell), float(place), point.median, point.low, point.high) for place, point in points)
    return lines(rows, "count", unit)


def _sentence(series: Series, changes: Sequence[Change]) -> str:
    """How many changes a series has, and the last of them."""
    about, count = f"{clean(series.cell)}, {Metric(series.metric).label}", len(series.values)
    commits = f"{count} {'commit' if count == 1 else 'commits'}"
    if not changes:
        return f"{about}: no change in {commits} can be told"
    last = changes[-1]
    size = f" by {format_change(last)}" if last.step.ratio is not None else ""
    if len(changes) == 1:
        return f"{about}: one change in {commits}{size} ({last.state})"
    return f"{about}: {len(changes)} changes in {commits}, the last{size} ({last.state})"


def _scale(axes: Axes, series: Series) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    ends = (end for point in series.points for end in (point.median, point.low, point.high) if end is not None)
    finite = [end for end in ends if math.isfinite(end)]
    kind = Metric(series.metric).unit
    margin = (max(finite) - min(finite) or max(finite) or 1.0) * 0.12
    axes.set_ylim(max(0.0, min(finite) - margin), max(finite) + margin)
    axes.set_xlim(-0.7, len(series.values) - 0.3)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(lambda value, _: tick(value, kind))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: _commit(series, round(value)))
    axes.tick_params(axis="both", labelsize=8.5)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")


def _commit(series: Series, place: int) -> str:
    return series.commits[place].id[:7] if 0 <= place < len(series.commits) else ""


def _mark(axes: Axes, change: Change, row: int) -> None:
    step = change.step
    axes.axvspan(step.earliest - 0.5, step.latest - 0.5 + 0.02, color=GRID, alpha=0.8, linewidth=0)
    loud = change.state in (State.OPEN, State.EXPIRED)
    axes.axvline(step.index - 0.5, color=(INK if loud else MUTED), linewidth=1.4 if loud else 0.9)
    text = f"{format_change(change)} {change.state}" if step.ratio is not None else str(change.state)
    height = axes.get_ylim()[1]
    side = "left" if step.index < len(change.series.values) * 0.7 else "right"
    where = step.index - 0.5 + (0.15 if side == "left" else -0.15)
    colour = INK if loud else MUTED
    style: dict[str, Any] = {"ha": side, "va": "top", "size": 8.5, "color": colour}
    style |= {"xytext": (0, -_ROW_PT * row), "textcoords": "offset points", "weight": "bold" if loud else "normal"}
    axes.annotate(text, (where, height), **style)


def format_change(change: Change) -> str:
    """``1.08×``; of exact counts with all significant digits: ``+0.0123 %``."""
    ratio = change.step.ratio
    return exact_change(ratio) if change.series.accel == ACCEL and ratio is not None else format_ratio(ratio)


def _levels(axes: Axes, series: Series, changes: Sequence[Change]) -> None:
    bounds = [0, *(change.step.index for change in changes), len(series.values)]
    levels = [change.step.before for change in changes] + [changes[-1].step.after] if changes else []
    for level, start, end in zip(levels, bounds, bounds[1:], strict=False):
        if math.isfinite(level):
            axes.plot([start - 0.5, end - 0.5], [level, level], color=MUTED, linewidth=1.6, alpha=0.8)


def _points(axes: Axes, series: Series) -> None:
    colour = target_colour(series.cell.split("/")[1] if "/" in series.cell else series.cell)
    fill = PAPER if series.accel in EMULATED else colour
    good = [(place, point) for place, point in enumerate(series.points) if math.isfinite(point.median)]
    for place, point in good:
        if point.low is not None and point.high is not None and math.isfinite(point.high):
            axes.plot([place, place], [point.low, point.high], color=colour, linewidth=0.9, alpha=0.55)
    places, values = [place for place, _ in good], [point.median for _, point in good]
    axes.plot(places, values, linestyle="none", marker="o", ms=4.5, mfc=fill, mec=colour, mew=1.3)
    lost = [place for place, point in enumerate(series.points) if not math.isfinite(point.median)]
    top = axes.get_ylim()[1]
    axes.plot(lost, [top] * len(lost), linestyle="none", marker="x", ms=7, mec=colour, mew=1.8, clip_on=False)


def _alt(series: Series, changes: Sequence[Change]) -> str:
    if not changes:
        return f"{len(series.values)} commits without a change that can be distinguished from chance."
    kind = Metric(series.metric).unit
    changed = [
        f"{quantity(c.step.before, kind)} to {quantity(c.step.after, kind)} in {c.commits} ({c.state})" for c in changes
    ]
    return f"{len(series.values)} commits; " + "; ".join(changed) + "."


def _table(series: Series, changes: Sequence[Change]) -> tuple[tuple[str, ...], ...]:
    kind, marks = Metric(series.metric).unit, {change.step.index: str(change.state) for change in changes}
    rows = [
        (commit.id[:12], clean(commit.subject, limit=60), quantity(point.median, kind), str(point.n), marks.get(n, ""))
        for n, (commit, point) in enumerate(zip(series.commits, series.points, strict=True))
    ]
    return (("commit", "subject", "median", "boots", "change"), *rows)
