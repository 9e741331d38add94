"""The capacity curve: simulated time until the last box of a storm is up, over its size, with measured storms on it.

The strip names the bottleneck at each size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.stats import median
from bench.render.answer_tables import LIMIT_LABELS, band_text
from bench.render.figures import fan
from bench.render.figures.base import Drawing, add_axes, canvas
from bench.render.figures.labels import target_rows, target_width_in
from bench.render.figures.series import BELOW_IN, legend_below, legend_in, line_style
from bench.render.figures.simulated import HATCH, limit_colour
from bench.render.figures.ticks import set_ticks, some_ticks
from bench.render.palette import MUTED, PAPER
from bench.render.text import clean, quantity
from bench.sim.host.curve import Curve, CurvePoint, MeasuredStorm
from bench.util.units import grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

_HOW: Final = (
    "Lines are simulated: the middle of the time until the last box is up; the strong band holds 80 %, the faint one "
    "95 %. Large marks are medians of storms that were measured, small ones single storms; hollow marks have an "
    "emulated CPU. Marks are shown where the measured host had as many CPUs. Where the ground is hatched, no storm of "
    "that size was measured, or not on so many CPUs."
)
_HOW_STRIP: Final = (
    "Each row is a target, each block a size of storm. Its colour names what decides when the last box is up: the "
    "start of one box, the CPU time of all, or the lock that they hold one after another. Hatched blocks lie beyond "
    "the data."
)
_ROW_IN: Final = 0.42

Measured = Mapping[str, Mapping[int, Sequence[float]]]
"""Last boxes of the measured storms, ns, by target and by number of boxes, ascending."""


def draw(curve: Curve) -> Drawing:
    """The figure. The curve has at least one point."""
    measured = {target: _measured(curve, target) for target in curve.targets}
    lines = tuple(_line(curve.of(target)) for target in curve.targets)
    drawn = fan.Fan(
        name="simulated-capacity",
        title="Simulated storms: time until the last box is up",
        subtitle=_subtitle(curve, measured),
        x_label="boxes requested in the simulated storm",
        x_text=lambda size: grouped(round(size)),
        y_unit="ns",
        lines=lines,
        beyond=min((float(point.boxes) for point in curve.points if point.beyond), default=float("inf")),
        also=tuple(last for storms in measured.values() for lasts in storms.values() for last in lasts),
        also_x=tuple(float(size) for storms in measured.values() for size in storms),
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
        table=_table(curve, measured),
    )


def _subtitle(curve: Curve, measured: Measured) -> str:
    on = f"simulated for {curve.cpus} {'CPU' if curve.cpus == 1 else 'CPUs'}, bands of 80 and 95 %"
    return f"{on}; marks are measured storms" if any(measured.values()) else on


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
    style = line_style([target], target) | {"linestyle": "none"}
    for boxes, lasts in storms.items():
        axes.plot([boxes] * len(lasts), lasts, ms=3, mew=0, alpha=0.3, **style | {"marker": "o", "mfc": style["mec"]})
        axes.plot([boxes], [median(lasts)], ms=7, mew=1.4, **style)


def draw_strip(curve: Curve) -> Drawing:
    """The strip: what limits each size of storm."""
    targets = curve.targets
    sizes = sorted({point.boxes for point in curve.points})
    used = list(dict.fromkeys(point.bottleneck for point in curve.points))
    title = "Simulated storms: what limits them"
    handles = _limit_patches(used, beyond=any(point.beyond for point in curve.points))
    names = [str(handle.get_label()) for handle in handles]
    below = BELOW_IN + legend_in(names)
    subtitle = f"simulated for {curve.cpus} {'CPU' if curve.cpus == 1 else 'CPUs'}, by the number of boxes requested"
    figure = canvas(0.66 + below + _ROW_IN * len(targets), title, subtitle)
    axes = add_axes(figure, left_in=target_width_in(targets), bottom_in=below, top_in=0.66)
    for row, target in enumerate(targets):
        for point in curve.of(target):
            _block(axes, sizes.index(point.boxes), row, point)
    axes.set_xlim(-0.6, len(sizes) - 0.4)
    set_ticks(axes, some_ticks(axes, range(len(sizes)), [grouped(size) for size in sizes]), which="x")
    target_rows(axes, targets)
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
        table=_strip_table(curve, sizes),
    )


def _block(axes: Axes, column: int, row: int, point: CurvePoint) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    hatch = HATCH if point.beyond else None
    colour = limit_colour(point.bottleneck)
    corner = (column - 0.48, row - 0.36)
    axes.add_patch(Rectangle(corner, 0.96, 0.72, facecolor=colour, edgecolor=PAPER, hatch=hatch, linewidth=0))


def _limit_patches(used: Sequence[str], *, beyond: bool) -> list[Patch]:
    from matplotlib.patches import Patch  # noqa: PLC0415

    found = [Patch(facecolor=limit_colour(name), label=LIMIT_LABELS[name]) for name in used]
    hatched = Patch(facecolor=PAPER, edgecolor=MUTED, hatch=HATCH, linewidth=0, label="beyond the data")
    return [*found, hatched] if beyond else found


def _strip_alt(curve: Curve) -> str:
    parts = []
    for target in curve.targets:
        names = [f"{point.boxes}: {LIMIT_LABELS[point.bottleneck]}" for point in curve.of(target)]
        parts.append(f"{clean(target)} {', '.join(names)}")
    return f"Simulated bottleneck by number of boxes. {'; '.join(parts)}."


def _strip_table(curve: Curve, sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    rows = []
    for target in curve.targets:
        found = {point.boxes: LIMIT_LABELS[point.bottleneck] for point in curve.of(target)}
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
