"""The figures of a campaign. matplotlib is imported when the first figure is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

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
from bench.render.figures.base import Drawing, Figure, finish, png_of
from bench.render.figures.contents import write_figure
from bench.render.figures.foot import campaign_foot
from bench.render.figures.made import mark_made
from bench.render.figures.settings import styled
from bench.render.figures.shown import left_out
from bench.render.figures.style import PAGE, STYLES, Style, style_in_use, using
from bench.util.durable import replace_file
from bench.util.nofollow import real_directory
from bench.util.parallel import Stages, shared_out, shared_stages

__all__ = ["PAGE", "STYLES", "Figure", "Style", "campaign_figures", "report_figures"]

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


LEAST_BOXES: Final[Mapping[str, int]] = {"ladder": ladder.MIN_RUNGS, "ratios": 2, "exercise": 2}
"""How many boxes that were ready a kind of figure needs, if more than one."""


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
    pieces, made = _pieces(analysis), source_word(analysis.records)

    def figure(number: int) -> Figure | Literal["not wanted"] | None:
        drawing = _drawing(analysis, *pieces[number], made)
        if drawing is None:
            return None
        return "not wanted" if only and drawing.name not in only else finish(drawing, png=png, keep=keep)

    with styled(), using(style):
        # A drawing cannot be sent from another process.
        found = [figure(number) for number in range(len(pieces))] if keep or only else shared_out(len(pieces), figure)
    return _in_order(found)


class ReportFigures:
    """The figures of a report, which a copy of this process draws together with this one; see ``report_figures``."""

    def __init__(self, stages: Stages[Figure | None, bytes | None]) -> None:
        self._stages = stages
        self._made: list[Figure | None] = []

    def save(self, directory: Path) -> tuple[Figure, ...]:
        """Write ``NAME.svg``, ``NAME-dark.svg``, ``NAME.csv`` and ``NAME.json`` of each figure; returns the figures.

        No link is followed: the directory may be in a campaign that came from elsewhere. Raises OSError: it is a link,
        or cannot be written.
        """
        self._made = self._stages.first()
        figures = _in_order(self._made)
        with real_directory(directory) as place:
            for figure in figures:
                write_figure(place, figure)
        return figures

    def save_pictures(self, directory: Path) -> None:
        """Write ``NAME.png`` of each figure, after ``save``, and raise as that does."""
        pictures = self._stages.second()
        with real_directory(directory) as place:
            for figure, picture in zip(self._made, pictures, strict=True):
                if figure is not None and picture is not None:
                    replace_file(place / f"{figure.name}.png", picture)


@contextmanager
def report_figures(analysis: Analysis, *, png: bool) -> Iterator[ReportFigures]:
    """The figures of a report, which a copy of this process begins to draw while this one does other work.

    Args:
        png: also make light PNGs of the figures.
    """
    pieces, made, drawn = _pieces(analysis), source_word(analysis.records), dict[int, Drawing]()

    def figure(number: int) -> Figure | None:
        drawing = _drawing(analysis, *pieces[number], made)
        if drawing is None:
            return None
        if png:
            drawn[number] = drawing
        return finish(drawing)

    def picture(number: int) -> bytes | None:
        return png_of(drawn.pop(number).canvas, dpi=style_in_use().dpi) if number in drawn else None

    with styled(), using(PAGE), shared_stages(len(pieces), figure, picture) as stages:
        yield ReportFigures(stages)


def _in_order(found: Iterable[Figure | Literal["not wanted"] | None]) -> tuple[Figure, ...]:
    """Figures with their places among all that there are, without those that are not wanted."""
    ordered = enumerate((one for one in found if one is not None), start=1)
    return tuple(replace(one, order=order) for order, one in ordered if not isinstance(one, str))


def campaign_drawings(analysis: Analysis) -> Iterator[Drawing]:
    """Every drawing that the campaign has data for, by scenario, in the style that is in use."""
    made = source_word(analysis.records)
    for scenario, draw in _pieces(analysis):
        drawing = _drawing(analysis, scenario, draw, made)
        if drawing is not None:
            yield drawing


def _pieces(analysis: Analysis) -> list[tuple[str, Draw]]:
    """Each figure that a campaign may have, by scenario, in order."""
    return [(scenario, draw) for scenario in analysis.manifest.scenarios for draw in _DRAWERS]


def _drawing(analysis: Analysis, scenario: str, draw: Draw, made: str) -> Drawing | None:
    """A drawing with its foot, which has a line more where boxes are left out."""
    style, is_short = style_in_use(), not left_out(analysis, scenario)
    with using(style, foot_lines=2 if is_short else 3):
        drawing = draw(analysis, scenario)
        missing = is_short and style.foot and drawing is not None and left_out(analysis, scenario, drawing.numbers)
        if not missing:
            return None if drawing is None else campaign_foot(analysis, scenario, _marked(drawing, made))
    # Which boxes have nothing to show is known once the figure is drawn.
    with using(style, foot_lines=3):
        drawing = draw(analysis, scenario)
        return None if drawing is None else campaign_foot(analysis, scenario, _marked(drawing, made))


def _marked(drawing: Drawing, made: str) -> Drawing:
    return mark_made(drawing, made) if made else drawing
