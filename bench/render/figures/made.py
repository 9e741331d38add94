"""Figures of campaigns for which no box ran: the word in the title and on every axis, and hatched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bench.render.figures.base import Drawing
from bench.render.figures.canvas import fit_heading
from bench.render.palette import GRID, MUTED, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCH: Final = "\\\\\\"
"""Leans the other way than the hatch of unexplained memory."""


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
    """Hatch the background, and bars in the colour of the paper."""
    axes.patch.set(hatch=_HATCH, edgecolor=GRID, linewidth=0)
    for patch in axes.patches:
        if patch.get_hatch() is None and patch.get_fill():
            patch.set(hatch=_HATCH, edgecolor=PAPER)
