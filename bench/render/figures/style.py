"""The styles of figures: for a page, a stage, or a printed column. One of them is in use while figures are drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

_MM_IN: Final = 1 / 25.4


@dataclass(frozen=True, kw_only=True)
class Style:
    """The geometry of figures.

    Attributes:
        name: as a user writes it, and the end of file names: ``03-hello-memory.talk.svg``.
        width_in: the width of the canvas, inches.
        height_in: the height that every figure has; None when a figure is as high as its rows.
        least_pt: no text is smaller than this on the canvas, points.
        png_width: of a PNG, pixels.
        most_series: a figure shows at most so many boxes, and names the rest in a line; None: all.
        foot: whether a line at the bottom says where the numbers come from.
        heading: whether the figure has its title.
    """

    name: str
    width_in: float
    height_in: float | None
    least_pt: float
    png_width: int
    most_series: int | None = None
    foot: bool = True
    heading: bool = True


PAGE: Final = Style(name="page", width_in=5.8, height_in=None, least_pt=7.5, png_width=1160, foot=False)
"""Two figures fit side by side on a projector, one on a phone. The page itself says where the numbers come from."""
TALK: Final = Style(name="talk", width_in=6.4, height_in=3.6, least_pt=8.64, png_width=3840, most_series=6)
"""A slide of 16:9. 8.64 points on 6.4 inches are 18 points where the slide is 13.33 inches wide, or 1920 pixels."""
SQUARE: Final = Style(name="talk-square", width_in=6.4, height_in=6.4, least_pt=8.64, png_width=3840, most_series=6)
"""A square picture with letters of the same size."""
PAPER_NARROW: Final = Style(name="paper", width_in=85 * _MM_IN, height_in=None, least_pt=8.0, png_width=2008)
"""One column of a paper, 85 mm. A PNG has 600 pixels an inch."""
PAPER_WIDE: Final = Style(name="paper-wide", width_in=170 * _MM_IN, height_in=None, least_pt=8.0, png_width=4016)
"""Two columns of a paper, 170 mm."""

SLIDE: Final = Style(
    name="slide", width_in=6.4, height_in=2.85, least_pt=8.64, png_width=2880, most_series=6, heading=False
)
"""The picture of a slide whose title is text of the slide itself: as ``talk``, without a title."""

STYLES: Final[Mapping[str, Style]] = {
    style.name: style for style in (PAGE, TALK, SLIDE, SQUARE, PAPER_NARROW, PAPER_WIDE)
}
"""All styles by their names."""

_IN_USE: Final[ContextVar[Style]] = ContextVar("style", default=PAGE)


def style_in_use() -> Style:
    """The style in which figures are drawn now."""
    return _IN_USE.get()


@contextmanager
def using(style: Style) -> Iterator[None]:
    """Draw figures in this style until the block ends."""
    token = _IN_USE.set(style)
    try:
        yield
    finally:
        _IN_USE.reset(token)
