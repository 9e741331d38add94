"""Memory, CPU time and disk of a box, stacked by component in the box's colour."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.components import CPU_USED, DISK_USED, MEMORY_USED, Resource, components_of
from bench.analysis.metrics import headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.axes import tick, ticks_in
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.labels import accelerators, label_width_in, row_labels, subtitle
from bench.render.figures.numbers import stacked
from bench.render.figures.sentences import cost_sentence, notes_of
from bench.render.figures.shown import shown
from bench.render.figures.style import style_in_use
from bench.render.palette import INK, MUTED, PAPER, target_colour
from bench.render.text import FACTORS, cell_label, median_text, quantity, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Parts = Mapping[str, float]
_ROW_IN: Final = 0.56
_FADE: Final = (1.0, 0.66, 0.44, 0.28, 0.18)


_PARTS_SIZE: Final = 8.2
_FITS: Final = 14.5
"""How many characters of that size fit into an inch."""
_HEAD_PT: Final = 5.5
"""Of the middle of a head above the axes."""
_NUMBER_SIZE: Final = 9.5
_TICK_IN: Final = 0.75
"""The width of a tick's label with room beside it."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure of one resource.

    Attributes:
        title: follows the scenario's name.
        thing: what boxes take, in a sentence.
        how: how to read the figure.
        mark: what the diamond on a bar means; empty without one.
        marks_how: how to read the diamonds.
        heads: of the two columns of numbers, where there are diamonds.
        marked: the diamond's value in the resource's unit; None for a cell that has none.
    """

    resource: Resource
    title: str
    thing: str
    how: str
    mark: str
    marks_how: str
    heads: tuple[str, str]
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
        thing="memory",
        how="The bar is the proportional set size (PSS) of every host process that exists for the box, once it has "
        "settled.",
        mark="in use as the guest sees it",
        marks_how="The diamond, ◇, is another quantity: the memory in use as the guest sees it.",
        heads=("PSS", "◇ guest"),
        marked=_guest_used,
    ),
    Chart(
        resource=CPU_USED,
        title="CPU time one start takes from the host",
        thing="CPU time",
        how="The bar is the CPU time of the box and of every process that works for it, from the request to the end of "
        "the start.",
        mark="time that passed",
        marks_how="The diamond, ◇, is another quantity: the time that passed on the clock.",
        heads=("CPU", "◇ clock"),
        marked=_wall,
    ),
    Chart(
        resource=DISK_USED,
        title="disk one box takes beyond the image",
        thing="disk",
        how="The bar is the disk blocks that belong to the box alone: its writable layer or overlay. The subtitle "
        "gives the size of the image, which all boxes share.",
        mark="",
        marks_how="",
        heads=("", ""),
        marked=_nothing,
    ),
)


def draw(analysis: Analysis, scenario: str, *, chart: Chart) -> Drawing | None:
    """The figure of one resource, or None when no cell has any of it."""
    stacks = {cell.key: components_of(analysis, cell, chart.resource) for cell in shown(analysis, scenario)}
    cells = [cell for cell in shown(analysis, scenario) if stacks[cell.key]]
    if not any(sum(stacks[cell.key].values()) for cell in cells):
        return None
    topic = f"{scenario}: {chart.title}"
    title = cost_sentence(analysis, scenario, cells, chart.resource.total, chart.thing)
    image = _image(analysis, scenario) if chart.resource is DISK_USED else ""
    marks = {cell.key: mark for cell in cells if (mark := chart.marked(analysis, cell)) is not None}
    figure = canvas(
        1.22 + _ROW_IN * len(cells) + (0.30 if marks else 0.0),
        title,
        subtitle(topic, image or "median", accelerators(cells)),
    )
    labels = [_bar_label(analysis, cell, chart, in_columns=bool(marks)) for cell in cells]
    _plot(figure, cells, [stacks[cell.key] for cell in cells], labels, chart)
    alt = _alt(analysis, cells, chart)
    name = f"{scenario}-{chart.resource.name}"
    return Drawing(
        name=name,
        scenario=scenario,
        title=title,
        alt=alt,
        how=f"{chart.how} {chart.marks_how}" if marks else chart.how,
        canvas=figure,
        table=_table(analysis, cells, chart),
        kind="stacked",
        topic=topic,
        notes=notes_of(analysis, cells, chart.resource.total),
        data=stacked(_data(cells, stacks), chart.resource.unit),
    )


def _plot(
    figure: Canvas, cells: Sequence[Cell], stacks: Sequence[Parts], labels: Sequence[BarLabel], chart: Chart
) -> None:
    marked = any(label.in_columns for label in labels)
    left, below, right = label_width_in(cells), 0.72 if marked else 0.42, 1.65 if marked else 0.85
    axes = add_axes(
        figure, left_in=left, bottom_in=below, right_in=right * min(1.0, style_in_use().most_pt / _NUMBER_SIZE)
    )
    for row, (cell, parts, label) in enumerate(zip(cells, stacks, labels, strict=True)):
        _stack(axes, row, parts, target_colour(cell.target))
        _label(axes, row, parts, label, style_in_use().width_in - left)
    if marked:
        _in_columns(axes, None, chart.heads, size=8.5)
    _marks(axes, [label.mark or None for label in labels], chart)
    _frame(
        axes, cells, [max(sum(parts.values()), label.mark) for parts, label in zip(stacks, labels, strict=True)], chart
    )


@dataclass(frozen=True)
class BarLabel:
    """The text at the end of a bar: the median of the total, which may differ from the sum of the parts' medians."""

    total: float
    unit: str
    mark: float
    """The diamond's value; 0 without one."""
    in_columns: bool
    """Whether numbers stand right of the axes and not beside their bars."""


def _bar_label(analysis: Analysis, cell: Cell, chart: Chart, *, in_columns: bool) -> BarLabel:
    summary = analysis.summary(cell, chart.resource.total)
    total = summary.median.value if summary else sum(components_of(analysis, cell, chart.resource).values())
    return BarLabel(total, chart.resource.unit, chart.marked(analysis, cell) or 0.0, in_columns)


def _data(cells: Sequence[Cell], stacks: Mapping[str, Parts]) -> Iterator[tuple[str, str, float]]:
    for cell in cells:
        for name, value in stacks[cell.key].items():
            yield cell_label(cell), name, value


def _stack(axes: Axes, row: int, parts: Parts, colour: str) -> None:
    left = 0.0
    for number, value in enumerate(parts.values()):
        fade = _FADE[min(number, len(_FADE) - 1)]
        axes.barh(row, value, left=left, height=0.42, color=colour, alpha=fade, edgecolor=MUTED, linewidth=0.5)
        left += value


def _label(axes: Axes, row: int, parts: Parts, text: BarLabel, room_in: float) -> None:
    if text.in_columns:
        # Beside the bar the two numbers would be read as one.
        mark = quantity(text.mark, text.unit) if text.mark else ""
        _in_columns(axes, row, (quantity(text.total, text.unit), mark))
    else:
        place: dict[str, Any] = {
            "textcoords": "offset points",
            "xytext": (7, 0),
            "va": "center",
            "size": _NUMBER_SIZE,
            "weight": "bold",
        }
        axes.annotate(quantity(text.total, text.unit), (sum(parts.values()), row), **place)
    # Under the bar and not in a legend: the components differ from box to box. A slide has no room for them.
    if len(parts) > 1 and not style_in_use().is_fixed:
        named = _named(parts, text, int(room_in * _FITS))
        below: dict[str, Any] = {"textcoords": "offset points", "xytext": (1, -15), "va": "center", "size": _PARTS_SIZE}
        axes.annotate(named, (0, row), **below, color=MUTED)


def _in_columns(axes: Axes, row: float | None, texts: tuple[str, str], *, size: float = _NUMBER_SIZE) -> None:
    """Two texts right of the axes, each at the right end of its column; without a row right above the axes, as heads.

    High rows must not lift the heads into the title.
    """
    head = row is None
    share = min(1.0, style_in_use().most_pt / _NUMBER_SIZE)
    for text, right_pt, colour in zip(texts, (54, 110), (MUTED if head else INK, MUTED), strict=True):
        axes.annotate(
            text,
            (1.0, 1.0 if row is None else row),
            xycoords=axes.transAxes if head else axes.get_yaxis_transform(),
            xytext=(right_pt * share, _HEAD_PT if head else 0),
            textcoords="offset points",
            ha="right",
            va="center",
            size=size,
            color=colour,
            weight="bold" if colour == INK else "normal",
            annotation_clip=False,
        )


def _named(parts: Parts, text: BarLabel, room: int) -> str:
    """``box 43.0 · shim 24.0 · dockerd 27.0 ms``: one unit for all, that of their total; the largest that fit."""
    unit = quantity(text.total, text.unit).rpartition(" ")[2]
    by_size = sorted(parts, key=lambda name: -parts[name])
    for count in range(len(parts), 0, -1):
        kept = [name for name in parts if name in by_size[:count]]
        numbers = [f"{name.rpartition('.')[2]} {significant(parts[name] / FACTORS[unit])}" for name in kept]
        line = f"{' · '.join(numbers)} {unit}{' · …' if count < len(parts) else ''}"
        if len(line) <= room:
            break
    return line


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
    axes.figure.legend(loc="lower left", bbox_to_anchor=corner(axes.figure), fontsize=8.5, handletextpad=0.2)


def _frame(axes: Axes, cells: Sequence[Cell], values: Sequence[float], chart: Chart) -> None:
    from matplotlib.ticker import MaxNLocator, MultipleLocator  # noqa: PLC0415

    row_labels(axes, cells)
    axes.set_ylim(len(cells) - 0.42, -0.42)
    most = max(values)
    # The axis begins a little left of 0, so that a mark at 0 does not touch the names.
    axes.set_xlim(-0.018 * most, most * 1.03)
    count = ticks_in(axes, 5, each_in=_TICK_IN)
    if chart.resource.unit == "bytes":
        # A power of two, so that ticks read 64 MiB and not 61.0.
        axes.xaxis.set_major_locator(MultipleLocator(2 ** max(0, math.ceil(math.log2(most / count)))))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=count))
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
