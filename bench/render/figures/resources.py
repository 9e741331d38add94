"""Memory, CPU time and disk of a box, stacked by component in the box's colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.analysis.components import CPU_USED, DISK_USED, MEMORY_USED, Resource, components_of
from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.base import WIDTH_IN, Drawing, add_axes, canvas, tick
from bench.render.figures.labels import accelerators, label_width_in, row_labels
from bench.render.palette import INK, MUTED, PAPER, target_colour
from bench.render.text import FACTORS, cell_label, median_text, quantity, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Parts = Mapping[str, float]
_ROW_IN: Final = 0.56
_FADE: Final = (1.0, 0.66, 0.44, 0.28, 0.18)


_PARTS_SIZE: Final = 8.2
_FITS: Final = 120
"""How many characters of size 1 fit into an inch."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure of one resource.

    Attributes:
        title: follows the scenario's name.
        how: how to read the figure.
        mark: what the diamond beside a bar means; empty without one.
        marked: the diamond's value in the resource's unit; None for a cell that has none.
    """

    resource: Resource
    title: str
    how: str
    mark: str
    marked: Callable[[Analysis, Cell], float | None]


def _guest_used(analysis: Analysis, cell: Cell) -> float | None:
    total = analysis.summary(cell, "memory.guest.total_bytes")
    free = analysis.summary(cell, "memory.guest.available_bytes")
    return total.median.value - free.median.value if total and free else None


def _wall(analysis: Analysis, cell: Cell) -> float | None:
    summary = analysis.summary(cell, headline(analysis.scenario(cell.scenario)))
    return summary.median.value if summary and summary.median.value != float("inf") else None


def _nothing(_analysis: Analysis, _cell: Cell) -> None:
    return None


CHARTS: Final = (
    Chart(
        resource=MEMORY_USED,
        title="memory one box takes from the host",
        how="The bar is the proportional set size (PSS) of every host process that exists for the box, once it has "
        "settled. The diamond, ◇, is another quantity: the memory in use as the guest sees it.",
        mark="in use as the guest sees it",
        marked=_guest_used,
    ),
    Chart(
        resource=CPU_USED,
        title="CPU time one start takes from the host",
        how="The bar is the CPU time of the box and of every process that works for it, from the request to the end of "
        "the start. The diamond, ◇, is another quantity: the time that passed on the clock.",
        mark="time that passed",
        marked=_wall,
    ),
    Chart(
        resource=DISK_USED,
        title="disk one box takes beyond the image",
        how="The bar is the disk blocks that belong to the box alone: its writable layer or overlay. The subtitle "
        "gives the size of the image, which all boxes share.",
        mark="",
        marked=_nothing,
    ),
)


def draw(analysis: Analysis, scenario: str, *, chart: Chart) -> Drawing | None:
    """The figure of one resource, or None when no cell has any of it."""
    stacks = {cell.key: components_of(analysis, cell, chart.resource) for cell in analysis.cells(scenario)}
    cells = [cell for cell in analysis.cells(scenario) if stacks[cell.key]]
    if not any(sum(stacks[cell.key].values()) for cell in cells):
        return None
    title = f"{scenario}: {chart.title}"
    subtitle = _image(analysis, scenario) if chart.resource is DISK_USED else f"median · {accelerators(cells)}"
    marks = {cell.key: mark for cell in cells if (mark := chart.marked(analysis, cell)) is not None}
    foot = 0.30 if marks else 0.0
    figure = canvas(1.22 + _ROW_IN * len(cells) + foot, title, subtitle)
    axes = add_axes(figure, left_in=label_width_in(cells), bottom_in=0.42 + foot, right_in=1.65 if marks else 0.85)
    for row, cell in enumerate(cells):
        _stack(axes, row, stacks[cell.key], target_colour(cell.target))
        _label(axes, row, stacks[cell.key], _bar_label(analysis, cell, chart), WIDTH_IN - label_width_in(cells))
    _marks(axes, [marks.get(cell.key) for cell in cells], chart)
    _frame(axes, cells, [*(sum(stacks[cell.key].values()) for cell in cells), *marks.values()], chart)
    alt = _alt(analysis, cells, chart)
    name = f"{scenario}-{chart.resource.name}"
    return Drawing(
        name=name,
        scenario=scenario,
        title=title,
        alt=alt,
        how=chart.how,
        canvas=figure,
        table=_table(analysis, cells, chart),
    )


@dataclass(frozen=True)
class BarLabel:
    """The text at the end of a bar: the median of the total, which may differ from the sum of the parts' medians."""

    total: float
    unit: str
    mark: float
    """The diamond's value; 0 without one."""


def _bar_label(analysis: Analysis, cell: Cell, chart: Chart) -> BarLabel:
    summary = analysis.summary(cell, chart.resource.total)
    total = summary.median.value if summary else sum(components_of(analysis, cell, chart.resource).values())
    return BarLabel(total, chart.resource.unit, chart.marked(analysis, cell) or 0.0)


def _stack(axes: Axes, row: int, parts: Parts, colour: str) -> None:
    left = 0.0
    for number, value in enumerate(parts.values()):
        fade = _FADE[min(number, len(_FADE) - 1)]
        axes.barh(row, value, left=left, height=0.42, color=colour, alpha=fade, edgecolor=PAPER, linewidth=0.8)
        left += value


def _label(axes: Axes, row: int, parts: Parts, text: BarLabel, room_in: float) -> None:
    end = max(sum(parts.values()), text.mark)
    axes.annotate(
        quantity(text.total, text.unit) + (f"   ◇ {quantity(text.mark, text.unit)}" if text.mark else ""),
        (end, row),
        textcoords="offset points",
        xytext=(7, 0),
        va="center",
        size=9.5,
        weight="bold",
    )
    if len(parts) > 1:
        # Under the bar and not in a legend: the components differ from box to box.
        axes.annotate(
            _named(parts, text),
            (0, row),
            textcoords="offset points",
            xytext=(1, -15),
            va="center",
            size=min(_PARTS_SIZE, room_in * _FITS / len(_named(parts, text))),
            color=MUTED,
        )


def _named(parts: Parts, text: BarLabel) -> str:
    """``box 43.0 · shim 24.0 · dockerd 27.0 ms``: one unit for all, that of their total."""
    unit = quantity(text.total, text.unit).rpartition(" ")[2]
    numbers = [f"{name.rpartition('.')[2]} {significant(value / FACTORS[unit])}" for name, value in parts.items()]
    return f"{' · '.join(numbers)} {unit}"


def _marks(axes: Axes, marks: Sequence[float | None], chart: Chart) -> None:
    points = [(value, row) for row, value in enumerate(marks) if value is not None]
    if not points:
        return
    x, y = zip(*points, strict=True)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker="D",
        markersize=5.5,
        markerfacecolor=PAPER,
        markeredgecolor=INK,
        markeredgewidth=1.2,
        label=chart.mark,
        clip_on=False,
    )
    axes.figure.legend(loc="lower left", bbox_to_anchor=(0.0, 0.0), fontsize=8.5, handletextpad=0.2)


def _frame(axes: Axes, cells: Sequence[Cell], values: Sequence[float], chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator, MultipleLocator  # noqa: PLC0415

    row_labels(axes, cells)
    axes.set_ylim(len(cells) - 0.42, -0.42)
    most = max(values)
    # The axis begins a little left of 0, so that a mark at 0 does not touch the names.
    axes.set_xlim(-0.018 * most, most * 1.03)
    if chart.resource.unit == "bytes":
        # A power of two, so that ticks read 64 MiB and not 61.0.
        axes.xaxis.set_major_locator(MultipleLocator(2 ** max(0, math.floor(math.log2(most / 2.5)))))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, chart.resource.unit))
    axes.tick_params(axis="x", labelsize=9)


def _alt(analysis: Analysis, cells: Sequence[Cell], chart: Chart) -> str:
    parts = [f"{cell_label(cell)} {median_text(analysis.summary(cell, chart.resource.total))}" for cell in cells]
    return f"{chart.title[0].upper()}{chart.title[1:]}: {'; '.join(parts)}."


def _image(analysis: Analysis, scenario: str) -> str:
    image = analysis.manifest.images.get(scenario)
    sizes = image.sizes_bytes if image else {}
    forms = {"layers": "as layers", "unpacked": "unpacked", "disk_allocated": "as a disk"}
    parts = [f"{quantity(sizes[key], 'bytes')} {form}" for key, form in forms.items() if key in sizes]
    return f"image, once for all: {', '.join(parts)}" if parts else "the size of the image was not measured"


def _table(analysis: Analysis, cells: Sequence[Cell], chart: Chart) -> tuple[tuple[str, ...], ...]:
    rows = [
        (cell_label(summary.cell), summary.metric, str(summary.n), median_text(summary))
        for cell in cells
        for summary in analysis.summaries_of(cell)
        if summary.metric.kind == chart.resource.name
    ]
    return (("box", "metric", "boots", "median"), *rows)
