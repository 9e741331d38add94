"""Charts of points in two directions: lines with error bars, distributions, every boot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from bench.deck.pptx.chart import Axis, Chart, Point, Points, Series
from bench.deck.pptx.numbers import (
    DOUBLINGS,
    colour_of,
    ends_of,
    error_of,
    joined,
    limits_of,
    numbers_in,
    rows_of,
    scaled,
    texts_in,
    unit_of,
)
from bench.render.figures.axes import is_logarithmic
from bench.render.figures.base import Figure
from bench.render.figures.data import FigureData

MOST_POINTS: Final = 1_000
"""A series has at most so many points; of more, each k-th is taken. Office programs draw slowly."""
_WIDE: Final = 100.0
"""Lines whose values span more than this have a logarithmic axis."""


def slope(data: FigureData) -> Chart | None:
    # The eye reads what one more costs from the slope, which a logarithmic axis bends.
    return lines(data, wide=math.inf)


class Drawn(NamedTuple):
    """How a figure is drawn: whether an axis is logarithmic, and the name of its x axis."""

    x_log: bool
    y_log: bool
    x_label: str


def drawn_of(figure: Figure) -> Drawn | None:
    """None when the drawing is not at hand."""
    if figure.drawing is None or not figure.drawing.canvas.axes:
        return None
    axes = figure.drawing.canvas.axes[0]
    label = axes.get_xlabel().partition(", logarithmic")[0]
    return Drawn(axes.get_xscale() == "log", axes.get_yscale() == "log", label)


def lines(data: FigureData, *, wide: float = _WIDE, drawn: Drawn | None = None) -> Chart | None:
    """Lines with error bars. Without a drawing an axis of values that span more than ``wide`` is logarithmic."""
    names = texts_in(data, "series")
    rows, missing = rows_of(data, "y", names=names, boxes=names, place="x")
    if not rows:
        return None
    x_unit, unit = unit_of(data, "x", (row.x for row in rows)), unit_of(data, "y", (row.value for row in rows))
    rows = [scaled(row, unit.size, x_unit.size) for row in sorted(rows, key=lambda row: row.x)]
    values, places = [row.value for row in rows], [row.x for row in rows]
    is_wide = drawn.y_log if drawn else max(values) >= wide * min(values)
    base = 10.0 if min(values) > 0 and is_wide else None
    limits = limits_of(ends_of(rows), base)
    x_title = joined(drawn.x_label if drawn else "", x_unit.name)
    return Points(
        series=tuple(
            Series(
                name=name,
                colour=colour_of(name),
                points=tuple(Point(row.x, row.value, *error_of(row, limits)) for row in rows if row.name == name),
                look="both",
            )
            for name in dict.fromkeys(row.name for row in sorted(rows, key=lambda row: names.index(row.name)))
        ),
        x=_across(x_title, places) if drawn and drawn.x_log else Axis(title=x_title),
        y=Axis(title=joined(unit.name, "logarithmic") if base else unit.name, base=base, low=limits[0], high=limits[1]),
        errors="y",
        missing=tuple(missing),
    )


def _across(title: str, places: Sequence[float]) -> Axis:
    """The logarithmic axis of numbers of boxes and the like; a linear one where one of them is not above 0."""
    if min(places) <= 0:
        return Axis(title=title)
    base = 2.0 if max(places) <= DOUBLINGS * min(places) else 10.0
    low, high = limits_of(places, base)
    return Axis(title=joined(title, "logarithmic"), base=base, low=low, high=high)


def distribution(data: FigureData) -> Chart | None:
    curves, missing = _by_box(data, "value", "share")
    values = [point.x for points in curves.values() for point in points]
    if not values:
        return None
    axis, size = _value_axis(data, values)
    return Points(
        series=_without_errors({box: _steps(curve) for box, curve in curves.items()}, "line", x_size=size),
        x=axis,
        y=Axis(title="share of boots", low=0.0, high=1.0),
        missing=missing,
    )


def _steps(curve: Sequence[Point]) -> list[Point]:
    """A share rises at each value, from nothing."""
    before = [0.0, *(point.y for point in curve)]
    return [step for point, low in zip(curve, before, strict=False) for step in (Point(point.x, low), point)]


def samples(data: FigureData) -> Chart | None:
    # Numbers of blocks are as planned; those of a resumed campaign are not in the order in which they ran.
    placed = any(column.name == "place" for column in data.columns)
    clouds, missing = _by_box(data, "place" if placed else "block", "value")
    values = [point.y for points in clouds.values() for point in points]
    if not values:
        return None
    axis, size = _value_axis(data, values)
    return Points(
        series=_without_errors(clouds, "points", y_size=size),
        x=Axis(title="blocks in the order in which they ran" if placed else "block"),
        y=axis,
        missing=missing,
    )


def _by_box(data: FigureData, x: str, y: str) -> tuple[dict[str, list[Point]], tuple[str, ...]]:
    """The points of each box that can be drawn, not too many, and sentences about the others."""
    found: dict[str, list[Point]] = {}
    lost = 0
    for box, across, up in zip(texts_in(data, "box"), numbers_in(data, x), numbers_in(data, y), strict=True):
        if across is None or up is None or math.isinf(across) or math.isinf(up):
            lost += 1
        else:
            found.setdefault(box, []).append(Point(across, up))
    missing = [f"Not in the chart: {lost} that never got there."] if lost else []
    missing += [f"{box}: one of {_step(points)} values is shown." for box, points in found.items() if _step(points) > 1]
    return {box: points[:: _step(points)] for box, points in found.items()}, tuple(missing)


def _value_axis(data: FigureData, values: Sequence[float]) -> tuple[Axis, float]:
    """The axis of the column ``value``, and the size of its unit."""
    unit = unit_of(data, "value", values)
    base = 10.0 if is_logarithmic(values) else None
    low, high = limits_of([value / unit.size for value in values], base)
    return Axis(title=joined(unit.name, "logarithmic" if base else ""), base=base, low=low, high=high), unit.size


def _without_errors(
    found: Mapping[str, Sequence[Point]], look: Literal["points", "line"], *, x_size: float = 1.0, y_size: float = 1.0
) -> tuple[Series, ...]:
    return tuple(
        Series(
            name=box,
            colour=colour_of(box),
            points=tuple(Point(point.x / x_size, point.y / y_size) for point in points),
            look=look,
        )
        for box, points in found.items()
    )


def _step(points: Sequence[Point]) -> int:
    return max(1, math.ceil(len(points) / MOST_POINTS))
