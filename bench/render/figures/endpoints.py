"""What the names of endpoints mean, below the axes of a figure: slides have no other legend of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from bench.render.palette import MUTED
from bench.render.sections.glossary import ENDPOINTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_SIZE: Final = 7.5
_ROW_IN: Final = 0.145
_EDGE_IN: Final = 0.07
_WORDS: Final = {str(endpoint): meaning for endpoint, meaning in ENDPOINTS.items()}


def endpoint_lines(names: Iterable[str]) -> tuple[str, ...]:
    """``exec: the workload is about to run``, in the order of a start; names that are no endpoints are left out."""
    wanted = set(names)
    return tuple(f"{name}: {meaning}" for name, meaning in _WORDS.items() if name in wanted)


def lines_in(lines: tuple[str, ...]) -> float:
    """The height that the lines take at the bottom of a figure, inches."""
    return _ROW_IN * len(lines) + _EDGE_IN if lines else 0.0


def write_lines(figure: Canvas, lines: tuple[str, ...]) -> None:
    """Write the lines at the bottom of a figure, the first on top."""
    width, height = figure.get_size_inches()
    for row, line in enumerate(reversed(lines)):
        place = (_EDGE_IN / width, (_EDGE_IN + _ROW_IN * row) / height)
        figure.text(*place, line, ha="left", va="bottom", size=_SIZE, color=MUTED)
