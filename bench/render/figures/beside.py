"""Short texts beside marks, placed so that they cover neither marks nor each other as far as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE: Final = 8.0
_LETTER_IN: Final = 0.07
_HEIGHT_IN: Final = 0.125
"""The size of a letter, inches; a little more than what is drawn."""
_MARK_IN: Final = 0.05
"""Half the width of a mark."""


class _Side(NamedTuple):
    """Where a text stands: its distance from the mark, inches, and which of its ends is there."""

    x: float
    y: float
    ha: Literal["left", "center", "right"]
    va: Literal["bottom", "center", "top"]


_SIDES: Final = (
    _Side(0.08, 0.05, "left", "bottom"),
    _Side(-0.08, 0.05, "right", "bottom"),
    _Side(0.08, -0.05, "left", "top"),
    _Side(-0.08, -0.05, "right", "top"),
    _Side(0.0, 0.1, "center", "bottom"),
    _Side(0.0, -0.1, "center", "top"),
    _Side(0.12, 0.0, "left", "center"),
    _Side(-0.12, 0.0, "right", "center"),
)


class Box(NamedTuple):
    """The place of a text, inches from the figure's lower left corner."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Box) -> bool:
        """Whether they have a part in common."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def within(self, other: Box) -> bool:
        """Whether no part lies outside."""
        return (
            other.left <= self.left
            and other.bottom <= self.bottom
            and self.right <= other.right
            and self.top <= other.top
        )


def label_marks(
    axes: Axes, points: Sequence[tuple[float, float]], texts: Sequence[str], colours: Sequence[str]
) -> None:
    """Write a text beside each point, given in data coordinates. Scales and limits of the axes are set already."""
    at = [place_in(axes, point) for point in points]
    marks = [Box(x - _MARK_IN, y - _MARK_IN, x + _MARK_IN, y + _MARK_IN) for x, y in at]
    bounds = axes.bbox
    frame = Box(*(float(end) / axes.figure.dpi for end in (bounds.x0, bounds.y0, bounds.x1, bounds.y1)))
    taken: list[Box] = []
    for (x, y), point, text, colour in zip(at, points, texts, colours, strict=True):
        boxes = [_box(x, y, text, side) for side in _SIDES]
        costs = [_cost(box, marks, taken, frame) for box in boxes]
        best = costs.index(min(costs))
        side = _SIDES[best]
        taken.append(boxes[best])
        axes.annotate(
            text,
            point,
            xytext=(72 * side.x, 72 * side.y),
            textcoords="offset points",
            ha=side.ha,
            va=side.va,
            size=_SIZE,
            color=colour,
        )


def place_in(axes: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """A point of the data in inches from the figure's lower left corner."""
    x, y = axes.transData.transform(point)
    return float(x) / axes.figure.dpi, float(y) / axes.figure.dpi


def _box(x: float, y: float, text: str, side: _Side) -> Box:
    width = _LETTER_IN * len(text)
    left = x + side.x - {"left": 0.0, "center": width / 2, "right": width}[side.ha]
    bottom = y + side.y - {"bottom": 0.0, "center": _HEIGHT_IN / 2, "top": _HEIGHT_IN}[side.va]
    return Box(left, bottom, left + width, bottom + _HEIGHT_IN)


def _cost(box: Box, marks: Sequence[Box], taken: Sequence[Box], frame: Box) -> int:
    """What a text would cover. A text over a text cannot be read at all; one over a mark can."""
    return (
        sum(box.meets(mark) for mark in marks)
        + 4 * sum(box.meets(other) for other in taken)
        + (0 if box.within(frame) else 3)
    )


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Middles of things of some sizes, as near to where they are wanted as they can be side by side.

    Args:
        low, high: between these all of them lie, if there is room for all.
    """
    order = sorted(range(len(wanted)), key=lambda number: (wanted[number], number))
    offsets = [0.0]
    for before, after in pairwise(order):
        offsets.append(offsets[-1] + (sizes[before] + sizes[after]) / 2)
    # Groups of neighbours that touch: the sum of where their first ones are wanted, and their number.
    groups: list[tuple[float, int]] = []
    for number, offset in zip(order, offsets, strict=True):
        group = (wanted[number] - offset, 1)
        while groups and groups[-1][0] / groups[-1][1] > group[0] / group[1]:
            last = groups.pop()
            group = (last[0] + group[0], last[1] + group[1])
        groups.append(group)
    least = low + sizes[order[0]] / 2
    most = max(least, high - sizes[order[-1]] / 2 - offsets[-1])
    firsts = [min(max(total / count, least), most) for total, count in groups for _ in range(count)]
    found = dict(zip(order, (first + offset for first, offset in zip(firsts, offsets, strict=True)), strict=True))
    return [found[number] for number in range(len(wanted))]
