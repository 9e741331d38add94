"""Every boot in the order in which it ran: shows drift, outliers and failures without any statistics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.analysis.metrics import headline
from bench.analysis.results import Analysis, Sample
from bench.plan.trials import Cell
from bench.render.figures.axes import time_axis
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.data import Column, FigureData
from bench.render.figures.direct import Series, is_direct, margin_in, name_ends
from bench.render.figures.labels import accelerators, legend_columns, legend_in, legend_under, names, subtitle, variant
from bench.render.figures.shown import shown
from bench.render.figures.thin import list_note, spaced, thin_note, thinned
from bench.render.palette import GRID, MUTED, PAPER, marker, target_colour
from bench.render.text import block_text, cell_label, clean, describe_endpoint, is_emulated, quantity
from bench.scenario.target_table import Marker

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HOW: Final = (
    "Each point is one boot, each column a block, in the order in which blocks ran; shaded blocks are warm-ups, which "
    "results leave out. A slope that all boxes share comes from the host. A cross at the top edge is a boot that timed "
    "out or failed; a ring marks a doubt."
)
_SITTINGS: Final = " A dotted line stands where another sitting began."
_MOST_TICKS: Final = 12

_Placed = tuple[int, Sample]
"""A boot with the place of its column."""


class _Column(NamedTuple):
    """A block, or the part of it that ran in one sitting."""

    sitting: int
    block: int
    warmup: bool

    @property
    def label(self) -> str:
        """Of a row of the table: ``5 (warm-up)``, counted from 1."""
        return block_text(self.block, warmup=self.warmup)


@dataclass(frozen=True)
class _Order:
    """The columns in the order in which they ran, and the place of each boot among them, by the id of its trial."""

    columns: tuple[_Column, ...]
    places: Mapping[str, int]

    @property
    def begins(self) -> tuple[int, ...]:
        """The places at which a sitting begins, but the first one."""
        pairs = enumerate(pairwise(self.columns), start=1)
        return tuple(place for place, (before, after) in pairs if after.sitting != before.sitting)

    def sorted(self, samples: Iterable[Sample]) -> list[Sample]:
        """Boots in the order in which their blocks ran."""
        return sorted(samples, key=lambda sample: self.places[sample.trial])

    def placed(self, samples: Iterable[Sample]) -> list[_Placed]:
        """Boots with the places of their columns."""
        return [(self.places[sample.trial], sample) for sample in samples]


def _order(analysis: Analysis, scenario: str) -> _Order:
    """The columns of a scenario. Blocks are numbered as planned: warm-ups after an interruption have high numbers."""
    # Records are written when boots end, so their order is that of the boots.
    found = {
        record.trial.id: _Column(record.sitting, record.trial.block, record.trial.warmup)
        for record in analysis.records
        if record.trial.cell.scenario == scenario
    }
    columns = tuple(sorted(dict.fromkeys(found.values()), key=lambda column: column.sitting))
    place_of = {column: place for place, column in enumerate(columns)}
    return _Order(columns, {trial: place_of[column] for trial, column in found.items()})


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when no boot has reached the headline."""
    metric = headline(analysis.scenario(scenario))
    order = _order(analysis, scenario)
    series = [(cell, order.sorted(analysis.of(cell, metric, warmups=True))) for cell in shown(analysis, scenario)]
    series = [(cell, samples) for cell, samples in series if samples]
    finite = [sample.value for _, samples in series for sample in samples if math.isfinite(sample.value)]
    if not finite:
        return None
    word = describe_endpoint(metric)
    topic, title = f"{scenario}: every boot in its block", _sentence(analysis, scenario)
    cells, counts = [cell for cell, _ in series], [len(samples) for _, samples in series]
    labels, direct = names(cells), is_direct(len(cells))
    columns = legend_columns(labels)
    legend = 0.0 if direct else legend_in(math.ceil(len(cells) / columns), 0.24)
    figure = canvas(3.3 + legend, title, subtitle(topic, f"time until {word}", accelerators(cells)))
    axes = add_axes(figure, left_in=0.72, bottom_in=0.58 + legend, right_in=margin_in(labels) if direct else 0.18)
    time_axis(axes, finite, which="y", pad=1.5)
    axes.tick_params(axis="y", labelcolor=MUTED)
    axes.grid(visible=False, axis="x")
    axes.grid(visible=True, axis="y")
    _blocks(axes, order)
    for (cell, samples), label in zip(series, labels, strict=True):
        _points(axes, cell, order.placed(thinned(samples)), _shape(cells, cell), label)
    if direct:
        named = zip(series, labels, strict=True)
        name_ends(axes, [_end(axes, cell, order.placed(found), label) for (cell, found), label in named])
    else:
        legend_under(axes, columns, gap_in=0.42)
    return Drawing(
        name=f"{scenario}-blocks",
        scenario=scenario,
        title=title,
        alt=_alt(analysis, scenario),
        how=_HOW
        + (_SITTINGS if order.begins else "")
        + thin_note(counts, "boots")
        + list_note([len(order.columns)], "blocks", of=""),
        canvas=figure,
        table=_table(series, order),
        kind="samples",
        topic=topic,
        notes=_alt(analysis, scenario),
        data=_data(series, order),
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


def _data(series: Sequence[tuple[Cell, Sequence[Sample]]], order: _Order) -> FigureData:
    named = [(cell_label(cell), samples) for cell, samples in series]
    rows = [
        (
            label,
            sample.block + 1,
            sample.value,
            "warm-up" if sample.warmup else "",
            place + 1,
            column.sitting + 1,
        )
        for label, samples in named
        for place, sample in order.placed(samples)
        for column in [order.columns[place]]
    ]
    numbers = Column("place", "count"), Column("sitting", "count")
    columns = Column("box", ""), Column("block", "count"), Column("value", "ns"), Column("warmup", "")
    return FigureData((*columns, *numbers), tuple(rows))


def _blocks(axes: Axes, order: _Order) -> None:
    columns = order.columns
    axes.set_xlim(-0.5, len(columns) - 0.5)
    ticks = range(0, len(columns), -(-len(columns) // _MOST_TICKS))
    axes.set_xticks(ticks, [block_text(columns[place].block) for place in ticks])
    axes.set_xlabel("block", size=9)
    axes.tick_params(axis="x", labelsize=9)
    # Each sitting begins with some.
    for place, column in enumerate(columns):
        if column.warmup:
            axes.axvspan(place - 0.5, place + 0.5, color=GRID, alpha=0.55, linewidth=0)
    for place in order.begins:
        axes.axvline(place - 0.5, color=MUTED, linewidth=0.8, linestyle=":")


def _shape(cells: Sequence[Cell], cell: Cell) -> Marker:
    """The target's marker for the first box of its colour, other shapes for the next ones."""
    return (marker(cell.target), "o", "s", "^", "v")[variant(cells, cell) % 5]


def _end(axes: Axes, cell: Cell, placed: Sequence[_Placed], label: str) -> Series:
    """A box with the place of its last boot that was ready; at the top when there is none."""
    good = [(float(place), sample.value) for place, sample in placed if not sample.censored]
    return Series(good[-1:] or [(axes.get_xlim()[1], axes.get_ylim()[1])], label, target_colour(cell.target))


def _points(axes: Axes, cell: Cell, placed: Sequence[_Placed], shape: Marker, label: str) -> None:
    colour = target_colour(cell.target)
    fill = PAPER if is_emulated(cell) else colour
    good = [(place, sample) for place, sample in placed if not sample.censored]
    places, values = [place for place, _ in good], [sample.value for _, sample in good]
    # The line only leads the eye along one box.
    axes.plot(places, values, color=colour, linewidth=0.9, alpha=0.45)
    axes.plot(places, values, linestyle="none", marker=shape, ms=6.5, mfc=fill, mec=colour, mew=1.5, label=label)
    top = axes.get_ylim()[1]
    lost = [place for place, sample in placed if sample.censored]
    axes.plot(lost, [top] * len(lost), linestyle="none", marker="x", ms=8, mec=colour, mew=2, clip_on=False)
    doubted = [(place, sample.value) for place, sample in good if sample.doubts]
    x, y = [place for place, _ in doubted], [value for _, value in doubted]
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


def _table(series: Sequence[tuple[Cell, Sequence[Sample]]], order: _Order) -> tuple[tuple[str, ...], ...]:
    values = [{place: sample.value for place, sample in order.placed(samples)} for _, samples in series]
    rows = []
    for place, column in spaced(tuple(enumerate(order.columns))):
        found = (of.get(place) for of in values)
        rows.append((column.label, *("never" if value == math.inf else quantity(value, "ns") for value in found)))
    return (("block", *(cell_label(cell) for cell, _ in series)), *rows)
