"""The numbers of a figure as charts need them: rows with intervals, units that people read, limits of axes, colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from bench.render.figures.data import FigureData, Value
from bench.render.palette import target_colour
from bench.scenario.target_table import TARGETS, target_name

DOUBLINGS: Final = 64.0
"""The axis of ratios that span less than this has a tick at each doubling, otherwise at each power of ten."""
_UNITS: Final[Mapping[str, tuple[tuple[float, str], ...]]] = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
}
"""By unit of the data those that people read, largest first."""
_SILENT: Final = frozenset({"", "count", "ratio"})
"""Units that the title of an axis need not name."""


class Row(NamedTuple):
    """A value with its interval; an end that is not known is the value itself, and ``high`` may be inf."""

    name: str
    box: str
    x: float
    value: float
    low: float
    high: float


class Unit(NamedTuple):
    """A unit that people read, and how many of the data's unit it has."""

    size: float
    name: str


def colour_of(label: str) -> str:
    """The colour of the target in a label such as ``libvirt (tcg)``, ``docker residents=4`` or ``hello/docker``."""
    first, _, second = label.partition(" ")[0].partition("/")
    return target_colour(second if target_name(first) not in TARGETS and target_name(second) in TARGETS else first)


def rows_of(
    data: FigureData, value: str, *, names: Sequence[str], boxes: Sequence[str], place: str | None = None
) -> tuple[list[Row], list[str]]:
    """The rows that can be drawn, and a sentence for each of the others. Raises KeyError: a column is not there."""
    places = [0.0] * len(names) if place is None else numbers_in(data, place)
    rows: list[Row] = []
    missing: list[str] = []
    known = zip(*(numbers_in(data, column) for column in (value, "low", "high")), strict=True)
    for name, box, x, (found, low, high) in zip(names, boxes, places, known, strict=True):
        if found is None or x is None:
            missing.append(f"{name} has no value, and is not in the chart.")
        elif math.isinf(found) or math.isinf(x):
            missing.append(f"{name} never got there, and is not in the chart.")
        else:
            ends = found if low is None else min(low, found), found if high is None else max(high, found)
            rows.append(Row(name, box, x, found, *ends))
            if math.isinf(ends[1]):
                missing.append(f"The interval of {name} has no upper end.")
    return rows, list(dict.fromkeys(missing))


def scaled(row: Row, size: float, x_size: float = 1.0) -> Row:
    return row._replace(x=row.x / x_size, value=row.value / size, low=row.low / size, high=row.high / size)


def ends_of(rows: Iterable[Row]) -> list[float]:
    return [end for row in rows for end in (row.low, row.value, row.high) if math.isfinite(end)]


def error_of(row: Row, limits: tuple[float | None, float | None]) -> tuple[float, float]:
    """The lengths of an error bar, which ends at a limit of its axis. An end that is not known has no bar."""
    low = row.low if limits[0] is None else max(row.low, limits[0])
    high = row.high if limits[1] is None else min(row.high, limits[1])
    minus, plus = row.value - low, high - row.value
    return (minus if 0 < minus < math.inf else 0.0), (plus if 0 < plus < math.inf else 0.0)


def limits_of(values: Sequence[float], base: float | None) -> tuple[float | None, float | None]:
    """First and last value of an axis. A logarithmic one begins and ends at a power of its base, around all values."""
    if base is None:
        return (0.0 if min(values) >= 0 else None), _rounded_up(max(values))
    positive = [value for value in values if value > 0]
    # The small amount keeps a value that is a power of the base, but for rounding, from widening the axis.
    low = math.floor(math.log(min(positive), base) + 1e-9)
    high = math.ceil(math.log(max(positive), base) - 1e-9)
    return base**low, base ** max(high, low + 1)


def _rounded_up(value: float) -> float | None:
    """The end of a linear axis. Programs choose it by the points alone, and cut error bars off."""
    if value <= 0:
        return None
    step = math.pow(10, math.floor(math.log10(value))) / 2
    return math.ceil(value / step * (1 - 1e-9)) * step


def texts_in(data: FigureData, name: str) -> list[str]:
    return ["" if value is None else str(value) for value in data.column(name)]


def numbers_in(data: FigureData, name: str) -> list[float | None]:
    return [_number(value) for value in data.column(name)]


def _number(value: Value) -> float | None:
    return None if value is None or isinstance(value, str) or math.isnan(value) else float(value)


def unit_of(data: FigureData, name: str, values: Iterable[float]) -> Unit:
    """The unit of a column in which its largest value is 1 or more."""
    unit = next(column.unit for column in data.columns if column.name == name)
    largest = max((abs(value) for value in values), default=0.0)
    known = _UNITS.get(unit)
    if known is None:
        return Unit(1.0, "" if unit in _SILENT else unit)
    return next((Unit(*one) for one in known if largest >= one[0]), Unit(*known[-1]))


def joined(*words: str) -> str:
    """The words that there are: ``median, ms``."""
    return ", ".join(word for word in words if word)
