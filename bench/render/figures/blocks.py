"""Every boot in the order in which it ran: shows drift, outliers and failures without any statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis, Sample
from bench.plan.trials import Cell
from bench.render.figures.axes import time_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.direct import Series, is_direct, margin_in, name_ends
from bench.render.figures.labels import accelerators, legend_columns, legend_under, names, subtitle, variant
from bench.render.figures.shown import shown
from bench.render.figures.thin import list_note, spaced, thin_note, thinned
from bench.render.palette import GRID, MUTED, PAPER, marker, target_colour
from bench.render.text import cell_label, clean, describe_endpoint, is_emulated, quantity
from bench.scenario.target_table import Marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOW: Final = (
    "Each point is one boot, each column a block; shaded blocks are warm-ups, which results leave out. A slope that "
    "all boxes share comes from the host. A cross at the top edge is a boot that timed out or failed; a ring marks a "
    "doubt."
)


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when no boot has reached the headline."""
    metric = headline(analysis.scenario(scenario))
    series = [(cell, analysis.of(cell, metric, warmups=True)) for cell in shown(analysis, scenario)]
    series = [(cell, samples) for cell, samples in series if samples]
    finite = [sample.value for _, samples in series for sample in samples if math.isfinite(sample.value)]
    if not finite:
        return None
    word = describe_endpoint(metric)
    topic, title = f"{scenario}: every boot in its block", _sentence(analysis, scenario)
    cells, counts = [cell for cell, _ in series], [len(samples) for _, samples in series]
    labels, direct = names(cells), is_direct(len(cells))
    columns = legend_columns(labels)
    legend = 0.0 if direct else 0.24 * math.ceil(len(cells) / columns)
    figure = canvas(3.3 + legend, title, subtitle(topic, f"time until {word}", accelerators(cells)))
    axes = add_axes(figure, left_in=0.72, bottom_in=0.58 + legend, right_in=margin_in(labels) if direct else 0.18)
    time_axis(axes, finite, which="y", pad=1.5)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    _blocks(axes, [sample for _, samples in series for sample in samples])
    for (cell, samples), label in zip(series, labels, strict=True):
        _points(axes, cell, thinned(samples), _shape(cells, cell), label)
    if direct:
        name_ends(axes, [_end(axes, *one, label) for one, label in zip(series, labels, strict=True)])
    else:
        legend_under(axes, columns, gap_in=0.42)
    return Drawing(
        name=f"{scenario}-blocks",
        scenario=scenario,
        title=title,
        alt=_alt(analysis, scenario),
        how=_HOW + thin_note(counts, "boots") + list_note(counts, "boots"),
        canvas=figure,
        table=_table(series),
        kind="samples",
        topic=topic,
        notes=_alt(analysis, scenario),
        data=_data(series),
    )


def _sentence(analysis: Analysis, scenario: str) -> str:
    """How the native control moved, with the interval."""
    drift = next(drift for drift in analysis.drifts if drift.scenario == scenario)
    if drift.trend is None:
        return "Every boot, in the order in which it ran"
    low, high, blocks = drift.trend.interval.low, drift.trend.interval.high, drift.trend.n
    around = f"({low:+.1%} to {high:+.1%} over {blocks} blocks)"
    if low <= 0 <= high:
        return f"No drift of the native control, {clean(drift.box)}, can be told {around}"
    return f"The native control, {clean(drift.box)}, moved by {drift.trend.change:+.1%} {around}"


def _data(series: Sequence[tuple[Cell, Sequence[Sample]]]) -> FigureData:
    rows = [
        (cell_label(cell), sample.block, sample.value, "warm-up" if sample.warmup else "")
        for cell, samples in series
        for sample in samples
    ]
    columns = Column("box", ""), Column("block", "count"), Column("value", "ns"), Column("warmup", "")
    return FigureData(columns, tuple(rows))


def _blocks(axes: Axes, samples: Sequence[Sample]) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    warm = sorted({sample.block for sample in samples if sample.warmup})
    first, last = (pick(sample.block for sample in samples) for pick in (min, max))
    axes.set_xlim(first - 0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))
    axes.set_xlabel("block", size=9)
    axes.tick_params(axis="x", labelsize=9)
    # Each sitting begins with some.
    for block in warm:
        axes.axvspan(block - 0.5, block + 0.5, color=GRID, alpha=0.55, linewidth=0)


def _shape(cells: Sequence[Cell], cell: Cell) -> Marker:
    """The target's marker for the first box of its colour, other shapes for the next ones."""
    return (marker(cell.target), "o", "s", "^", "v")[variant(cells, cell) % 5]


def _end(axes: Axes, cell: Cell, samples: Sequence[Sample], label: str) -> Series:
    """A box with the place of its last boot that was ready; at the top when there is none."""
    good = [(float(sample.block), sample.value) for sample in samples if not sample.censored]
    return Series(good[-1:] or [(axes.get_xlim()[1], axes.get_ylim()[1])], label, target_colour(cell.target))


def _points(axes: Axes, cell: Cell, samples: Sequence[Sample], shape: Marker, label: str) -> None:
    colour = target_colour(cell.target)
    fill = PAPER if is_emulated(cell) else colour
    good = [sample for sample in samples if not sample.censored]
    blocks, values = [sample.block for sample in good], [sample.value for sample in good]
    # The line only leads the eye along one box.
    axes.plot(blocks, values, color=colour, linewidth=0.9, alpha=0.45)
    axes.plot(blocks, values, linestyle="none", marker=shape, ms=6.5, mfc=fill, mec=colour, mew=1.5, label=label)
    top = axes.get_ylim()[1]
    lost = [sample.block for sample in samples if sample.censored]
    axes.plot(lost, [top] * len(lost), linestyle="none", marker="x", ms=8, mec=colour, mew=2, clip_on=False)
    doubted = [sample for sample in good if sample.doubts]
    x, y = [sample.block for sample in doubted], [sample.value for sample in doubted]
    axes.plot(x, y, linestyle="none", marker="o", ms=12, mfc="none", mec=MUTED, mew=1.2)


def _alt(analysis: Analysis, scenario: str) -> str:
    drift = next(drift for drift in analysis.drifts if drift.scenario == scenario)
    if drift.trend is None:
        return f"Every boot by block. {drift.note}."
    low, high = drift.trend.interval.low, drift.trend.interval.high
    if low <= 0 <= high:
        blocks = drift.trend.n
        return f"Every boot by block. No drift of the native control ({drift.box}) can be told from {blocks} blocks."
    return (
        f"Every boot by block. The native control ({drift.box}) moved by {drift.trend.change:+.1%} from the first "
        f"block to the last, 95 % interval {low:+.1%} to {high:+.1%}."
    )


def _table(series: Sequence[tuple[Cell, Sequence[Sample]]]) -> tuple[tuple[str, ...], ...]:
    blocks = sorted({(sample.block, sample.warmup) for _, samples in series for sample in samples})
    columns = [{sample.block: sample.value for sample in samples} for _, samples in series]
    rows = []
    for block, warmup in spaced(blocks):
        values = (column.get(block) for column in columns)
        cells = ("never" if value == math.inf else quantity(value, "ns") for value in values)
        rows.append((f"{block}{' (warm-up)' if warmup else ''}", *cells))
    return (("block", *(cell_label(cell) for cell, _ in series)), *rows)
