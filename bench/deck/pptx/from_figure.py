"""From the numbers of a figure to its native chart. Times and sizes get the unit that people read."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Final, Literal, NamedTuple

from bench.deck.pptx.chart import Axis, Bars, Chart, Part, Point, Points, Series
from bench.render.figures.axes import is_logarithmic
from bench.render.figures.base import Figure
from bench.render.figures.data import FigureData, Value
from bench.render.figures.phases import colour_of_name
from bench.render.palette import PALETTE, target_colour
from bench.scenario.target_table import TARGETS, target_name

MOST_POINTS: Final = 1_000
"""A series has at most so many points; of more, each k-th is taken. Office programs draw slowly."""
_DOUBLINGS: Final = 64.0
"""The axis of ratios that span less than this has a tick at each doubling, otherwise at each power of ten."""
_WIDE: Final = 100.0
"""Lines whose values span more than this have a logarithmic axis."""
_UNITS: Final[Mapping[str, tuple[tuple[float, str], ...]]] = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
}
"""By unit of the data those that people read, largest first."""
_REORDERED: Final = "The parts have one order here. In some bars of the figure they have another one."
_SILENT: Final = frozenset({"", "count", "ratio"})
"""Units that the title of an axis need not name."""


class _Row(NamedTuple):
    """A value with its interval; an end that is not known is the value itself, and ``high`` may be inf."""

    name: str
    box: str
    x: float
    value: float
    low: float
    high: float


class _Unit(NamedTuple):
    size: float
    name: str


def chart_of(figure: Figure) -> Chart | None:
    """The native chart of a figure; None when its kind has none, or when it has no number that can be drawn."""
    maker = _MAKERS.get(figure.kind)
    if figure.kind == "lines":
        maker = partial(_lines, drawn=_drawn(figure))
    try:
        return None if maker is None else maker(figure.data)
    except KeyError:
        # The columns are not those of the kind. The figure still has its table.
        return None


def _dots(data: FigureData) -> Chart | None:
    boxes = _texts(data, "box")
    rows, missing = _rows(data, "median", names=boxes, boxes=boxes)
    if not rows:
        return None
    unit = _unit(data, "median", (row.value for row in rows))
    base = 10.0 if is_logarithmic([row.value for row in rows]) else None
    return _below_each_other(rows, title=_title("median", unit.name), size=unit.size, base=base, missing=missing)


def _ratios(data: FigureData) -> Chart | None:
    boxes, metrics = _texts(data, "box"), _texts(data, "metric")
    several = len(set(metrics)) > 1
    # A metric's name ends with which way is better: "get per second: higher is better". There is no room for it.
    short = [metric.partition(": ")[0] for metric in metrics]
    names = [f"{box}: {metric}" if several else box for box, metric in zip(boxes, short, strict=True)]
    rows, missing = _rows(data, "ratio", names=names, boxes=boxes)
    # A logarithmic axis has no place for zero.
    missing = [*missing, *(f"{row.name} is 0, and not in the chart." for row in rows if row.value <= 0)]
    rows = [row for row in rows if row.value > 0]
    if not rows:
        return None
    ends = [1.0, *(end for row in rows for end in (row.low, row.value, row.high) if 0 < end < math.inf)]
    base = 2.0 if max(ends) < _DOUBLINGS * min(ends) else 10.0
    baselines = list(dict.fromkeys(name for name in _texts(data, "baseline") if name))
    title = f"times as much as {baselines[0]}" if len(baselines) == 1 else "times as much"
    return _below_each_other(rows, title=title, size=1.0, base=base, missing=missing, line=1.0)


def _below_each_other(
    rows: Sequence[_Row],
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
    rows = [_scaled(row, size) for row in rows]
    limits = _limits([*_ends(rows), *([] if line is None else [line])], base)
    heights = range(len(rows), 0, -1)
    series = [
        Series(
            name=row.name,
            colour=_colour(row.box),
            points=(Point(row.value, float(height), *_error(row, limits)),),
            look="points",
        )
        for row, height in zip(rows, heights, strict=True)
    ]
    return Points(
        series=tuple(series),
        x=Axis(
            title=_title(title, "logarithmic") if base else title, base=base, low=limits[0], high=limits[1], meets=line
        ),
        # Half a row is left above and below.
        y=Axis(title="", low=0.4, high=len(rows) + 0.6, shown="nothing" if line is None else "line"),
        errors="x",
        named=True,
        missing=tuple(missing),
    )


def _slope(data: FigureData) -> Chart | None:
    # The eye reads what one more costs from the slope, which a logarithmic axis bends.
    return _lines(data, wide=math.inf)


class _Drawn(NamedTuple):
    """How a figure is drawn: whether an axis is logarithmic, and the name of its x axis."""

    x_log: bool
    y_log: bool
    x_label: str


def _drawn(figure: Figure) -> _Drawn | None:
    """None when the drawing is not at hand."""
    if figure.drawing is None or not figure.drawing.canvas.axes:
        return None
    axes = figure.drawing.canvas.axes[0]
    label = axes.get_xlabel().partition(", logarithmic")[0]
    return _Drawn(axes.get_xscale() == "log", axes.get_yscale() == "log", label)


def _lines(data: FigureData, *, wide: float = _WIDE, drawn: _Drawn | None = None) -> Chart | None:
    """Lines with error bars. Without a drawing an axis of values that span more than ``wide`` is logarithmic."""
    names = _texts(data, "series")
    rows, missing = _rows(data, "y", names=names, boxes=names, place="x")
    if not rows:
        return None
    x_unit, unit = _unit(data, "x", (row.x for row in rows)), _unit(data, "y", (row.value for row in rows))
    rows = [_scaled(row, unit.size, x_unit.size) for row in sorted(rows, key=lambda row: row.x)]
    values, places = [row.value for row in rows], [row.x for row in rows]
    is_wide = drawn.y_log if drawn else max(values) >= wide * min(values)
    base = 10.0 if min(values) > 0 and is_wide else None
    limits = _limits(_ends(rows), base)
    x_title = _title(drawn.x_label if drawn else "", x_unit.name)
    return Points(
        series=tuple(
            Series(
                name=name,
                colour=_colour(name),
                points=tuple(Point(row.x, row.value, *_error(row, limits)) for row in rows if row.name == name),
                look="both",
            )
            for name in dict.fromkeys(row.name for row in sorted(rows, key=lambda row: names.index(row.name)))
        ),
        x=_across(x_title, places) if drawn and drawn.x_log else Axis(title=x_title),
        y=Axis(title=_title(unit.name, "logarithmic") if base else unit.name, base=base, low=limits[0], high=limits[1]),
        errors="y",
        missing=tuple(missing),
    )


def _across(title: str, places: Sequence[float]) -> Axis:
    """The logarithmic axis of numbers of boxes and the like; a linear one where one of them is not above 0."""
    if min(places) <= 0:
        return Axis(title=title)
    base = 2.0 if max(places) <= _DOUBLINGS * min(places) else 10.0
    low, high = _limits(places, base)
    return Axis(title=_title(title, "logarithmic"), base=base, low=low, high=high)


def _distribution(data: FigureData) -> Chart | None:
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


def _samples(data: FigureData) -> Chart | None:
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
    for box, across, up in zip(_texts(data, "box"), _numbers(data, x), _numbers(data, y), strict=True):
        if across is None or up is None or math.isinf(across) or math.isinf(up):
            lost += 1
        else:
            found.setdefault(box, []).append(Point(across, up))
    missing = [f"Not in the chart: {lost} that never got there."] if lost else []
    missing += [f"{box}: one of {_step(points)} values is shown." for box, points in found.items() if _step(points) > 1]
    return {box: points[:: _step(points)] for box, points in found.items()}, tuple(missing)


def _value_axis(data: FigureData, values: Sequence[float]) -> tuple[Axis, float]:
    """The axis of the column ``value``, and the size of its unit."""
    unit = _unit(data, "value", values)
    base = 10.0 if is_logarithmic(values) else None
    low, high = _limits([value / unit.size for value in values], base)
    return Axis(title=_title(unit.name, "logarithmic" if base else ""), base=base, low=low, high=high), unit.size


def _without_errors(
    found: Mapping[str, Sequence[Point]], look: Literal["points", "line"], *, x_size: float = 1.0, y_size: float = 1.0
) -> tuple[Series, ...]:
    return tuple(
        Series(
            name=box,
            colour=_colour(box),
            points=tuple(Point(point.x / x_size, point.y / y_size) for point in points),
            look=look,
        )
        for box, points in found.items()
    )


def _step(points: Sequence[Point]) -> int:
    return max(1, math.ceil(len(points) / MOST_POINTS))


def _stacked(data: FigureData) -> Chart | None:
    boxes, parts = _texts(data, "box"), _texts(data, "part")
    found = {
        (box, part): value
        for box, part, value in zip(boxes, parts, _numbers(data, "value"), strict=True)
        if value is not None and math.isfinite(value)
    }
    names = tuple(dict.fromkeys(box for box, _ in found))
    if not names:
        return None
    totals = [sum(value for (box, _), value in found.items() if box == name) for name in names]
    unit = _unit(data, "value", totals)
    bars = [[part for box, part in found if box == name] for name in names]
    kinds = _in_order(bars)
    colours = _part_colours(kinds)
    return Bars(
        names=names,
        parts=tuple(
            Part(kind, colours[kind], tuple(found.get((name, kind), 0.0) / unit.size for name in names))
            for kind in kinds
        ),
        axis=Axis(title=unit.name, low=0.0 if all(value >= 0 for value in found.values()) else None),
        missing=(
            *(f"{box} has no value, and is not in the chart." for box in dict.fromkeys(boxes) if box not in names),
            *([] if all(sorted(bar, key=kinds.index) == bar for bar in bars) else [_REORDERED]),
        ),
    )


def _in_order(lists: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Every part once, in the order that all bars share; where they contradict each other, by its mean place."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    places: dict[str, list[float]] = {}
    for parts in lists:
        for place, part in enumerate(parts):
            sorter.add(part, *parts[place - 1 : place])
            places.setdefault(part, []).append(place / len(parts))
    try:
        return tuple(sorter.static_order())
    except CycleError:
        return tuple(sorted(places, key=lambda part: sum(places[part]) / len(places[part])))


def _part_colours(parts: Sequence[str]) -> dict[str, str]:
    """By part its colour: that of its phase, or one of its own that hardly depends on the other parts."""
    phases = [colour.light for name, colour in PALETTE.items() if name.startswith("p-")]
    found = {part: colour for part in parts if (colour := colour_of_name(part)) is not None}
    for part in parts:
        if part not in found:
            # crc32 is the same in every run, unlike hash().
            first = zlib.crc32(part.encode()) % len(phases)
            turned = [*phases[first:], *phases[:first]]
            found[part] = next((colour for colour in turned if colour not in found.values()), turned[0])
    return found


def _colour(label: str) -> str:
    """The colour of the target in a label such as ``libvirt (tcg)``, ``docker residents=4`` or ``hello/docker``."""
    first, _, second = label.partition(" ")[0].partition("/")
    return target_colour(second if target_name(first) not in TARGETS and target_name(second) in TARGETS else first)


def _rows(
    data: FigureData, value: str, *, names: Sequence[str], boxes: Sequence[str], place: str | None = None
) -> tuple[list[_Row], list[str]]:
    """The rows that can be drawn, and a sentence for each of the others. Raises KeyError: a column is not there."""
    places = [0.0] * len(names) if place is None else _numbers(data, place)
    rows: list[_Row] = []
    missing: list[str] = []
    numbers = zip(_numbers(data, value), _numbers(data, "low"), _numbers(data, "high"), strict=True)
    for name, box, x, (found, low, high) in zip(names, boxes, places, numbers, strict=True):
        if found is None or x is None:
            missing.append(f"{name} has no value, and is not in the chart.")
        elif math.isinf(found) or math.isinf(x):
            missing.append(f"{name} never got there, and is not in the chart.")
        else:
            ends = found if low is None else min(low, found), found if high is None else max(high, found)
            rows.append(_Row(name, box, x, found, *ends))
            if math.isinf(ends[1]):
                missing.append(f"The interval of {name} has no upper end.")
    return rows, list(dict.fromkeys(missing))


def _scaled(row: _Row, size: float, x_size: float = 1.0) -> _Row:
    return row._replace(x=row.x / x_size, value=row.value / size, low=row.low / size, high=row.high / size)


def _ends(rows: Iterable[_Row]) -> list[float]:
    return [end for row in rows for end in (row.low, row.value, row.high) if math.isfinite(end)]


def _error(row: _Row, limits: tuple[float | None, float | None]) -> tuple[float, float]:
    """The lengths of an error bar, which ends at a limit of its axis. An end that is not known has no bar."""
    low = row.low if limits[0] is None else max(row.low, limits[0])
    high = row.high if limits[1] is None else min(row.high, limits[1])
    minus, plus = row.value - low, high - row.value
    return (minus if 0 < minus < math.inf else 0.0), (plus if 0 < plus < math.inf else 0.0)


def _limits(values: Sequence[float], base: float | None) -> tuple[float | None, float | None]:
    """First and last value of an axis. A logarithmic one begins and ends at a power of its base, around all values."""
    if base is None:
        return (0.0 if min(values) >= 0 else None), None
    positive = [value for value in values if value > 0]
    # The small amount keeps a value that is a power of the base, but for rounding, from widening the axis.
    low = math.floor(math.log(min(positive), base) + 1e-9)
    high = math.ceil(math.log(max(positive), base) - 1e-9)
    return base**low, base ** max(high, low + 1)


def _texts(data: FigureData, name: str) -> list[str]:
    return ["" if value is None else str(value) for value in data.column(name)]


def _numbers(data: FigureData, name: str) -> list[float | None]:
    return [_number(value) for value in data.column(name)]


def _number(value: Value) -> float | None:
    return None if value is None or isinstance(value, str) or math.isnan(value) else float(value)


def _unit(data: FigureData, name: str, values: Iterable[float]) -> _Unit:
    """The unit of a column in which its largest value is 1 or more."""
    unit = next(column.unit for column in data.columns if column.name == name)
    largest = max((abs(value) for value in values), default=0.0)
    known = _UNITS.get(unit)
    if known is None:
        return _Unit(1.0, "" if unit in _SILENT else unit)
    return next((_Unit(*one) for one in known if largest >= one[0]), _Unit(*known[-1]))


def _title(*words: str) -> str:
    """The words that there are: ``median, ms``."""
    return ", ".join(word for word in words if word)


_MAKERS: Final[Mapping[str, Callable[[FigureData], Chart | None]]] = {
    "dots": _dots,
    "ratios": _ratios,
    "distribution": _distribution,
    "stacked": _stacked,
    "slope": _slope,
    "lines": _lines,
    "samples": _samples,
}
