"""The capacity curve: simulated time until the last box of a storm is up, over its size, with measured storms on it.

The strip names the bottleneck at each size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.order_statistics import median
from bench.render.answer_tables import band_text
from bench.render.figures import fan
from bench.render.figures.banded import LineRow, fan_data
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.labels import target_rows, target_width_in
from bench.render.figures.series import BELOW_IN, legend_below, legend_height_in, line_style
from bench.render.figures.simulated import HATCH, HATCHED, hatch_cell, limit_colours, subtitle
from bench.render.figures.simulated_sentences import capacity_sentence, limits_sentence
from bench.render.figures.ticks import set_ticks, some_ticks
from bench.render.palette import MUTED, PAPER
from bench.render.text import clean, quantity
from bench.sim.answer.words import LIMITS
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm
from bench.util.units import grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_HOW: Final = (
    "Lines are simulated: the middle of the time until the last box is up; the strong band holds 80 %, the faint one "
    "95 %. Marks are measured: large ones are medians of storms, small ones single storms; hollow marks have an "
    "emulated CPU. They are shown where the measured host had as many CPUs. Where the ground is hatched, no storm of "
    "that size was measured, or not on so many CPUs."
)
_HOW_STRIP: Final = (
    "Each row is a target, each block a size of storm. Its colour names what decides when the last box is up: the "
    "start of one box, the CPU time of all, or the lock that they hold one after another. Hatched blocks lie beyond "
    "the data."
)
_ROW_IN: Final = 0.42
_BLOCK: Final = (0.96, 0.72)
"""Width and height of a block of the strip."""
_SHORT: Final = {"start": "start", "CPU": "CPU", "lock": "lock", "memory": "memory", "hosts": "boxes", "none": ""}
"""Limits as blocks name them."""
_NAME_SIZE: Final = 7.5
_LETTER_IN: Final = 0.065
"""The size of names in blocks, points, and of a letter of them, inches."""
_MOST_NAMED: Final = 9
"""With more sizes than this, blocks have no room for names, but runs of them may."""
_IN_LEGEND: Final = 3
"""Marks of so many targets stand for all in a legend."""
_MEDIAN: Final[dict[str, Any]] = {"ms": 7, "mew": 1.4, "linestyle": "none"}
_SINGLE: Final[dict[str, Any]] = {"ms": 3, "mew": 0, "alpha": 0.35, "linestyle": "none", "marker": "o"}

Measured = Mapping[str, Mapping[int, Sequence[float]]]
"""Last boxes of the measured storms, ns, by target and by number of boxes, ascending."""


def draw(curve: Curve) -> Drawing:
    """The figure. The curve has at least one point."""
    measured = {target: _measured(curve, target) for target in curve.targets}
    lines = tuple(_line(curve.of(target)) for target in curve.targets)
    drawn = fan.Fan(
        name="simulated-capacity",
        title=capacity_sentence(curve.points),
        topic="Simulated storms: time until the last box is up",
        subtitle=_subtitle(curve),
        x_label="boxes requested in the simulated storm",
        x_text=lambda size: grouped(round(size)),
        y_unit="ns",
        lines=lines,
        beyond=min((float(point.boxes) for point in curve.points if point.beyond), default=float("inf")),
        also=tuple(last for storms in measured.values() for lasts in storms.values() for last in lasts),
        also_x=tuple(float(size) for storms in measured.values() for size in storms),
        entries=_entries([target for target, storms in measured.items() if storms]),
    )
    figure, axes = fan.plot(drawn)
    for target in curve.targets:
        _marks(axes, target, measured[target])
    return Drawing(
        name=drawn.name,
        scenario="simulated",
        title=drawn.title,
        alt=_alt(curve),
        how=_HOW,
        canvas=figure,
        topic=drawn.topic,
        table=_table(curve, measured),
        kind="lines",
        data=fan_data(lines, "count", "ns", _measured_rows(measured)),
    )


def _measured_rows(measured: Measured) -> Iterator[LineRow]:
    """The medians of measured storms, as series of their own."""
    for target, storms in measured.items():
        for boxes, lasts in storms.items():
            yield (f"{clean(target)} (measured)", float(boxes), median(lasts), None, None)


def _subtitle(curve: Curve) -> str:
    return subtitle(curve.short or f"on {curve.cpus} {'CPU' if curve.cpus == 1 else 'CPUs'}", curve.targets)


def _entries(targets: Sequence[str]) -> tuple[tuple[str, Any], ...]:
    """What the legend says of measured storms of these targets."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    if not targets:
        return ()
    shown = targets[:_IN_LEGEND]
    medians = tuple(
        Line2D([], [], **line_style([target], target) | _MEDIAN | {"ms": 4.5, "mew": 1.0}) for target in shown
    )
    singles = tuple(Line2D([], [], **_single(target) | {"alpha": 0.6}) for target in shown)
    return ("measured, median", medians), ("measured, single storms", singles)


def _single(target: str) -> dict[str, Any]:
    style = line_style([target], target)
    return style | _SINGLE | {"mfc": style["mec"]}


def _measured(curve: Curve, target: str) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for one in sorted(curve.measured, key=_boxes):
        if one.target == target and one.cpus == curve.cpus:
            found.setdefault(one.boxes, []).append(one.last_ns)
    return found


def _boxes(one: MeasuredStorm) -> int:
    return one.boxes


def _line(points: Sequence[CurvePoint]) -> fan.FanLine:
    return fan.FanLine(
        target=points[0].target,
        x=tuple(float(point.boxes) for point in points),
        bands=tuple(point.last for point in points),
        details=tuple(band_text(point.last, "ns") for point in points),
    )


def _marks(axes: Axes, target: str, storms: Mapping[int, Sequence[float]]) -> None:
    """Single storms, and their median on top."""
    style = line_style([target], target) | _MEDIAN
    for boxes, lasts in storms.items():
        if len(lasts) > 1:
            axes.plot([boxes] * len(lasts), lasts, **_single(target))
        axes.plot([boxes], [median(lasts)], **style)


def draw_strip(curve: Curve) -> Drawing:
    """The strip: what limits each size of storm."""
    targets = curve.targets
    sizes = sorted({point.boxes for point in curve.points})
    used = list(dict.fromkeys(point.bottleneck for point in curve.points))
    title = limits_sentence(curve.points)
    handles = _limit_patches(used, beyond=any(point.beyond for point in curve.points))
    names = [str(handle.get_label()) for handle in handles]
    below = BELOW_IN + legend_height_in(names)
    figure = canvas(0.66 + below + _ROW_IN * len(targets), title, _subtitle(curve))
    axes = add_axes(figure, left_in=target_width_in(targets), bottom_in=below, top_in=0.66)
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    set_ticks(axes, some_ticks(axes, range(len(sizes)), [grouped(size) for size in sizes]), which="x")
    target_rows(axes, targets)
    named = len(sizes) <= _MOST_NAMED
    for row, target in enumerate(targets):
        for point in curve.of(target):
            _block(axes, (sizes.index(point.boxes), row), point, named=named)
        if not named:
            _name_runs(axes, row, [(sizes.index(point.boxes), point.bottleneck) for point in curve.of(target)])
    axes.grid(visible=False)
    axes.set_xlabel("boxes requested, simulated", size=9)
    legend_below(figure, axes, names, handles=handles)
    return Drawing(
        name="simulated-bottlenecks",
        scenario="simulated",
        title=title,
        alt=_strip_alt(curve),
        how=_HOW_STRIP,
        canvas=figure,
        topic="Simulated storms: what limits them",
        table=_strip_table(curve, sizes),
    )


def _block(axes: Axes, place: tuple[int, int], point: CurvePoint, *, named: bool) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    colour, ink = limit_colours(point.bottleneck)
    (column, row), (width, height) = place, _BLOCK
    axes.add_patch(Rectangle((column - width / 2, row - height / 2), width, height, facecolor=colour, linewidth=0))
    text = _SHORT[point.bottleneck] if named else ""
    if point.beyond:
        hatch_cell(axes, place, _BLOCK, text=text, points=_NAME_SIZE, edgecolor=PAPER)
    if text:
        axes.text(column, row, text, ha="center", va="center", size=_NAME_SIZE, color=ink, zorder=3)


def _name_runs(axes: Axes, row: int, found: Sequence[tuple[int, str]]) -> None:
    """Name each run of narrow blocks with one limit, where it is wide enough."""
    left, right = axes.get_xlim()
    block_in = float(axes.bbox.width) / axes.figure.dpi / (right - left)
    for name, group in groupby(found, key=itemgetter(1)):
        columns = [column for column, _ in group]
        if len(columns) * block_in < _LETTER_IN * (len(_SHORT[name]) + 1):
            continue
        colour, ink = limit_colours(name)
        # The ground of the name covers the hatching.
        ground: dict[str, Any] = {"facecolor": colour, "edgecolor": "none", "pad": 1.2}
        style: dict[str, Any] = {"ha": "center", "va": "center", "size": _NAME_SIZE, "color": ink, "zorder": 3}
        axes.text((columns[0] + columns[-1]) / 2, row, _SHORT[name], bbox=ground, **style)


def _limit_patches(used: Sequence[str], *, beyond: bool) -> list[Patch]:
    from matplotlib.patches import Patch  # noqa: PLC0415

    found = [Patch(facecolor=limit_colours(name)[0], label=LIMITS[name]) for name in used]
    hatched = Patch(facecolor=PAPER, edgecolor=MUTED, hatch=HATCH, linewidth=0, label=HATCHED)
    return [*found, hatched] if beyond else found


def _strip_alt(curve: Curve) -> str:
    parts = []
    for target in curve.targets:
        names = [f"{point.boxes}: {LIMITS[point.bottleneck]}" for point in curve.of(target)]
        parts.append(f"{clean(target)} {', '.join(names)}")
    return f"Simulated bottleneck by number of boxes. {'; '.join(parts)}."


def _strip_table(curve: Curve, sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for target in curve.targets:
        found = {point.boxes: LIMITS[point.bottleneck] for point in curve.of(target)}
        rows.append((clean(target), *(found.get(size, "–") for size in sizes)))
    return (("target", *(str(size) for size in sizes)), *rows)


def _alt(curve: Curve) -> str:
    parts = []
    for target in curve.targets:
        last = curve.of(target)[-1]
        parts.append(f"{clean(target)} {band_text(last.last, 'ns')} at {last.boxes} boxes")
    return f"Simulated time until the last box of a storm is up: {'; '.join(parts)}."


def _table(curve: Curve, measured: Measured) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            clean(point.target),
            str(point.boxes),
            band_text(point.last, "ns"),
            band_text(point.median, "ns"),
            _seen(measured[point.target].get(point.boxes, ())),
            "yes" if point.beyond else "no",
        )
        for point in curve.points
    ]
    head = ("target", "boxes", "last, simulated [95 %]", "half, simulated [95 %]", "last, measured", "beyond the data")
    return (head, *rows)


def _seen(lasts: Sequence[float]) -> str:
    return f"{quantity(median(lasts), 'ns')} ({len(lasts)})" if lasts else ""
