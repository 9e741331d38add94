"""Names of series beside their lines instead of in a legend, on a stage where there are few: nobody looks back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.render.figures.beside import Box, place_in, spread
from bench.render.figures.canvas import GROUND
from bench.render.figures.fitted_text import text_width_in
from bench.render.figures.style import style_in_use
from bench.render.palette import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST: Final = 6
"""With more series a figure has a legend."""
_SIZE: Final = 8.64
_ROW_IN: Final = 0.15
"""The least distance of two names, which is a line's height."""
_GAP_IN: Final = 0.1
"""Between the axes, or a curve, and a name."""
_EDGE_IN: Final = 0.07
_HEIGHTS: Final = (0.5, 0.35, 0.65, 0.2, 0.8, 0.08, 0.92)
"""Where along a curve a name may stand, as shares of the axes' height, the best first."""
_LETTER_IN: Final = 0.076
"""Of an average letter; a little more than what is drawn."""


class Series(NamedTuple):
    """A line with a name.

    Attributes:
        points: of the line in data coordinates, in the order in which it is drawn.
        text: its name.
        colour: of the short line that leads to a name that was moved.
    """

    points: Sequence[tuple[float, float]]
    text: str
    colour: str


def is_direct(count: int) -> bool:
    """Whether so many series have their names beside them."""
    return style_in_use().is_fixed and count <= MOST


def margin_in(texts: Sequence[str]) -> float:
    """The room right of the axes for names at the ends of lines, inches."""
    return _GAP_IN + _LETTER_IN * max(map(len, texts), default=0) + _EDGE_IN


def last_margin_in(texts: Sequence[str]) -> float:
    """The room right of the axes of curves, inches: the last one often has its name there."""
    return min(margin_in(texts), style_in_use().width_in / 4) if is_direct(len(texts)) else 0.18


def name_ends(axes: Axes, series: Sequence[Series]) -> None:
    """Write each name right of the axes at the height of its line's end. Names that would touch are moved apart.

    Scales and limits of the axes are set already.
    """
    if not series:
        return
    ends = [place_in(axes, one.points[-1]) for one in series]
    frame = axes.bbox
    dpi = float(axes.figure.dpi)
    low, high = float(frame.y0) / dpi, float(frame.y1) / dpi
    row = min(_ROW_IN, (high - low) / len(series))
    heights = spread([min(max(y, low), high) for _, y in ends], [row] * len(series), low, high)
    across, up = float(frame.x1) / dpi + _GAP_IN, axes.figure.transFigure
    width, height = _size_in(axes)
    for (_, end), at, one in zip(ends, heights, series, strict=True):
        if abs(at - end) > _ROW_IN / 4:
            _lead(axes, (float(frame.x1) / dpi, min(max(end, low), high)), (across - 0.02, at), one.colour)
        axes.figure.text(across / width, at / height, one.text, transform=up, va="center", size=_SIZE, color=INK)


def _size_in(axes: Axes) -> tuple[float, float]:
    frame = axes.figure.bbox
    return float(frame.width) / axes.figure.dpi, float(frame.height) / axes.figure.dpi


def _lead(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """A short line from the end of a line to its name, both in inches of the figure."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    width, height = _size_in(axes)
    x, y = [start[0] / width, end[0] / width], [start[1] / height, end[1] / height]
    axes.figure.add_artist(Line2D(x, y, color=colour, linewidth=0.8, transform=axes.figure.transFigure))


def name_curves(axes: Axes, series: Sequence[Series]) -> None:
    """Write each name beside its curve, where it covers the least of other curves and no other name.

    Scales and limits of the axes are set already.
    """
    frame, dpi = axes.bbox, float(axes.figure.dpi)
    width, height = _size_in(axes)
    inside = Box(float(frame.x0) / dpi, float(frame.y0) / dpi, width - _EDGE_IN, float(frame.y1) / dpi)
    curves = [_inches(axes, one.points, inside) for one in series]
    taken: list[Box] = []
    # The names of the outer curves have their places before those between them.
    order = sorted(range(len(series)), key=lambda number: max(x for x, _ in curves[number]), reverse=True)
    for number in order:
        one = series[number]
        size = text_width_in(one.text, axes.figure.texts[0], _SIZE) + 0.04
        boxes = list(_boxes(curves[number], size, inside))
        costs = [_cost(box, curves, taken, inside) for box in boxes]
        best = boxes[costs.index(min(costs))]
        taken.append(best)
        x, y = best.left / width, (best.bottom + best.top) / 2 / height
        ground = {**GROUND, "alpha": 0.75}
        axes.figure.text(x, y, one.text, va="center", size=_SIZE, color=one.colour, weight="bold", bbox=ground)


def _inches(axes: Axes, points: Sequence[tuple[float, float]], inside: Box) -> list[tuple[float, float]]:
    """Points along a curve, in inches and close to each other."""
    corners = [place_in(axes, point) for point in points]
    found = corners[:1]
    for (x0, y0), (x1, y1) in pairwise(corners):
        count = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) / (_ROW_IN / 2)))
        found += [(x0 + (x1 - x0) * part / count, y0 + (y1 - y0) * part / count) for part in range(1, count + 1)]
    return [(x, y) for x, y in found if inside.left <= x <= inside.right]


def _boxes(curve: Sequence[tuple[float, float]], width: float, inside: Box) -> list[Box]:
    """Places for a name of this width, right and left of its curve."""
    found = []
    for share in _HEIGHTS:
        at = inside.bottom + share * (inside.top - inside.bottom)
        near = [x for x, y in curve if abs(y - at) <= _ROW_IN / 2] or [min(curve, key=lambda p: abs(p[1] - at))[0]]
        for left in (max(near) + _GAP_IN / 2, min(near) - _GAP_IN / 2 - width):
            found.append(Box(left, at - _ROW_IN / 2, left + width, at + _ROW_IN / 2))
    return found


def _cost(box: Box, curves: Sequence[Sequence[tuple[float, float]]], taken: Sequence[Box], inside: Box) -> int:
    covered = sum(any(box.left <= x <= box.right and box.bottom <= y <= box.top for x, y in curve) for curve in curves)
    return covered + 4 * sum(box.meets(other) for other in taken) + (0 if box.within(inside) else 9)
