"""The capacity curve: simulated time until the last box of a storm is up, over its size, with measured storms on it.

The strip names the bottleneck at each size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.stats import median
from bench.render.answer_tables import LIMIT_LABELS
from bench.render.figures.base import Drawing, add_axes, canvas, tick
from bench.render.figures.simulated import hatch_beyond, limit_colour
from bench.render.palette import INK, MUTED, PAPER, marker, target_colour, target_colour_name
from bench.render.text import clean, quantity
from bench.sim.answer.terms import is_emulated
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES: Final = ("-", "--", ":", "-.")
_HOW: Final = (
    "Lines are simulated: the middle of the time until the last box is up; bands hold 95 %. Large marks are medians "
    "of storms that were measured, small ones single storms; hollow marks have an emulated CPU. Marks are shown where "
    "the measured host had as many CPUs. Where the ground is hatched, no storm of that size was measured, or not on so "
    "many CPUs."
)
_HOW_STRIP: Final = (
    "Each row is a target, each block a size of storm. Its colour names the largest bound on the time of the last "
    "box: the start of one box, the CPU time of all, or the lock that they hold one after another."
)
_ROW_IN: Final = 0.42


def draw(curve: Curve) -> Drawing:
    """The figure. The curve has at least one point."""
    targets = curve.targets
    title = "Simulated storms: time until the last box is up"
    legend = 0.24 * math.ceil(len(targets) / 2)
    figure = canvas(3.7 + legend, title, f"simulated for {curve.cpus} CPUs, 95 % bands; marks are measured storms")
    axes = add_axes(figure, left_in=0.82, bottom_in=0.72 + legend, top_in=0.86)
    measured = {target: _measured(curve, target) for target in targets}
    for target in targets:
        _line(axes, curve.of(target), _variant(targets, target))
        _marks(axes, target, measured[target])
    _frame(axes, curve, measured)
    hatch_beyond(axes, _first_beyond(curve), axes.get_xlim()[1])
    axes.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.22), fontsize=9, borderaxespad=0, ncols=2)
    return Drawing(
        name="simulated-capacity",
        scenario="simulated",
        title=title,
        alt=_alt(curve),
        how=_HOW,
        canvas=figure,
        table=_table(curve, measured),
    )


def _variant(targets: Sequence[str], target: str) -> int:
    """0 for the first target of its colour, 1 for the next."""
    name = target_colour_name(target)
    return [other for other in targets if target_colour_name(other) == name].index(target)


def _measured(curve: Curve, target: str) -> dict[int, list[float]]:
    """The last boxes of the storms measured on as many CPUs, by number of boxes, ascending."""
    found: dict[int, list[float]] = {}
    for one in sorted(curve.measured, key=_boxes):
        if one.target == target and one.cpus == curve.cpus:
            found.setdefault(one.boxes, []).append(one.last_ns)
    return found


def _boxes(one: MeasuredStorm) -> int:
    return one.boxes


def _line(axes: Axes, points: Sequence[CurvePoint], number: int) -> None:
    target = points[0].target
    colour, dashes = target_colour(target), _DASHES[number % len(_DASHES)]
    x = [point.boxes for point in points]
    label = f"{clean(target)}, simulated"
    axes.fill_between(
        x, [p.last.low95 for p in points], [p.last.high95 for p in points], color=colour, alpha=0.16, linewidth=0
    )
    style = "o" if len(points) == 1 else ""
    axes.plot(
        x, [p.last.middle for p in points], color=colour, linewidth=1.8, linestyle=dashes, marker=style, label=label
    )


def _marks(axes: Axes, target: str, storms: Mapping[int, Sequence[float]]) -> None:
    colour = target_colour(target)
    fill = PAPER if is_emulated(target) else colour
    for boxes, lasts in storms.items():
        axes.plot([boxes] * len(lasts), lasts, linestyle="none", marker="o", ms=3, mfc=colour, mew=0, alpha=0.3)
        axes.plot(
            [boxes], [median(lasts)], linestyle="none", marker=marker(target), ms=7, mfc=fill, mec=colour, mew=1.4
        )


def _frame(axes: Axes, curve: Curve, measured: Mapping[str, Mapping[int, Sequence[float]]]) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter  # noqa: PLC0415

    sizes = sorted({point.boxes for point in curve.points} | {size for storms in measured.values() for size in storms})
    values = [end for point in curve.points for end in (point.last.low95, point.last.high95) if end > 0]
    values += [last for storms in measured.values() for lasts in storms.values() for last in lasts]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(sizes[0] / 1.2, sizes[-1] * 1.2)
    axes.set_ylim(min(values) / 1.3, max(values) * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(_some(sizes)))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0) if max(values) < 100 * min(values) else (1.0,)))
    axes.yaxis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("boxes requested in the simulated storm", size=9)
    axes.tick_params(axis="both", labelsize=9)
    axes.tick_params(axis="y", labelcolor=MUTED)


def _some(sizes: Sequence[int], *, most: int = 10) -> list[int]:
    """At most so many of the sizes, the first and the last among them."""
    if len(sizes) <= most:
        return list(sizes)
    step = math.ceil((len(sizes) - 1) / (most - 1))
    return [*sizes[:-1:step], sizes[-1]]


def _first_beyond(curve: Curve) -> float:
    """Where the hatching begins: between the last size within the data and the first one beyond it."""
    sizes = sorted({point.boxes for point in curve.points})
    beyond = {point.boxes for point in curve.points if point.beyond}
    if not beyond:
        return math.inf
    first = min(beyond)
    below = [size for size in sizes if size < first]
    return math.sqrt(first * below[-1]) if below else first / 2


def draw_strip(curve: Curve) -> Drawing:
    """The strip: what limits each size of storm."""
    from matplotlib.patches import Patch, Rectangle  # noqa: PLC0415

    targets = curve.targets
    sizes = sorted({point.boxes for point in curve.points})
    title = "Simulated storms: what limits them"
    figure = canvas(
        1.62 + _ROW_IN * len(targets), title, f"simulated for {curve.cpus} CPUs; by the number of boxes requested"
    )
    axes = add_axes(figure, left_in=_label_in(targets), bottom_in=0.86, top_in=0.66)
    for row, target in enumerate(targets):
        for point in curve.of(target):
            place = sizes.index(point.boxes)
            hatch = "////" if point.beyond else None
            axes.add_patch(
                Rectangle(
                    (place - 0.48, row - 0.36),
                    0.96,
                    0.72,
                    facecolor=limit_colour(point.bottleneck),
                    edgecolor=PAPER,
                    hatch=hatch,
                    linewidth=0,
                )
            )
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    axes.set_ylim(len(targets) - 0.4, -0.6)
    axes.set_xticks(range(len(sizes)), [f"{size:g}" for size in sizes])
    axes.set_yticks(range(len(targets)), [clean(target, limit=22) for target in targets])
    for label, target in zip(axes.get_yticklabels(), targets, strict=True):
        label.set_color(target_colour(target))
        label.set_fontweight("bold")
    axes.grid(visible=False)
    axes.set_xlabel("boxes requested in the simulated storm; hatched: beyond the data", size=9, color=MUTED)
    axes.tick_params(axis="both", labelsize=9)
    used = list(dict.fromkeys(point.bottleneck for point in curve.points))
    patches = [Patch(facecolor=limit_colour(name), label=LIMIT_LABELS[name]) for name in used]
    figure.legend(handles=patches, loc="lower left", bbox_to_anchor=(0.0, 0.0), ncols=4, fontsize=9, labelcolor=INK)
    return Drawing(
        name="simulated-bottlenecks",
        scenario="simulated",
        title=title,
        alt=_strip_alt(curve),
        how=_HOW_STRIP,
        canvas=figure,
        table=_strip_table(curve, sizes),
    )


def _label_in(targets: Sequence[str]) -> float:
    return 0.30 + 0.092 * max(min(len(target), 22) for target in targets)


def _strip_alt(curve: Curve) -> str:
    parts = []
    for target in curve.targets:
        names = [f"{point.boxes}: {LIMIT_LABELS[point.bottleneck]}" for point in curve.of(target)]
        parts.append(f"{clean(target)} {', '.join(names)}")
    return f"Simulated bottleneck by number of boxes. {'; '.join(parts)}."


def _strip_table(curve: Curve, sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    rows = [(clean(target), *(point.bottleneck for point in curve.of(target))) for target in curve.targets]
    return (("target", *(str(size) for size in sizes)), *rows)


def _alt(curve: Curve) -> str:
    parts = []
    for target in curve.targets:
        last = curve.of(target)[-1]
        parts.append(
            f"{clean(target)} {quantity(last.last.middle, 'ns')} [{quantity(last.last.low95, 'ns')}, "
            f"{quantity(last.last.high95, 'ns')}] at {last.boxes} boxes"
        )
    return f"Simulated time until the last box of a storm is up: {'; '.join(parts)}."


def _table(curve: Curve, measured: Mapping[str, Mapping[int, Sequence[float]]]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (
            clean(point.target),
            str(point.boxes),
            quantity(point.last.middle, "ns"),
            f"{quantity(point.last.low95, 'ns')} … {quantity(point.last.high95, 'ns')}",
            quantity(point.median.middle, "ns"),
            _seen(measured[point.target].get(point.boxes, ())),
            "yes" if point.beyond else "no",
        )
        for point in curve.points
    ]
    head = ("target", "boxes", "last, simulated", "95 %", "half, simulated", "last, measured", "beyond the data")
    return (head, *rows)


def _seen(lasts: Sequence[float]) -> str:
    return f"{quantity(median(lasts), 'ns')} ({len(lasts)})" if lasts else ""
