"""Instructions until ready, by target: the median of the runs. Most ranges of runs are smaller than a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.instructions.model import Count, Instructions
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas
from bench.render.figures.sentences import ends_of
from bench.render.palette import GRID, PAPER, marker, target_colour
from bench.render.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.34
_HOW: Final = (
    "Guest instructions from the request (for a VM: from power-on) to ready, on a logarithmic axis; filled: the first "
    "start in its guest, hollow: the second. A count is the length of the code path and no time."
)
_UNITS: Final = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def draw(counted: Instructions) -> Drawing:
    """The figure of one file of counts."""
    rows: dict[str, list[Count]] = {}
    for count in sorted(counted.counts, key=lambda count: count.instructions):
        rows.setdefault(count.cell.target, []).append(count)
    title = _sentence(counted)
    figure = canvas(1.25 + _ROW_IN * len(rows), title, "log axis · icount: one emulated CPU, everything in RAM")
    axes = add_axes(figure, left_in=1.2, bottom_in=0.40, right_in=1.75, top_in=0.66)
    _scale(axes, [count.instructions for count in counted.counts])
    for at, (target, counts) in enumerate(rows.items()):
        axes.axhline(at, color=GRID, linewidth=0.8, zorder=0)
        for count in counts:
            fill = PAPER if count.cell.factors.get("start") == "second" else target_colour(target)
            edge = target_colour(target)
            axes.plot([count.instructions], [at], marker=marker(target), markersize=7, mfc=fill, mec=edge, mew=1.6)
        counts_text = " / ".join(short(count.instructions) for count in _in_order(counts))
        axes.text(1.03, at, counts_text, transform=axes.get_yaxis_transform(), size=9, va="center")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    return Drawing(
        name=f"{counted.scenario}-instructions",
        scenario=counted.scenario,
        title=title,
        alt=_alt(counted),
        how=_HOW,
        canvas=figure,
        topic=f"{counted.scenario}: instructions until ready",
        table=_table(counted),
    )


def _sentence(counted: Instructions) -> str:
    """Which first start takes the fewest instructions, and which the most."""
    first = [count for count in counted.counts if count.cell.factors.get("start") != "second"] or counted.counts
    ends = ends_of(sorted(first, key=lambda count: count.instructions))
    parts = [f"{clean(count.cell.target)} {short(count.instructions)}" for count in ends]
    return f"{counted.scenario} takes until ready, in instructions: {', '.join(parts)}"


def short(count: float) -> str:
    """``213 M``. Tables have every digit."""
    for factor, unit in _UNITS:
        if count >= factor:
            value = f"{count / factor:.3g}"
            return f"{value} {unit}"
    return f"{count:.0f}"


def _in_order(counts: list[Count]) -> list[Count]:
    return sorted(counts, key=lambda count: count.cell.factors.get("start", ""))


def _scale(axes: Axes, totals: list[int]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(totals) / 1.6, max(totals) * 1.6)
    axes.xaxis.set_major_formatter(lambda value, _: short(value))
    axes.xaxis.set_minor_formatter(lambda _value, _position: "")
    axes.tick_params(axis="x", labelsize=9)


def _alt(counted: Instructions) -> str:
    parts = [f"{count.cell.key} {count.instructions}" for count in counted.counts]
    return f"Guest instructions until ready: {'; '.join(parts)}."


def _table(counted: Instructions) -> tuple[tuple[str, ...], ...]:
    rows = [(count.cell.key, str(count.instructions), str(count.waited)) for count in counted.counts]
    return (("cell", "instructions", "waited"), *rows)
