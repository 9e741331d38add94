"""Changes from A to B, one row each: the ratio, its interval, the pairs behind it, and the band that does not count."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from bench.render.figures.axes import ratio_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import GROUND, add_axes, canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.foot import with_foot
from bench.render.figures.style import style_in_use
from bench.render.palette import GRID, INK, MUTED, PAPER, marker, target_colour
from bench.render.text import EMULATED
from bench.render.wrap import broken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS: Final = 24
"""More rows would not be read; the table has all."""
MOST_ON_STAGE: Final = 7
_ROW_IN: Final = 0.42
_TALL_ROW_IN: Final = 0.56
"""Of a row with its text below."""
_NARROW_IN: Final = 4.0
_HEAD_ROWS: Final = 0.9
_LABEL_IN: Final = 1.45
_LABEL: Final = 20
"""Characters of a label's line."""
_FAR: Final = 1e6
"""A ratio beyond this has no place on an axis."""


@dataclass(frozen=True, kw_only=True)
class ChangeRow:
    """One change.

    Attributes:
        group: rows of one group stand together, below its name: a metric.
        label: the box.
        target: for its colour and marker.
        value: B over A; may be inf.
        low, high: the interval; both None where the value is exact or has none.
        points: ratios of single pairs, B over A.
        threshold: changes within 1 / (1 + threshold) and 1 + threshold do not count.
        text: the change and the verdict, at the right.
        loud: the row that a reader must see.
    """

    group: str
    label: str
    target: str
    accel: str
    value: float
    low: float | None
    high: float | None
    points: tuple[float, ...] = ()
    threshold: float
    text: str
    loud: bool = False


def draw(rows: Sequence[ChangeRow], *, name: str, title: str, subtitle: str, how: str, foot: str) -> Iterator[Drawing]:
    """The figure of the first rows; none when no row has a finite ratio above 0. The numbers have all rows.

    A row whose ratio has no place on an axis, such as an infinite one, has an arrow at its edge.
    """
    if not any(0 < row.value < _FAR for row in rows):
        return
    shown = _kept(rows)
    groups = len({row.group for row in shown})
    part = f"{len(shown)} of {len(rows)} rows shown" if len(shown) < len(rows) else ""
    row_in = _TALL_ROW_IN if _is_narrow() else _ROW_IN
    figure = canvas(
        1.3 + row_in * (len(shown) + _HEAD_ROWS * groups), title, " · ".join(filter(None, (subtitle, part)))
    )
    right = 0.2 if _is_narrow() else 0.12 + 0.083 * max(len(row.text) for row in shown)
    axes = add_axes(figure, left_in=_label_in(), bottom_in=0.42, right_in=right, top_in=0.66)
    _scale(axes, shown)
    _fill(axes, shown)
    drawing = Drawing(
        name=name,
        scenario="",
        title=title,
        alt=_alt(shown),
        how=how,
        canvas=figure,
        table=_table(rows),
        kind="ratios",
        topic="B against A",
        order=1,
        data=_data(rows),
    )
    yield with_foot(drawing, foot, "")


def _kept(rows: Sequence[ChangeRow]) -> list[ChangeRow]:
    """As many rows as there is room for, a group together; one with a place on the axis is among them."""
    most = MOST_ON_STAGE if style_in_use().is_fixed else MOST_ROWS
    kept = list(rows[:most])
    if not any(0 < row.value < _FAR for row in kept):
        kept[-1] = next(row for row in rows if 0 < row.value < _FAR)
    order = list(dict.fromkeys(row.group for row in kept))
    return sorted(kept, key=lambda row: order.index(row.group))


def _is_narrow() -> bool:
    """Whether the text of a row stands below it, since there is no room at its right."""
    return style_in_use().width_in < _NARROW_IN


def _label_in() -> float:
    return _LABEL_IN * 0.85 if _is_narrow() else _LABEL_IN


def _scale(axes: Axes, rows: Sequence[ChangeRow]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    ends = [end for row in rows for end in (row.low, row.high, *row.points) if end is not None and 0 < end < _FAR]
    values = [1.0, *(row.value for row in rows if 0 < row.value < _FAR), *ends]
    low, high = min(values), max(values)
    if high / low > 4:
        ratio_axis(axes, low, high, pad=1.2)
    else:
        margin = max(high - low, 0.02) * 0.08
        axes.set_xlim(low - margin, high + margin)
        # Round changes, so that "no change" has its tick.
        changes = MaxNLocator(nbins=2 if _is_narrow() else 4).tick_values(low - margin - 1, high + margin - 1)
        axes.set_xticks([1 + change for change in changes if low - margin <= 1 + change <= high + margin])
        axes.xaxis.set_major_formatter(lambda value, _: _percent(value))
    axes.tick_params(axis="x", labelsize=9)


def _percent(ratio: float) -> str:
    change = round((ratio - 1) * 100, 3) + 0.0
    return f"{'+' if change > 0 else ''}{change:g} %".replace("-", "−")


def _fill(axes: Axes, rows: Sequence[ChangeRow]) -> None:
    from matplotlib.transforms import blended_transform_factory  # noqa: PLC0415

    margin = blended_transform_factory(axes.figure.transFigure, axes.transData)
    places, at = [], 0.0
    for group, members in groupby(rows, key=lambda row: row.group):
        axes.text(
            0.012, at, group, transform=margin, size=9, color=MUTED, va="center", clip_on=False, bbox=dict(GROUND)
        )
        at += _HEAD_ROWS
        begin = at
        for row in members:
            _mark(axes, at, row)
            places.append(at)
            at += 1
        # Not beside the names of groups: a long one would touch the line.
        axes.plot([1, 1], [begin - 0.5, at - 0.5], color=MUTED, linewidth=1.2, zorder=1.5)
    axes.set_yticks(places, ["\n".join(list(broken(row.label, _label_chars()))[:3]) for row in rows])
    axes.set_ylim(at - 0.4, -0.6)
    for tick in axes.get_yticklabels():
        tick.set_fontweight("bold")
        tick.set_fontsize(8.5)


def _label_chars() -> int:
    return style_in_use().label_chars if _is_narrow() else _LABEL


def _mark(axes: Axes, at: float, row: ChangeRow) -> None:
    left, right = axes.get_xlim()
    colour, limit = target_colour(row.target), 1 + row.threshold
    axes.fill_between([1 / limit, limit], at - 0.42, at + 0.42, color=GRID, linewidth=0)
    points = [point for point in row.points if left <= point <= right]
    axes.plot(points, [at + 0.27] * len(points), linestyle="none", marker="o", ms=3.4, color=colour, alpha=0.35, mew=0)
    if row.low is not None and row.high is not None:
        ends = [max(row.low, left), min(row.high, right)]
        axes.plot(ends, [at, at], color=colour, linewidth=2.4, solid_capstyle="butt")
        if math.isinf(row.high):
            axes.plot([right], [at], marker=">", color=colour, markersize=7, clip_on=False)
    fill = PAPER if row.accel in EMULATED else colour
    if 0 < row.value < _FAR:
        axes.plot([row.value], [at], marker=marker(row.target), markersize=7.5, mfc=fill, mec=colour, mew=1.6)
    else:
        edge, arrow = (left, "<") if row.value <= 0 else (right, ">")
        axes.plot([edge], [at], marker=arrow, markersize=9, mfc=fill, mec=colour, mew=1.6, clip_on=False)
    weight = "bold" if row.loud else "normal"
    where = axes.get_yaxis_transform()
    x, y, size = (0.0, at + 0.44, 8) if _is_narrow() else (1.03, at, 9)
    axes.text(x, y, row.text, transform=where, size=size, va="center", clip_on=False, weight=weight, color=INK)


def _alt(rows: Sequence[ChangeRow]) -> str:
    parts = [f"{row.label}, {row.group}: {row.text}" for row in rows]
    return f"B against A, as a change from A. {'; '.join(parts)}."


def _table(rows: Sequence[ChangeRow]) -> tuple[tuple[str, ...], ...]:
    body = [(row.group, row.label, row.text, _percent(1 + row.threshold), str(len(row.points) or "")) for row in rows]
    return (("metric", "box", "change", "does not count below", "pairs"), *body)


def _data(rows: Sequence[ChangeRow]) -> FigureData:
    columns = tuple(
        Column(name, unit)
        for name, unit in (
            ("metric", ""),
            ("box", ""),
            ("baseline", ""),
            ("ratio", "ratio"),
            ("low", "ratio"),
            ("high", "ratio"),
            ("n", "count"),
            ("threshold", "share"),
        )
    )
    return FigureData(
        columns,
        tuple(
            (row.group, row.label, "A", row.value, row.low, row.high, float(len(row.points)) or None, row.threshold)
            for row in rows
        ),
    )
