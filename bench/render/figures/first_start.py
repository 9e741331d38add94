"""The first start on a fresh host: fetching, unpacking and starting, one bar per box, with the bytes that travel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.analysis.metrics import Metric, headline
from bench.analysis.results import Analysis
from bench.plan.trials import Cell
from bench.render.figures.axes import tick
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.labels import accelerators, holds, label_width_in, row_labels, subtitle
from bench.render.figures.numbers import stacked
from bench.render.figures.sentences import ends_of
from bench.render.figures.shown import shown
from bench.render.figures.style import style_in_use
from bench.render.palette import INK, MUTED, phase_colour, text_colour_on_phase
from bench.render.sections.first_start import first_start_cells, first_start_tables, without_level
from bench.render.text import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

PARTS: Final = (
    ("fetch", "fetched", "fetch"),
    ("unpack", "unpacked", "unpack what is left"),
    ("start", "ready", "start"),
)
"""Each part of the time: its metric, the phase whose colour it has, and its name."""
_HOW: Final = (
    "Bars are the medians of the three parts, so their sum can differ a little from the median of the whole, which "
    "stands beside each bar. Engines unpack whole layers one after another, so much can be left when the last byte has "
    "come; trees and disks are unpacked as they come. Below each bar is what came over the link, and what stays on the "
    "disk."
)
_SIZES_PLACE: Final[Mapping[str, Any]] = {
    "textcoords": "offset points",
    "va": "center",
    "size": 8.64,
    "color": MUTED,
    "annotation_clip": False,
}
_NUMBER_PT: Final = 8.5
_NAMED_FROM: Final = 0.10
"""The share of the longest bar from which a part has room for its duration."""


@dataclass(frozen=True)
class _Bar:
    """One box."""

    cell: Cell
    name: str
    lengths_ns: tuple[float, ...]
    """As ``PARTS``."""
    travelled_bytes: float
    kept_bytes: float
    whole_ns: float
    """The median of the whole, which is not the sum of the medians of its parts."""

    @property
    def drawn_ns(self) -> float:
        return sum(self.lengths_ns)

    @property
    def sizes(self) -> str:
        return f"{quantity(self.travelled_bytes, 'bytes')} travel, {quantity(self.kept_bytes, 'bytes')} stay"


def draw(analysis: Analysis, scenario: str) -> Drawing | None:
    """The figure; None when the scenario has no first starts."""
    first = first_start_cells(analysis, shown(analysis, scenario))
    bars = [_bar_of(analysis, cell) for cell in first]
    if not bars:
        return None
    table = first_start_tables(analysis, scenario, first)[0]
    wanted = analysis.scenario(scenario).first_start
    topic = f"{scenario}: the first start on a {'fresh host' if wanted.present == 'nothing' else 'host with the base'}"
    title = _sentence(bars)
    cells = [bar.cell for bar in bars]
    figure = canvas(
        1.85 + 0.62 * len(bars), title, subtitle(topic, f"over a link of {wanted.describe()}", accelerators(cells))
    )
    axes = add_axes(
        figure, left_in=label_width_in(cells), bottom_in=0.68, right_in=2.75 if style_in_use().is_fixed else 0.75
    )
    _draw_bars(axes, bars)
    _legend(figure)
    return Drawing(
        name=f"{scenario}-first-start",
        scenario=scenario,
        title=title,
        alt=_alt(bars),
        how=_HOW,
        canvas=figure,
        table=(table.head, *table.rows),
        kind="stacked",
        topic=topic,
        notes=_alt(bars),
        data=stacked(_data(bars), "ns"),
    )


def _bar_of(analysis: Analysis, cell: Cell) -> _Bar:
    def value(kind: str, *parts: str, unit: str) -> float:
        found = analysis.summary(cell, Metric.of(kind, *parts, unit=unit))
        return 0.0 if found is None else found.median.value

    whole = analysis.summary(cell, headline(analysis.scenario(cell.scenario)))
    return _Bar(
        cell=cell.model_copy(update={"factors": {k: v for k, v in cell.factors.items() if k != "cache"}}),
        name=without_level(cell),
        lengths_ns=tuple(value("arrival", part, unit="ns") for part, *_ in PARTS),
        whole_ns=math.inf if whole is None else whole.median.value,
        travelled_bytes=value("disk", "arrival", "travelled", unit="bytes"),
        kept_bytes=value("disk", "arrival", "kept", unit="bytes"),
    )


def _sentence(bars: Sequence[_Bar]) -> str:
    """Which box is the fastest and which the slowest to be ready."""
    known = sorted((bar for bar in bars if math.isfinite(bar.whole_ns)), key=lambda bar: bar.whole_ns)
    if not known:
        return "No first start was ready in most of its boots"
    parts = [f"{bar.name} {quantity(bar.whole_ns, 'ns')}" for bar in ends_of(known)]
    return f"The first start takes: {', '.join(parts)} (medians)"


def _data(bars: Sequence[_Bar]) -> Iterator[tuple[str, str, float]]:
    for bar in bars:
        for length, (_, _, name) in zip(bar.lengths_ns, PARTS, strict=True):
            yield bar.name, name, length


def _draw_bars(axes: Axes, bars: Sequence[_Bar]) -> None:
    longest = max(bar.drawn_ns for bar in bars)
    for row, bar in enumerate(bars):
        begin = 0.0
        for length, (_, phase, _) in zip(bar.lengths_ns, PARTS, strict=True):
            axes.barh(row, length, left=begin, height=0.46, color=phase_colour(phase), edgecolor=MUTED, linewidth=0.5)
            text, colour = quantity(length, "ns"), text_colour_on_phase(phase)
            if length >= _NAMED_FROM * longest and holds(axes, length / longest / 1.02, text, _NUMBER_PT):
                axes.text(begin + length / 2, row, text, ha="center", va="center", size=_NUMBER_PT, color=colour)
            begin += length
        _write(axes, f" {quantity(bar.whole_ns, 'ns')}", (begin, row), size=9.5, colour=INK)
        if style_in_use().is_fixed:
            # A row is too low there for a line below the bar.
            axes.annotate(bar.sizes, (1.0, row), xycoords=axes.get_yaxis_transform(), xytext=(44, 0), **_SIZES_PLACE)
        else:
            _write(axes, bar.sizes, (0, row + 0.36), size=8, colour=MUTED)
    row_labels(axes, [bar.cell for bar in bars])
    axes.set_xlim(0, longest * 1.02)
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "ns"))
    axes.tick_params(axis="x", labelsize=9)


def _write(axes: Axes, text: str, place: tuple[float, float], *, size: float, colour: str) -> None:
    axes.annotate(text, place, textcoords="offset points", xytext=(2, 0), va="center", size=size, color=colour)


def _legend(figure: Canvas) -> None:
    from matplotlib.patches import Patch  # noqa: PLC0415

    figure.legend(
        handles=[Patch(color=phase_colour(phase), label=name) for _, phase, name in PARTS],
        loc="lower left",
        bbox_to_anchor=corner(figure),
        ncol=len(PARTS),
        fontsize=8.5,
        labelcolor=INK,
        handlelength=1.1,
    )


def _alt(bars: Sequence[_Bar]) -> str:
    parts = []
    for bar in bars:
        named = zip(PARTS, bar.lengths_ns, strict=True)
        lengths = ", ".join(f"{name} {quantity(length, 'ns')}" for (_, _, name), length in named)
        parts.append(f"{bar.name}: {lengths}; {bar.sizes}")
    return f"First start on a fresh host. {'. '.join(parts)}."
