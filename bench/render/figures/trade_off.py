"""The trade-off of a pool: the share of cold starts against the memory of idle boxes, one line per target.

Both axes are logarithmic, since VMs waste hundreds of times what containers do and a long keep-alive leaves one cold
start in thousands. Zero has no place on such an axis: it lies in a strip of its own, and no line leads to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from bench.render.answer_tables import band_text
from bench.render.figures.axes import tick
from bench.render.figures.base import Drawing
from bench.render.figures.beside import label_marks
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.series import BELOW_IN, LABEL, legend_below, legend_height_in, line_style
from bench.render.figures.simulated import LOGARITHMIC, say_above, subtitle
from bench.render.figures.simulated_sentences import pool_sentence
from bench.render.figures.ticks import Ticks, clock_text, log_ticks, set_ticks
from bench.render.palette import GRID, MUTED
from bench.render.text import clean, format_ratio, quantity
from bench.sim.answer.answer import Band
from bench.sim.fleet.pool_answer import PoolAnswer, PoolPoint

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS: Final = 6
_ROOM: Final = 1.5
"""From the outermost value to the end of an axis, a factor."""
_STRIP: Final = 0.14
"""The width of the strip of zeros, as a share of the logarithmic part."""
_MARKS: Final = {False: "each mark is a keep-alive", True: "marks: keep-alive +pre-warmed"}
"""What the texts beside marks are, without and with pre-warmed boxes."""
_HOW: Final = (
    "Each mark is a keep-alive, with +2 where two boxes are pre-warmed. To the right more memory is kept in idle "
    "boxes, further down fewer users meet a cold start. Crossed lines hold 95 % of both. Lines join the keep-alives of "
    "one number of pre-warmed boxes. Both axes are logarithmic, with 0 set apart. Hollow marks have an emulated CPU. "
    "Without a keep-alive fewer than all starts can be cold: an invocation that waits for room takes over the box that "
    "makes it."
)


class _Scale:
    """Where values lie on an axis: by their logarithm, and 0 in a strip before the least of them."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > 0]
        self.low, self.high = min(positive, default=1.0) / _ROOM, max(positive, default=1.0) * _ROOM
        width = _STRIP * max(1.0, math.log10(self.high / self.low))
        self.edge = math.log10(self.low)
        self.has_zero = len(positive) < len(values)
        self.zero = self.edge - width / 2
        self.limits = (self.edge - width if self.has_zero else self.edge), math.log10(self.high)

    def at(self, value: float) -> float:
        """The place of a value."""
        return math.log10(value) if value > 0 else self.zero

    def ticks(self, unit: str) -> Ticks:
        """With one for 0 where there is a 0."""
        found = log_ticks(self.low, self.high, unit, most=_TICKS)
        logs = [(math.log10(place), label) for place, label in zip(found.places, found.labels, strict=True)]
        if self.has_zero:
            # A tick at the edge of the strip would be too near to that of 0.
            least = self.edge + (self.edge - self.zero)
            logs = [(self.zero, "0"), *((place, label) for place, label in logs if place >= least)]
        return Ticks([place for place, _ in logs], [label for _, label in logs])


@dataclass(frozen=True, kw_only=True)
class _Line:
    """The points of one target and one number of pre-warmed boxes, ascending by keep-alive."""

    target: str
    name: str
    points: tuple[PoolPoint, ...]
    style: dict[str, Any]


def _mark_text(point: PoolPoint) -> str:
    """``10 min``; with two pre-warmed boxes ``10 min +2``."""
    kept = keep_text(point.keep_alive_ns)
    return f"{kept} +{point.prewarmed}" if point.prewarmed else kept


def point_text(point: PoolPoint) -> str:
    """``boxes kept 10 min, 2 pre-warmed``."""
    kept = f"boxes kept {keep_text(point.keep_alive_ns)}" if point.keep_alive_ns != 0 else "boxes not kept"
    return f"{kept}, {point.prewarmed} pre-warmed" if point.prewarmed else kept


def keep_text(keep_alive_ns: int | None) -> str:
    """A keep-alive on the figure: ``10 min``, ``for ever``."""
    if keep_alive_ns is None:
        return "for ever"
    return clock_text(keep_alive_ns) if keep_alive_ns else tick(0, "ns")


def draw(answer: PoolAnswer) -> Drawing | None:
    """The figure; None when the answer has one point per target only."""
    if len({(point.keep_alive_ns, point.prewarmed) for point in answer.points}) < 2:
        return None
    lines = list(_lines(answer))
    names = [line.name for line in lines]
    title = pool_sentence([point.cold_share for point in answer.points])
    below = BELOW_IN + legend_height_in(names)
    figure = canvas(3.5 + legend_height_in(names), title, subtitle(answer.short, [line.target for line in lines]))
    axes = add_axes(figure, left_in=0.82, bottom_in=below, right_in=0.3, top_in=0.84)
    x = _Scale([end for point in answer.points for end in _ends(point.wasted_memory)])
    y = _Scale([end for point in answer.points for end in _ends(point.cold_share)])
    _frame(axes, x, y, warmed=any(point.prewarmed for point in answer.points))
    for line in lines:
        _draw_line(axes, line, x, y)
    marks = [(line, point) for line in lines for point in line.points]
    label_marks(
        axes,
        [(x.at(point.wasted_memory.middle), y.at(point.cold_share.middle)) for _, point in marks],
        [_mark_text(point) for _, point in marks],
        [line.style["color"] for line, _ in marks],
    )
    legend_below(figure, axes, names)
    return Drawing(
        name="simulated-trade-off",
        scenario="simulated",
        title=title,
        alt=_alt(answer),
        how=_HOW,
        canvas=figure,
        topic="Simulated pool: cold starts against wasted memory",
        table=point_table(answer),
    )


def _lines(answer: PoolAnswer) -> Iterator[_Line]:
    """By target and number of pre-warmed boxes."""
    targets = list(dict.fromkeys(point.target for point in answer.points))
    counts = list(dict.fromkeys(point.prewarmed for point in answer.points))
    for target in targets:
        for number, count in enumerate(counts):
            mine = [point for point in answer.points if (point.target, point.prewarmed) == (target, count)]
            name = clean(target, limit=LABEL)
            yield _Line(
                target=target,
                name=f"{name}, {count} pre-warmed" if len(counts) > 1 else name,
                points=tuple(sorted(mine, key=_keep)),
                style=line_style(targets, target, number=number if len(counts) > 1 else None),
            )


def _keep(point: PoolPoint) -> float:
    return math.inf if point.keep_alive_ns is None else point.keep_alive_ns


def _ends(band: Band) -> tuple[float, float, float]:
    return band.low95, band.middle, band.high95


def _draw_line(axes: Axes, line: _Line, x: _Scale, y: _Scale) -> None:
    thin: dict[str, Any] = {"color": line.style["color"], "linewidth": 0.9, "alpha": 0.6}
    for point in line.points:
        waste, cold = _ends(point.wasted_memory), _ends(point.cold_share)
        axes.plot([x.at(waste[0]), x.at(waste[2])], [y.at(cold[1])] * 2, **thin)
        axes.plot([x.at(waste[1])] * 2, [y.at(cold[0]), y.at(cold[2])], **thin)
    places = [(point.wasted_memory.middle, point.cold_share.middle) for point in line.points]
    for one, other in pairwise(places):
        if min(*one, *other) > 0:
            ends = [x.at(one[0]), x.at(other[0])], [y.at(one[1]), y.at(other[1])]
            axes.plot(*ends, color=line.style["color"], linestyle=line.style["linestyle"], linewidth=1.4)
    at = [x.at(place[0]) for place in places], [y.at(place[1]) for place in places]
    # The legend shows the line's dashes, although no line leads to a mark at 0.
    axes.plot(*at, **line.style | {"linestyle": "none"}, ms=6)
    axes.plot([], [], **line.style, ms=6, label=line.name)


def _frame(axes: Axes, x: _Scale, y: _Scale, *, warmed: bool) -> None:
    axes.set_xlim(*x.limits)
    axes.set_ylim(*y.limits)
    _axis(axes, x, "bytes", "x")
    _axis(axes, y, "share", "y")
    axes.grid(visible=True, axis="both")
    axes.tick_params(axis="both", labelcolor=MUTED)
    axes.set_xlabel("simulated memory of idle boxes, mean over time", size=9)
    axes.set_ylabel("simulated share of cold starts", size=9)
    say_above(axes, f"{LOGARITHMIC} axes", left=True)
    say_above(axes, f"{_MARKS[warmed]}; crossed lines hold 95 %")


def _axis(axes: Axes, scale: _Scale, unit: str, which: Literal["x", "y"]) -> None:
    set_ticks(axes, scale.ticks(unit), which=which)
    if not scale.has_zero:
        return
    span = axes.axvspan if which == "x" else axes.axhspan
    span(scale.limits[0], scale.edge, facecolor=GRID, alpha=0.5, linewidth=0, zorder=0)


def _alt(answer: PoolAnswer) -> str:
    parts = [
        f"{clean(point.target)} kept {keep_text(point.keep_alive_ns)}, {point.prewarmed} pre-warmed: "
        f"{100 * point.cold_share.middle:.3g} % cold, {quantity(point.wasted_memory.middle, 'bytes')} idle"
        for point in answer.points
    ]
    return f"Simulated share of cold starts against memory of idle boxes. {'; '.join(parts)}."


def point_table(answer: PoolAnswer) -> tuple[tuple[str, ...], ...]:
    """One row per target, number of pre-warmed boxes and keep-alive. Shares that are 0 in all rows have no column."""
    head = ["target", "keep-alive", "pre-warmed", "cold starts", "idle memory", "half begin within", "99 % within"]
    rows = [
        [
            clean(point.target),
            keep_text(point.keep_alive_ns),
            str(point.prewarmed),
            band_text(point.cold_share, "share"),
            band_text(point.wasted_memory, "bytes"),
            band_text(point.delay_p50, "ns"),
            band_text(point.delay_p99, "ns"),
        ]
        for point in answer.points
    ]
    for name, shares in (
        ("rejected", [point.rejected_share for point in answer.points]),
        ("never complete", [point.unserved_share for point in answer.points]),
    ):
        if any(shares):
            head.append(name)
            for row, share in zip(rows, shares, strict=True):
                row.append(f"{100 * share:.3g} %")
    if any(point.times > 1 for point in answer.points):
        head.append("beyond the data")
        for row, point in zip(rows, answer.points, strict=True):
            row.append(format_ratio(point.times) if point.times > 1 else "within")
    return (tuple(head), *map(tuple, rows))
