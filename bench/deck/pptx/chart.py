"""The parts of a native chart as values: series, axes and error bars. Nothing here knows PowerPoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis of numbers.

    Attributes:
        title: empty for none.
        base: of a logarithmic axis; None for a linear one.
        low: the first value; None leaves it to the program.
        high: the last value; likewise.
        shown: whether its line is drawn, its numbers too, or nothing.
        meets: the value at which the other axis crosses this one; its low end when None.
    """

    title: str
    base: float | None = None
    low: float | None = None
    high: float | None = None
    shown: Literal["all", "line", "nothing"] = "all"
    meets: float | None = None


class Point(NamedTuple):
    """A point. ``minus`` and ``plus`` are the lengths of its error bar, in the unit of the axis, 0 or more."""

    x: float
    y: float
    minus: float = 0.0
    plus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one colour, ``#rrggbb``."""

    name: str
    colour: str
    points: tuple[Point, ...]
    look: Literal["points", "line", "both"]


@dataclass(frozen=True, kw_only=True)
class Points:
    """A chart of points and lines.

    Attributes:
        errors: the direction of the error bars; empty when there are none.
        named: each series has its name beside its first point; otherwise there is a legend.
        missing: what the chart does not show, in full sentences.
    """

    series: tuple[Series, ...]
    x: Axis
    y: Axis
    errors: Literal["x", "y", ""] = ""
    named: bool = False
    missing: tuple[str, ...] = ()


class Part(NamedTuple):
    """A part of each bar, with its colour, ``#rrggbb``, and its length in each bar."""

    name: str
    colour: str
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Horizontal bars from top to bottom, each made of parts one behind the other."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    axis: Axis
    missing: tuple[str, ...] = ()


Chart = Points | Bars
