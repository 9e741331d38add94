"""Simulated numbers of several targets over one axis: lines with bands, named at their ends, and a legend below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.render.figures.beside import spread
from bench.render.figures.labels import legend_columns, target_label
from bench.render.figures.simulated import HATCH
from bench.render.figures.ticks import number_axis
from bench.render.palette import MUTED, PAPER, marker, target_colour, target_colour_name
from bench.sim.answer.answer import Band
from bench.sim.answer.terms import is_emulated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LABEL: Final = 48
"""Characters of a target's name that a legend has room for."""
_DASHES: Final = ("-", "--", ":", "-.")
_LEGEND_ROW_IN: Final = 0.205
_AXIS_IN: Final = 0.54
"""From the axis down to the legend: the labels of ticks and of the axis."""
_FAINT: Final = 0.14
_STRONG: Final = 0.2
"""Opacities of the bands of 95 and of 80 %."""
_CROSS: Final[dict[str, Any]] = {"marker": "x", "ms": 5, "mew": 1.4, "linestyle": "none"}
_CROSS_ROW: Final = 0.06
"""Between the crosses of two lines, as a share of the height of the axes."""
_NAME_SIZE: Final = 8.5
_NAME_ROW_IN: Final = 0.15
_LETTER_IN: Final = 0.081
"""The size of names at the ends of lines, points, and of their lines and letters, inches."""
_LEADER_IN: Final = 0.14
"""From the axes to the names."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One target's numbers.

    Attributes:
        x: ascending.
        bands: one for each ``x``.
        note: a second line of its name: ``4.00× the data``; empty: none.
        hatched: the band is hatched, since all of it lies beyond the data.
        gaps: places without a number, at which the line is broken and has a cross; none of them is in ``x``.
    """

    target: str
    x: tuple[float, ...]
    bands: tuple[Band, ...]
    note: str = ""
    hatched: bool = False
    gaps: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """What stands at the end of the line."""
        return "\n".join(filter(None, (target_label(self.target), self.note)))


def line_style(targets: Sequence[str], target: str, *, number: int | None = None) -> dict[str, Any]:
    """Colour, dashes and mark of a target's line. Targets of one colour have different dashes.

    Args:
        number: of the line among those of its target, where it has several.
    """
    colour = target_colour(target)
    same = [other for other in targets if target_colour_name(other) == target_colour_name(target)]
    variant = same.index(target) if number is None else number
    return {
        "color": colour,
        "linestyle": _DASHES[variant % len(_DASHES)],
        "marker": marker(target),
        "mfc": PAPER if is_emulated(target) else colour,
        "mec": colour,
    }


def draw_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Draw middles, and bands of 80 and 95 %. A line of a single point is the target's mark."""
    targets = [line.target for line in lines]
    for number, line in enumerate(lines):
        style = line_style(targets, line.target)
        places = sorted((*line.x, *line.gaps))
        ends = {end: _with_gaps(line, end) for end in ("low95", "low80", "middle", "high80", "high95")}
        for low, high, alpha in (("low95", "high95", _FAINT), ("low80", "high80", _STRONG)):
            axes.fill_between(places, ends[low], ends[high], color=style["color"], alpha=alpha, linewidth=0)
        if line.hatched:
            hatched: dict[str, Any] = {"edgecolor": style["color"], "hatch": HATCH, "linewidth": 0, "alpha": 0.35}
            axes.fill_between(places, ends["low95"], ends["high95"], facecolor="none", **hatched)
        style |= {} if len(line.x) == 1 else {"marker": ""}
        axes.plot(places, ends["middle"], linewidth=1.8, ms=4.5, **style)
        _crosses(axes, line, number)


def _with_gaps(line: Line, end: str) -> list[float]:
    """An end of the bands at all places of a line; nan in its gaps."""
    found = {place: float(getattr(band, end)) for place, band in zip(line.x, line.bands, strict=True)}
    return [found.get(place, math.nan) for place in sorted((*line.x, *line.gaps))]


def _crosses(axes: Axes, line: Line, number: int) -> None:
    """Crosses in the gaps of a line, above the axis, those of each line at a height of their own."""
    if line.gaps:
        heights = [0.03 + _CROSS_ROW * number] * len(line.gaps)
        along = axes.get_xaxis_transform()
        axes.plot(line.gaps, heights, transform=along, color=target_colour(line.target), **_CROSS)


def name_room_in(lines: Sequence[Line]) -> float:
    """The width that names at the ends of lines need, inches."""
    longest = max(len(part) for line in lines for part in line.name.split("\n"))
    return _LEADER_IN + 0.06 + _LETTER_IN * longest


def name_height_in(lines: Sequence[Line]) -> float:
    """The height that all names at the ends of lines need together, inches."""
    return sum(map(_height_in, lines))


def _height_in(line: Line) -> float:
    return _NAME_ROW_IN * (1 + line.name.count("\n")) + 0.03


def name_lines(axes: Axes, lines: Sequence[Line]) -> None:
    """Write each target's name right of the axes, beside the end of its line. Scales and limits are set already.

    Names that would meet are moved apart; a thin line leads from each to its own.
    """
    dpi = axes.figure.dpi
    frame = axes.bbox
    bottom, top, right = (float(end) / dpi for end in (frame.y0, frame.y1, frame.x1))
    ends = [(line.x[-1], line.bands[-1].middle) for line in lines]
    at = [tuple(float(part) / dpi for part in axes.transData.transform(end)) for end in ends]
    wanted = [min(max(y, bottom), top) for _, y in at]
    places = spread(wanted, [_height_in(line) for line in lines], bottom, top)
    for line, end, (x, _), y, place in zip(lines, ends, at, wanted, places, strict=True):
        colour = target_colour(line.target)
        leader: dict[str, Any] = {"arrowstyle": "-", "color": colour, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 0}
        axes.annotate(
            line.name,
            end,
            xytext=(72 * (right + _LEADER_IN - x), 72 * (place - y)),
            textcoords="offset points",
            ha="left",
            va="center",
            size=_NAME_SIZE,
            weight="bold",
            color=colour,
            linespacing=1.05,
            annotation_clip=False,
            arrowprops=leader | {"relpos": (0.0, 0.5)},
        )


def band_axis(
    axes: Axes, lines: Sequence[Line], unit: str, *, also: Sequence[float] = (), linear: bool = False
) -> bool:
    """The y axis of bands: logarithmic where they span much, else from 0 on, with a grid. Returns which it is.

    Args:
        also: values that the axis must reach, too.
        linear: never logarithmic.
    """
    ends = [end for line in lines for band in line.bands for end in (band.low95, band.high95)]
    values = [value for value in (*ends, *also) if value > 0]
    low = 0.0 if linear or min(ends) <= 0 else min(values)
    log = number_axis(axes, low, max(values, default=1.0), unit, which="y", from_zero=True)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.tick_params(axis="y", labelcolor=MUTED)
    return log


def band_entries(lines: Sequence[Line]) -> tuple[list[str], list[Any]]:
    """What the legend says of lines and their bands: texts and handles."""
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    strong = Patch(facecolor=MUTED, alpha=_FAINT + _STRONG, linewidth=0)
    faint = Patch(facecolor=MUTED, alpha=_FAINT, linewidth=0)
    found: list[tuple[str, Any]] = [
        ("simulated, the middle", Line2D([], [], color=MUTED, linewidth=1.8)),
        ("bands of 80 and 95 %", (strong, faint)),
    ]
    if any(line.gaps for line in lines):
        found.append(("some waited, none began", Line2D([], [], color=MUTED, **_CROSS)))
    if any(line.hatched for line in lines):
        hatched = Patch(facecolor=PAPER, edgecolor=MUTED, hatch=HATCH, linewidth=0)
        found.append(("hatched: beyond the data", hatched))
    return [name for name, _ in found], [handle for _, handle in found]


def legend_height_in(names: Sequence[str]) -> float:
    """The height that a legend of these names needs, inches."""
    return 0.06 + _LEGEND_ROW_IN * math.ceil(len(names) / _columns(names))


def legend_below(figure: Canvas, axes: Axes, names: Sequence[str], *, handles: Sequence[Any] | None = None) -> None:
    """Put a legend below the axes, at the left edge of the figure.

    Args:
        names: of all entries; see ``legend_height_in``.
        handles: what is named, an artist or several side by side; what the axes hold when None.
    """
    from matplotlib.legend_handler import HandlerTuple  # noqa: PLC0415

    height = figure.get_size_inches()[1]
    top = axes.get_position().y0 - _AXIS_IN / height
    figure.legend(
        handles=list(handles or axes.get_legend_handles_labels()[0]),
        labels=list(names),
        loc="upper left",
        bbox_to_anchor=(0.0, top),
        ncols=_columns(names),
        fontsize=9,
        handlelength=2.4,
        columnspacing=1.4,
        borderaxespad=0.15,
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0.0)},
    )


BELOW_IN: Final = _AXIS_IN + 0.02
"""The room below axes for their labels, above a legend."""


def _columns(names: Sequence[str]) -> int:
    return min(2, legend_columns(names))


def edge_of_data(places: Sequence[float], beyond: float, *, log: bool) -> float:
    """Where hatching begins: between the last place within the data and the first one beyond; inf: nowhere.

    Args:
        places: ascending.
        beyond: the first place beyond the data; inf: none is.
    """
    if not math.isfinite(beyond):
        return math.inf
    below = [place for place in places if place < beyond]
    if not below:
        return -math.inf
    return math.sqrt(below[-1] * beyond) if log and below[-1] > 0 else (below[-1] + beyond) / 2
