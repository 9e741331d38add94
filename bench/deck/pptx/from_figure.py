"""From the numbers of a figure to its native chart. Times and sizes get the unit that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from bench.deck.pptx.bars import stacked
from bench.deck.pptx.chart import Chart
from bench.deck.pptx.curves import distribution, drawn_of, lines, samples, slope
from bench.deck.pptx.rows import dots, ratios
from bench.render.figures.base import Figure
from bench.render.figures.data import FigureData


def chart_of(figure: Figure) -> Chart | None:
    """The native chart of a figure; None when its kind has none, or when it has no number that can be drawn."""
    maker = _MAKERS.get(figure.kind)
    if figure.kind == "lines":
        maker = partial(lines, drawn=drawn_of(figure))
    try:
        return None if maker is None else maker(figure.data)
    except KeyError:
        # The columns are not those of the kind. The figure still has its table.
        return None


_MAKERS: Final[Mapping[str, Callable[[FigureData], Chart | None]]] = {
    "dots": dots,
    "ratios": ratios,
    "distribution": distribution,
    "stacked": stacked,
    "slope": slope,
    "lines": lines,
    "samples": samples,
}
