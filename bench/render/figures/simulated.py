"""What figures of simulated answers share: subtitles, hatching beyond the data, colours of what limits an answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from bench.render.palette import GRID, MUTED, phase_colour, text_colour_on_phase
from bench.render.text import clean
from bench.sim.answer.terms import is_emulated

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HATCH: Final = "////"
"""Of what is simulated beyond the data, or rests on a parameter that the data only bound."""
HATCHED: Final = "hatched: beyond the data"
"""What hatching means, where a figure has some."""
LOGARITHMIC: Final = "logarithmic"
Point = tuple[float, float]
"""Of the data, or a width and a height."""
_LIMITS: Final = {
    "start": "start_returned",
    "CPU": "vmm",
    "lock": "kernel",
    "requests": "replied",
    "memory": "ready",
    "hosts": "exec",
    "none": "root",
}
"""The phase whose colour stands for each bottleneck."""
_LETTER: Final = 0.62
"""The width of a letter, as a share of its size."""
_ROOM_IN: Final = 0.09
"""Around a text that is not hatched."""
_QUESTION: Final = 150
"""Characters of a question in a subtitle."""
_MOST_NAMED: Final = 3
"""With more emulated targets than this they are counted."""


def subtitle(question: str, targets: Iterable[str], *, more: str = "") -> str:
    """``64 boxes at once, 2 CPUs; libvirt/tcg emulated``.

    Args:
        question: in few words; with none the figure says that it is simulated.
        targets: that the figure shows, or parts of ratios: ``libvirt/tcg : docker``.
        more: how to read the figure.
    """
    shown = dict.fromkeys(part for target in targets for part in target.split(" : "))
    emulated = [clean(target, limit=_QUESTION) for target in shown if is_emulated(target)]
    names = ", ".join(emulated) if len(emulated) <= _MOST_NAMED else f"{len(emulated)} targets"
    asked = clean(question, limit=_QUESTION) or "simulated"
    return "; ".join(filter(None, (asked, more, f"{names} emulated" if emulated else "")))


def axis_name(name: str, *, log: bool) -> str:
    """The label of an axis, which says when the axis is logarithmic."""
    return f"{name}, {LOGARITHMIC} axis" if log else name


def limit_colours(name: str) -> tuple[str, str]:
    """The light colour of a bottleneck, and that of text on it."""
    phase = _LIMITS.get(name, _LIMITS["none"])
    return phase_colour(phase), text_colour_on_phase(phase)


def hatch_beyond(axes: Axes, edge: float) -> None:
    """Hatch what lies right of ``edge`` on the x axis, beyond the data, and name it. inf: nothing; -inf: all."""
    if not math.isfinite(edge) and edge > 0:
        return
    left, right = axes.get_xlim()
    start = max(edge, left)
    area: dict[str, Any] = {"facecolor": "none", "edgecolor": GRID, "hatch": HATCH, "linewidth": 0, "zorder": 0}
    axes.axvspan(start, right, **area)
    if edge > left:
        axes.axvline(start, color=MUTED, linewidth=0.8, linestyle=":")
    say_above(axes, HATCHED)


def say_above(axes: Axes, text: str, *, left: bool = False) -> None:
    """Small text above the axes, at their right end or at their left one."""
    place: dict[str, Any] = {"transform": axes.transAxes, "ha": "left" if left else "right", "va": "bottom"}
    axes.text(0.0 if left else 1.0, 1.01, text, size=8, color=MUTED, **place)


def hatch_cell(axes: Axes, middle: Point, size: Point, *, text: str = "", points: float = 0.0, **style: Any) -> None:
    """Hatch a cell, but not the text in its middle. Limits of the axes are set already.

    Args:
        middle, size: in data coordinates.
        points: the size of the text.
        style: of the patch: colour and density of the hatching.
    """
    from matplotlib.patches import PathPatch  # noqa: PLC0415
    from matplotlib.path import Path  # noqa: PLC0415

    codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    corners = _corners(middle, size)
    if text and points:
        # The other way round, so that this is a hole.
        corners += _corners(middle, _text_size(axes, text, points))[::-1]
        codes = codes * 2
    look: dict[str, Any] = {"facecolor": "none", "linewidth": 0, "hatch": HATCH, "zorder": 2}
    axes.add_patch(PathPatch(Path(corners, codes), **look | style))


def _corners(middle: Point, size: Point) -> list[Point]:
    (x, y), width, height = middle, size[0] / 2, size[1] / 2
    ends = ((-width, -height), (width, -height), (width, height), (-width, height), (-width, -height))
    return [(x + right, y + up) for right, up in ends]


def _text_size(axes: Axes, text: str, points: float) -> Point:
    """What a text takes with some room around it, in data coordinates."""
    dpi, frame = axes.figure.dpi, axes.bbox
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    width = (_LETTER * points / 72 * len(text) + _ROOM_IN) * dpi / float(frame.width)
    height = (points / 72 + _ROOM_IN) * dpi / float(frame.height)
    return width * abs(right - left), height * abs(top - bottom)
