"""The styles of figures: for a page, a stage, or a printed column. One of them is in use while figures are drawn."""

from __future__ import annotations

import math
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
        foot: whether lines at the bottom say where the numbers come from.
        heading: whether the figure has its title.
        most_pt: no text but the title is larger than this, points.
        title_pt: the size of a title as a rule, points.
        label_chars: characters that fit beside a row.
    """

    name: str
    width_in: float
    height_in: float | None
    least_pt: float
    png_width: int
    most_series: int | None = None
    foot: bool = True
    heading: bool = True
    most_pt: float = math.inf
    title_pt: float = 12.5
    label_chars: int = 22

    @property
    def is_fixed(self) -> bool:
        """Whether every figure has the same height, so that rows adapt to it."""
        return self.height_in is not None

    @property
    def dpi(self) -> float:
        """Of a PNG. The remainder keeps its width from being rounded down."""
        return self.png_width / self.width_in + 0.01


PAGE: Final = Style(name="page", width_in=5.8, height_in=None, least_pt=7.5, png_width=1160, foot=False)
"""Two figures fit side by side on a projector, one on a phone. The page itself says where the numbers come from."""
TALK: Final = Style(
    name="talk", label_chars=34, width_in=6.4, height_in=3.6, least_pt=8.64, png_width=3840, most_series=6
)
"""A slide of 16:9. 8.64 points on 6.4 inches are 18 points where the slide is 13.33 inches wide, or 1920 pixels."""
SQUARE: Final = Style(
    name="talk-square", label_chars=34, width_in=6.4, height_in=6.4, least_pt=8.64, png_width=3840, most_series=6
)
"""A square picture with letters of the same size."""
PAPER_NARROW: Final = Style(
    name="paper",
    width_in=85 * _MM_IN,
    height_in=None,
    least_pt=8.0,
    png_width=2008,
    most_series=6,
    most_pt=8.0,
    title_pt=9.5,
    label_chars=13,
)
"""One column of a paper, 85 mm. A PNG has 600 pixels an inch."""
PAPER_WIDE: Final = Style(name="paper-wide", width_in=170 * _MM_IN, height_in=None, least_pt=8.0, png_width=4016)
"""Two columns of a paper, 170 mm."""

SLIDE: Final = Style(
    name="slide",
    label_chars=34,
    width_in=6.4,
    height_in=2.85,
    least_pt=8.64,
    png_width=2880,
    most_series=6,
    heading=False,
)
"""The picture of a slide whose title is text of the slide itself: as ``talk``, without a title."""

STYLES: Final[Mapping[str, Style]] = {
    style.name: style for style in (PAGE, TALK, SLIDE, SQUARE, PAPER_NARROW, PAPER_WIDE)
}
"""All styles by their names."""

_IN_USE: Final[ContextVar[Style]] = ContextVar("style", default=PAGE)
_FOOT_LINES: Final[ContextVar[int]] = ContextVar("foot_lines", default=2)
_FOOT_ROW_IN: Final = 0.15


def style_in_use() -> Style:
    """The style in which figures are drawn now."""
    return _IN_USE.get()


def foot_in() -> float:
    """The room at the bottom of a canvas for the lines that say where the numbers come from, inches."""
    return _FOOT_ROW_IN * _FOOT_LINES.get() + 0.04 if style_in_use().foot else 0.0


def foot_row_in(row: int) -> float:
    """The place of a line of the foot above the lower edge, inches; 0 is the last line."""
    return 0.05 + _FOOT_ROW_IN * row


@contextmanager
def using(style: Style, *, foot_lines: int = 2) -> Iterator[None]:
    """Draw figures in this style, with room for so many lines below, until the block ends."""
    token, lines = _IN_USE.set(style), _FOOT_LINES.set(foot_lines)
    try:
        yield
    finally:
        _IN_USE.reset(token)
        _FOOT_LINES.reset(lines)
