"""Memory and CPU of ready boxes over time, one line per boot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.metrics import Metric
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.records.record import Samples
from bench.render.figures.axes import tick
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.direct import Series, is_direct, margin_in, name_ends
from bench.render.figures.ecdf import line_of
from bench.render.figures.labels import accelerators, legend_columns, legend_in, legend_under, names, subtitle
from bench.render.figures.numbers import dots
from bench.render.figures.sentences import alike_ends, notes_of, said
from bench.render.figures.shown import shown
from bench.render.figures.style import foot_in, style_in_use
from bench.render.palette import MUTED, target_colour
from bench.render.text import cell_label, median_text, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_LEAST_SAMPLES: Final = 10
"""A line over fewer samples shows no more than a number."""
_MOST_LINES: Final = 60
"""More lines of one box hide each other, and take long to draw."""
_WINDOW: Final = 5
"""The number of samples between the two ends of a CPU share. Neighbours are too close to the kernel's clock steps."""
_HOW: Final = (
    "Each line is one boot, from ready until the box was asked to stop. Memory is that of a container's control group, "
    "page cache included, or the resident memory of a VMM. CPU is that of the same, as a share of one CPU. Of "
    f"many boots of a box at most {_MOST_LINES} are drawn, evenly spread over the campaign. Boxes with an emulated CPU "
    "are dashed, and so are further boxes of one colour."
)
_PEAK: Final = Metric("memory.samples.peak_bytes")


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when no box was sampled long enough."""
    sampled = {cell.key: _sampled(analysis, cell) for cell in shown(analysis, scenario)}
    cells = [cell for cell in shown(analysis, scenario) if sampled[cell.key]]
    if not cells:
        return None
    topic = f"{scenario}: memory and CPU of a box that is ready"
    title = _sentence(analysis, cells)
    labels, direct = names(cells), is_direct(len(cells))
    columns = legend_columns(labels)
    legend = 0.0 if direct else legend_in(-(-len(cells) // columns), 0.24)
    figure = canvas(4.3 + legend, title, subtitle(topic, accelerators(cells)))
    memory, share = _beside(figure, labels) if direct else _below(figure, legend)
    for cell, label in zip(cells, labels, strict=True):
        look = {"color": target_colour(cell.target), "linestyle": line_of(cells, cell)}
        _lines(memory, share, sampled[cell.key], label, look)
    every = [samples for found in sampled.values() for samples in found]
    end_s = max(samples.at_ns[-1] for samples in every) / 1e9
    _frame(memory, end_s)
    _frame(share, end_s)
    _ticks(memory, share, max(max(samples.memory_bytes) for samples in every))
    share.set_xlabel("since ready", size=9)
    if direct:
        memory.set_xlabel("since ready", size=9)
        name_ends(memory, [_end(sampled[cell.key], cell, label) for cell, label in zip(cells, labels, strict=True)])
    else:
        memory.tick_params(axis="x", labelbottom=False)
        legend_under(share, columns, gap_in=0.42, named=memory)
    peaks = [(cell_label(cell), median_text(analysis.summary(cell, _PEAK))) for cell in cells]
    alt = f"Largest memory after ready: {'; '.join(f'{label} {peak}' for label, peak in peaks)}."
    table = (("box", "largest memory after ready, median"), *peaks)
    return Drawing(
        name=f"{scenario}-samples",
        scenario=scenario,
        title=title,
        alt=alt,
        how=_HOW,
        canvas=figure,
        table=table,
        kind="dots",
        topic=topic,
        notes=notes_of(analysis, cells, _PEAK),
        data=dots(analysis, cells, _PEAK),
    )


def _below(figure: Canvas, legend: float) -> tuple[Axes, Axes]:
    """Two panels below each other, which share what the heading, the legend and two titles leave."""
    panel = (figure.get_figheight() - 1.83 - legend - foot_in()) / 2
    memory = add_axes(figure, left_in=0.82, bottom_in=0.93 + panel + legend, top_in=0.9)
    return memory, add_axes(figure, left_in=0.82, bottom_in=0.58 + legend, top_in=1.25 + panel)


def _beside(figure: Canvas, labels: Sequence[str]) -> tuple[Axes, Axes]:
    """Two panels beside each other, that of memory at the right, where its lines have their names."""
    right, left, between = margin_in(labels), 0.62, 0.95
    panel = (style_in_use().width_in - left - between - right) / 2
    share = add_axes(figure, left_in=left, bottom_in=0.62, top_in=0.9, right_in=between + panel + right)
    return add_axes(figure, left_in=left + panel + between, bottom_in=0.62, top_in=0.9, right_in=right), share


def _end(sampled: Sequence[Samples], cell: Cell, label: str) -> Series:
    """A box with the end of the line of its longest boot."""
    longest = max(sampled, key=lambda samples: samples.at_ns[-1])
    return Series([(longest.at_ns[-1] / 1e9, longest.memory_bytes[-1])], label, target_colour(cell.target))


def _sentence(analysis: Analysis, cells: list[Cell]) -> str:
    """What the first and the last box hold at most."""
    peaks = [
        f"{said(cell)} {quantity(one.median.value, 'bytes')}"
        for cell in alike_ends(cells)
        if (one := analysis.summary(cell, _PEAK)) is not None
    ]
    return (
        f"While ready, boxes hold at most: {', '.join(peaks)} (medians)" if peaks else "Memory and CPU of ready boxes"
    )


def _sampled(analysis: Analysis, cell: Cell) -> list[Samples]:
    found = [samples for samples in analysis.sampled.get(cell.key, ()) if len(samples.at_ns) >= _LEAST_SAMPLES]
    return found[:: -(-len(found) // _MOST_LINES)] if found else []


def shares(samples: Samples, window: int = _WINDOW) -> list[tuple[float, float]]:
    """Instants in s, and the share of one CPU over the ``window`` samples before each."""
    points = list(zip(samples.at_ns, samples.cpu_ns, strict=True))[::window]
    return [(end / 1e9, (used - before) / (end - begin)) for (begin, before), (end, used) in pairwise(points)]


def _lines(memory: Axes, share: Axes, sampled: Sequence[Samples], label: str, look: Mapping[str, Any]) -> None:
    """The boots of one box, as one artist: to draw as many lines one by one takes several times as long."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    held = [list(zip((at / 1e9 for at in one.at_ns), one.memory_bytes, strict=True)) for one in sampled]
    used = [[(at, 100 * part) for at, part in shares(one)] for one in sampled]
    style: dict[str, Any] = {"linewidth": 1.3, "alpha": 0.75, **look}
    for axes, lines, name in ((memory, held, label), (share, used, "_")):
        axes.add_collection(LineCollection(lines, label=name, capstyle="projecting", joinstyle="round", **style))
        axes.autoscale_view()


def _frame(axes: Axes, end_s: float) -> None:
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1.02 * end_s)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    axes.tick_params(axis="both", labelsize=9)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")


def _ticks(memory: Axes, share: Axes, most: int) -> None:
    from matplotlib.ticker import MultipleLocator  # noqa: PLC0415

    # A power of two, so that ticks read 64 MiB and not 61.0.
    memory.yaxis.set_major_locator(MultipleLocator(2 ** max(0, math.floor(math.log2(most / 2.5)))))
    memory.yaxis.set_major_formatter(lambda value, _: tick(value, "bytes"))
    memory.set_title("memory", size=9, loc="left")
    share.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    share.set_title("CPU, share of one", size=9, loc="left")
