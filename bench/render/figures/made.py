"""Figures of campaigns for which no box ran: the word in the title and on every axis, and hatched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from bench.render.figures.base import Drawing
from bench.render.figures.canvas import fit_heading
from bench.render.palette import GRID, MUTED, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCH: Final = "\\\\\\"
"""Leans the other way than the hatch of unexplained memory."""
_EDGE_PX: Final = 8.0
"""A bar's own edge lies outside of its limits, at most so far."""


def mark_made(drawing: Drawing, word: str) -> Drawing:
    """The drawing with the word (``simulated``, ``replayed``) in its title and on each axis, and hatched."""
    title = f"{drawing.title} ({word})"
    # The canvas has its title first: see bench.render.figures.canvas.
    drawing.canvas.texts[0].set_text(title)
    fit_heading(drawing.canvas)
    for axes in drawing.canvas.axes:
        _hatch(axes)
        axes.text(1.0, 1.01, word, transform=axes.transAxes, ha="right", va="bottom", size=8, color=MUTED)
    return replace(
        drawing,
        title=title,
        alt=f"{word.capitalize()}, no box ran. {drawing.alt}",
        how=f"Hatched, because no box ran: the numbers are {word}. {drawing.how}",
    )


def _hatch(axes: Axes) -> None:
    """Hatch the background, and bars in the colour of the paper, but not what stands on them."""
    _clear_texts(axes)
    axes.patch.set(hatch=_HATCH, edgecolor=GRID, linewidth=0)
    for patch in axes.patches:
        if patch.get_hatch() is None and patch.get_fill():
            patch.set(hatch=_HATCH, edgecolor=PAPER)


def _clear_texts(axes: Axes) -> None:
    """Put a plain ground behind each text that stands on the axes: in the colour of its bar, else of the paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    # matplotlib has no types for these.
    canvas: Any = FigureCanvasAgg
    measure = canvas(axes.figure).get_renderer()
    filled = [(bar, bar.get_window_extent(measure)) for bar in axes.patches if bar.get_fill()]
    for text in axes.texts:
        box = text.get_window_extent(measure)
        middle = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        if text.get_bbox_patch() is not None or not axes.bbox.contains(*middle):
            continue
        # To ask whether a bar holds a point takes ten times as long as its limits do.
        near = (bar for bar, limits in reversed(filled) if limits.padded(_EDGE_PX).contains(*middle))
        ground = next((bar.get_facecolor() for bar in near if bar.contains_point(middle)), PAPER)
        text.set_bbox({"facecolor": ground, "edgecolor": "none", "linewidth": 0, "boxstyle": "square,pad=0.1"})
