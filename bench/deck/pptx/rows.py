"""Charts of rows below each other, each with its name and interval: medians and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.deck.pptx.chart import Axis, Chart, Point, Points, Series
from bench.deck.pptx.numbers import (
    DOUBLINGS,
    Row,
    colour_of,
    ends_of,
    error_of,
    joined,
    limits_of,
    rows_of,
    scaled,
    texts_in,
    unit_of,
)
from bench.render.figures.axes import is_logarithmic
from bench.render.figures.data import FigureData


def dots(data: FigureData) -> Chart | None:
    boxes = texts_in(data, "box")
    rows, missing = rows_of(data, "median", names=boxes, boxes=boxes)
    if not rows:
        return None
    unit = unit_of(data, "median", (row.value for row in rows))
    base = 10.0 if is_logarithmic([row.value for row in rows]) else None
    return _below_each_other(rows, title=joined("median", unit.name), size=unit.size, base=base, missing=missing)


def ratios(data: FigureData) -> Chart | None:
    boxes, metrics = texts_in(data, "box"), texts_in(data, "metric")
    several = len(set(metrics)) > 1
    # A metric's name ends with which way is better: "get per second: higher is better". There is no room for it.
    short = [metric.partition(": ")[0] for metric in metrics]
    names = [f"{box}: {metric}" if several else box for box, metric in zip(boxes, short, strict=True)]
    rows, missing = rows_of(data, "ratio", names=names, boxes=boxes)
    # A logarithmic axis has no place for zero.
    missing = [*missing, *(f"{row.name} is 0, and not in the chart." for row in rows if row.value <= 0)]
    rows = [row for row in rows if row.value > 0]
    if not rows:
        return None
    ends = [1.0, *(end for row in rows for end in (row.low, row.value, row.high) if 0 < end < math.inf)]
    base = 2.0 if max(ends) < DOUBLINGS * min(ends) else 10.0
    baselines = list(dict.fromkeys(name for name in texts_in(data, "baseline") if name))
    title = f"times as much as {baselines[0]}" if len(baselines) == 1 else "times as much"
    return _below_each_other(rows, title=title, size=1.0, base=base, missing=missing, line=1.0)


def _below_each_other(
    rows: Sequence[Row],
    *,
    title: str,
    size: float,
    base: float | None,
    missing: Sequence[str],
    line: float | None = None,
) -> Points:
    """A row for each value, the first at the top. Each is a series of one point, which has its own name and colour.

    Args:
        line: a vertical line is drawn here.
    """
    rows = [scaled(row, size) for row in rows]
    limits = limits_of([*ends_of(rows), *([] if line is None else [line])], base)
    heights = range(len(rows), 0, -1)
    series = [
        Series(
            name=row.name,
            colour=colour_of(row.box),
            points=(Point(row.value, float(height), *error_of(row, limits)),),
            look="points",
        )
        for row, height in zip(rows, heights, strict=True)
    ]
    return Points(
        series=tuple(series),
        x=Axis(
            title=joined(title, "logarithmic") if base else title, base=base, low=limits[0], high=limits[1], meets=line
        ),
        # Half a row is left above and below.
        y=Axis(title="", low=0.4, high=len(rows) + 0.6, shown="nothing" if line is None else "line"),
        errors="x",
        named=True,
        missing=tuple(missing),
    )
