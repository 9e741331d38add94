"""The figures of a campaign. matplotlib is imported when the first figure is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from bench.analysis.results import Analysis
from bench.analysis.sources import source_word
from bench.render.figures import (
    blocks,
    ecdf,
    exercise,
    first_start,
    forest,
    ladder,
    memory_ledger,
    phases,
    preparation,
    resources,
    samples,
    slope,
    storms,
)
from bench.render.figures.base import Drawing, Figure, finish, styled
from bench.render.figures.contents import contents
from bench.render.figures.foot import campaign_foot
from bench.render.figures.made import mark_made
from bench.render.figures.shown import left_out
from bench.render.figures.style import PAGE, STYLES, Style, style_in_use, using
from bench.util.durable import replace_file
from bench.util.nofollow import real_directory

__all__ = ["PAGE", "STYLES", "Figure", "Style", "campaign_figures", "save_figures"]

Draw = Callable[[Analysis, str], Drawing | None]

# The order of a talk: the answer, its spread, where time and resources go, and the raw boots.
_DRAWERS: Final[tuple[Draw, ...]] = (
    ladder.draw,
    exercise.draw,
    forest.draw,
    ecdf.draw,
    storms.draw,
    memory_ledger.draw,
    slope.draw,
    first_start.draw,
    phases.draw,
    *(partial(resources.draw, chart=chart) for chart in resources.CHARTS),
    samples.draw,
    blocks.draw,
    preparation.draw,
)


def campaign_figures(
    analysis: Analysis, *, style: Style = PAGE, only: Sequence[str] = (), png: bool = False, keep: bool = False
) -> tuple[Figure, ...]:
    """Every figure that the campaign has data for, by scenario. The same input gives the same bytes.

    Args:
        style: the geometry.
        only: names of figures; all when empty. A figure keeps its ``order`` whichever others are made.
        png: also make a light PNG of each, for slides and READMEs.
        keep: the figures have their drawings.
    """
    with styled(), using(style):
        drawn = enumerate(campaign_drawings(analysis), start=1)
        return tuple(
            finish(replace(drawing, order=order), png=png, keep=keep)
            for order, drawing in drawn
            if not only or drawing.name in only
        )


def save_figures(analysis: Analysis, directory: Path, *, png: bool = True) -> tuple[Figure, ...]:
    """Write ``NAME.svg``, ``NAME-dark.svg``, ``NAME.csv``, ``NAME.json`` and, with ``png``, ``NAME.png``.

    No link is followed: the directory may be in a campaign that came from elsewhere. Raises OSError: it is a link, or
    cannot be written.
    """
    figures = campaign_figures(analysis, png=png)
    with real_directory(directory) as place:
        for figure in figures:
            for end, content in contents(figure):
                replace_file(place / f"{figure.name}{end}", content)
    return figures


def campaign_drawings(analysis: Analysis) -> Iterator[Drawing]:
    """Every drawing that the campaign has data for, by scenario, in the style that is in use."""
    made = source_word(analysis.records)
    for scenario in analysis.manifest.scenarios:
        for draw in _DRAWERS:
            drawing = _drawing(analysis, scenario, draw, made)
            if drawing is not None:
                yield drawing


def _drawing(analysis: Analysis, scenario: str, draw: Draw, made: str) -> Drawing | None:
    with using(style_in_use(), foot_lines=3 if left_out(analysis, scenario) else 2):
        drawing = draw(analysis, scenario)
        if drawing is None:
            return None
        return campaign_foot(analysis, scenario, mark_made(drawing, made) if made else drawing)
