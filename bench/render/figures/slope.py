"""The cost of one more box: memory over the number of boxes, each block's points and the line through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from bench.analysis.residents import MarginalCost, marginal_costs
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.axes import LOG_FROM, tick
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import FigureData
from bench.render.figures.direct import Series, is_direct, margin_in, name_ends
from bench.render.figures.labels import accelerators, legend_in, legend_under, subtitle, variant
from bench.render.figures.numbers import lines
from bench.render.figures.sentences import ends_of, said
from bench.render.figures.shown import shown
from bench.render.figures.thin import list_note, spaced, thin_note
from bench.render.palette import MUTED, PAPER, marker, target_colour
from bench.render.text import block_text, cell_label, format_estimate, is_emulated, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOW: Final = (
    "Each point is one trial: the memory that the host uses more with this many boxes than with none and cannot take "
    "back, without the fixed memory of daemons. The line has the median slope of the blocks; its slope is the cost of "
    "one more box."
)
# Lines of one colour differ in their dashes.
_DASHES: Final = ("-", "--", ":", "-.")


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the scenario was not measured with two numbers of residents."""
    kept = shown(analysis, scenario)
    found = [one for one in marginal_costs(analysis, scenario) if any(_is_of(cell, one) for cell in kept)]
    if not found:
        return None
    cells = [one.cell for one in found]
    topic, title = f"{scenario}: what one more box takes", _sentence(found)
    counts = [len(one.blocks) for one in found]
    labels, direct = [_label(one) for one in found], is_direct(len(found))
    legend = 0.0 if direct else legend_in(len(found), 0.24)
    figure = canvas(3.3 + legend, title, subtitle(topic, "memory of all boxes, not reclaimable", accelerators(cells)))
    axes = add_axes(figure, left_in=0.86, bottom_in=0.62 + legend, right_in=margin_in(labels) if direct else 0.3)
    for one in found:
        _series(axes, one, variant(cells, one.cell))
    _frame(axes, found)
    if direct:
        name_ends(axes, [_end(one, label) for one, label in zip(found, labels, strict=True)])
    else:
        legend_under(axes, 1, gap_in=0.44)
    return Drawing(
        name=f"{scenario}-slope",
        scenario=scenario,
        title=title,
        alt=_alt(found),
        how=_HOW + thin_note(counts, "blocks") + list_note(counts, "blocks"),
        canvas=figure,
        table=_table(found),
        kind="slope",
        topic=topic,
        notes=" ".join(f"{said(one.cell)}: {format_estimate(one.unreclaimable, 'bytes')} a box." for one in found),
        data=_data(found),
    )


def _is_of(cell: Cell, one: MarginalCost) -> bool:
    """Whether a line, which joins all numbers of boxes, has this cell's target and its levels of all other factors."""
    same = (cell.target, cell.accel) == (one.cell.target, one.cell.accel)
    return same and one.cell.factors.items() <= cell.factors.items()


def _sentence(found: Sequence[MarginalCost]) -> str:
    """What one more box of the first and of the last kind takes."""
    ends = ends_of(found)
    parts = [f"{said(one.cell)} {quantity(one.unreclaimable.value, 'bytes')}" for one in ends]
    return f"One more box takes: {', '.join(parts)}"


def _data(found: Sequence[MarginalCost]) -> FigureData:
    """The median over blocks at each number of boxes, with the least and the largest."""
    rows = []
    for one in found:
        for level in one.levels:
            sizes = [points[level] for points in one.blocks.values() if level in points]
            if sizes:
                rows.append((cell_label(one.cell), float(level), median(sizes), min(sizes), max(sizes)))
    return lines(rows, "count", "bytes")


def _series(axes: Axes, one: MarginalCost, number: int) -> None:
    colour = target_colour(one.cell.target)
    fill = PAPER if is_emulated(one.cell) else colour
    points = [(level, size) for _, points in spaced(list(one.blocks.items())) for level, size in points.items()]
    x, y = zip(*points, strict=True)
    # Drawn in narrow steps, since a straight line is a curve on a logarithmic axis.
    first, last = one.levels[0], one.levels[-1]
    steps = [first + (last - first) * step / 64 for step in range(65)]
    line = [(step, one.intercept.value + one.unreclaimable.value * step) for step in steps]
    drawn = [(step, size) for step, size in line if size > 0] or line
    axes.plot(*zip(*drawn, strict=True), color=colour, linewidth=1.4, linestyle=_DASHES[number % 4])
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=marker(one.cell.target),
        ms=6.0,
        mfc=fill,
        mec=colour,
        mew=1.3,
        label=_label(one),
    )


def _label(one: MarginalCost) -> str:
    return f"{cell_label(one.cell)}: {format_estimate(one.unreclaimable, 'bytes')} a box"


def _end(one: MarginalCost, label: str) -> Series:
    """A line with its end, for its name."""
    last = one.levels[-1]
    return Series([(last, one.intercept.value + one.unreclaimable.value * last)], label, target_colour(one.cell.target))


def _frame(axes: Axes, found: Sequence[MarginalCost]) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, MultipleLocator  # noqa: PLC0415

    levels = sorted({level for one in found for level in one.levels})
    sizes = [size for one in found for points in one.blocks.values() for size in points.values()]
    low, high = min(sizes), max(sizes)
    tops = [max(size for points in one.blocks.values() for size in points.values()) for one in found]
    if low > 0 and max(tops) >= LOG_FROM * min(tops):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        axes.set_ylim(low / 1.6, high * 1.6)
        decades = math.log2(high / low)
        axes.yaxis.set_major_locator(LogLocator(base=2 ** max(1, round(decades / 5))))
        axes.set_xlim(levels[0] / 1.15, levels[-1] * 1.15)
    else:
        axes.set_ylim(min(0.0, low * 1.1), high * 1.08)
        axes.yaxis.set_major_locator(MultipleLocator(2 ** max(0, math.floor(math.log2(max(high, 1) / 2.5)))))
        axes.set_xlim(0, levels[-1] * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(levels))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: tick(value, "bytes"))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.yaxis.set_minor_locator(FixedLocator([]))
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.set_xlabel("boxes at once", size=9)
    axes.tick_params(axis="both", labelsize=9)
    axes.tick_params(axis="y", labelcolor=MUTED)


def _alt(found: Sequence[MarginalCost]) -> str:
    lines = [
        f"{cell_label(one.cell)} {format_estimate(one.unreclaimable, 'bytes')} per further box, "
        f"{one.levels[0]} to {one.levels[-1]} boxes"
        for one in found
    ]
    return f"Memory, not reclaimable, of each further box: {'; '.join(lines)}."


def _table(found: Sequence[MarginalCost]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (cell_label(one.cell), block_text(block), str(level), quantity(size, "bytes"))
        for one in found
        for block, points in spaced(list(one.blocks.items()))
        for level, size in sorted(points.items())
    ]
    return (("box", "block", "boxes", "not reclaimable"), *rows)
