"""Memory floors: every size that was tried with each box, whether it worked, and the least that does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.floor.model import Floors, Level, TargetFloor
from bench.render.figures.axes import tick, ticks_in
from bench.render.figures.base import Drawing
from bench.render.figures.canvas import add_axes, canvas, corner
from bench.render.figures.data import Column, FigureData
from bench.render.figures.labels import target_rows, target_width_in
from bench.render.figures.sentences import ends_of
from bench.render.figures.style import PAGE, style_in_use
from bench.render.palette import GRID, INK, MUTED, PAPER, marker, target_colour
from bench.render.text import clean
from bench.util.units import format_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN: Final = 0.42
_HOW: Final = (
    "Each mark is a memory limit that was tried: full where every boot worked, hollow where some did, a cross where "
    "none did. The upright line is the floor, the least memory in which every boot worked. A smaller limit was not "
    "tried where the line stands at the least size of the search."
)


def draw(floors: Floors) -> Drawing | None:
    """The figure; None when nothing was tried."""
    most = style_in_use().most_series
    found = [one for one in floors.floors if one.levels]
    if not found:
        return None
    kept = found if most is None else found[:most]
    title = _sentence(floors, found)
    labels = [one.box for one in kept]
    terms = floors.terms
    part = f"{len(kept)} of {len(found)} boxes" if len(kept) < len(found) else ""
    about = f"{clean(floors.scenario)}: memory limits that were tried · {terms.confirmations} boots had to work"
    figure = canvas(1.45 + _ROW_IN * len(kept), title, " · ".join(filter(None, (about, part))))
    wide = style_in_use().width_in >= PAGE.width_in
    axes = add_axes(figure, left_in=target_width_in(labels), bottom_in=0.72, right_in=1.55 if wide else 1.35)
    _scale(axes, kept)
    target_rows(axes, labels)
    for row, one in enumerate(kept):
        _row(axes, row, one)
    _legend(axes)
    return Drawing(
        name="floor",
        scenario=floors.scenario,
        title=title,
        alt=f"The least memory in which {clean(floors.scenario)} works: {'; '.join(map(_said, found))}.",
        how=_HOW,
        canvas=figure,
        topic=f"{clean(floors.scenario)}: the least memory in which it works",
        table=_table(found),
        data=_data(found),
    )


def _said(one: TargetFloor) -> str:
    return f"{clean(one.box, limit=60)} {one.size_text}"


def _sentence(floors: Floors, found: Sequence[TargetFloor]) -> str:
    """The least and the largest floor; a box without one comes last."""
    ranked = sorted(found, key=lambda one: math.inf if one.floor_bytes is None else one.floor_bytes)
    return f"The least memory in which {clean(floors.scenario)} works: {', '.join(map(_said, ends_of(ranked)))}"


def _scale(axes: Axes, found: Sequence[TargetFloor]) -> None:
    from matplotlib.ticker import FixedLocator, NullLocator  # noqa: PLC0415

    sizes = [level.memory_bytes for one in found for level in one.levels]
    low, high = min(sizes), max(sizes)
    axes.set_xscale("log", base=2)
    axes.set_xlim(low / 1.5, high * 1.5)
    first, last = math.ceil(math.log2(low / 1.5)), math.floor(math.log2(high * 1.5))
    step = max(1, -(-(last - first) // (ticks_in(axes, 6) - 1)))
    axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(first, last + 1, step)]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: tick(value, "bytes"))
    axes.tick_params(axis="x", labelsize=9)


def _row(axes: Axes, row: int, one: TargetFloor) -> None:
    colour = target_colour(one.box)
    axes.axhline(row, color=GRID, linewidth=0.8, zorder=0)
    for level in one.levels:
        if level.worked == 0:
            axes.plot([level.memory_bytes], [row], linestyle="none", marker="x", ms=7, mec=colour, mew=1.8)
            continue
        fill = colour if level.worked == level.tried else PAPER
        axes.plot(
            [level.memory_bytes], [row], linestyle="none", marker=marker(one.box), ms=7, mfc=fill, mec=colour, mew=1.6
        )
    if one.floor_bytes is not None:
        axes.plot([one.floor_bytes] * 2, [row - 0.36, row + 0.36], color=INK, linewidth=1.6)
    axes.text(
        1.02, row, one.size_text, transform=axes.get_yaxis_transform(), size=9, va="center", weight="bold",
        clip_on=False,
    )  # fmt: skip


def _legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    dot = {"linestyle": "none", "marker": "o", "ms": 7, "mec": MUTED, "mew": 1.6}
    handles = [
        Line2D([], [], **(dot | {"mfc": MUTED}), label="all boots worked"),  # type: ignore[arg-type]
        Line2D([], [], **(dot | {"mfc": PAPER}), label="some"),  # type: ignore[arg-type]
        Line2D([], [], **(dot | {"marker": "x"}), label="none"),  # type: ignore[arg-type]
        Line2D([], [], color=INK, linewidth=1.6, label="floor"),
    ]
    axes.figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=corner(axes.figure),
        ncol=len(handles) if style_in_use().width_in >= PAGE.width_in else 2,
        fontsize=8.5,
        handletextpad=0.5,
    )


def _rows(found: Sequence[TargetFloor]) -> list[tuple[TargetFloor, Level]]:
    return [(one, level) for one in found for level in one.levels]


def _table(found: Sequence[TargetFloor]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (clean(one.box), format_bytes(level.memory_bytes), f"{level.worked} of {level.tried}", one.size_text)
        for one, level in _rows(found)
    ]
    return (("box", "memory", "worked", "floor"), *rows)


def _data(found: Sequence[TargetFloor]) -> FigureData:
    columns = (
        Column("box", ""),
        Column("memory", "bytes"),
        Column("tried", "count"),
        Column("worked", "count"),
        Column("floor", "bytes"),
    )
    rows = tuple(
        (one.box, level.memory_bytes, level.tried, level.worked, one.floor_bytes) for one, level in _rows(found)
    )
    return FigureData(columns, rows)
