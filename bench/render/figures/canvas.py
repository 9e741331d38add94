"""The canvas of a figure: its heading above, axes in the middle, and the foot below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from bench.render.figures.fitted_text import cut, halves, text_width_in, wrapped
from bench.render.figures.style import PAGE, foot_in, foot_row_in, style_in_use
from bench.render.palette import INK, MUTED, PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.figure import SubFigure
    from matplotlib.text import Text

_EDGE_IN: Final = 0.07
"""The distance of titles from the left edge."""
_LEAST_AXES_IN: Final = 0.1
GROUND: Final[Mapping[str, Any]] = {"facecolor": PAPER, "edgecolor": "none", "linewidth": 0, "pad": 0.4}
"""Behind a text that may stand on lines."""


class _Sizes(NamedTuple):
    """Of a heading: its size as a rule and the least one of a single line, points; the place of its top, inches."""

    size: float
    least: float
    top_in: float
    top_of_two_in: float
    """Of two lines, which begin higher up."""
    of_two: float
    """The size of two lines as a rule, where letters are read from afar or on paper."""


_TITLE: Final = _Sizes(12.5, 9.5, 0.10, 0.04, 11.0)
_SUBTITLE: Final = _Sizes(9.0, 7.5, 0.36, 0.34, 0.0)
_HEADS: Final[WeakKeyDictionary[Canvas, float]] = WeakKeyDictionary()
"""Canvases whose headings need more room than axes leave by themselves, inches."""


def canvas(height_in: float, title: str, subtitle: str) -> Canvas:
    """An empty figure with its title and subtitle in the top left corner, each as large as the width allows.

    Args:
        height_in: without the foot; styles with a height of their own ignore it.
    """
    from matplotlib.figure import Figure as New  # noqa: PLC0415

    style = style_in_use()
    figure = New(figsize=(style.width_in, style.height_in or height_in + foot_in()))
    edge = _EDGE_IN / style.width_in
    figure.text(edge, 1, title, ha="left", va="top", weight="bold", color=INK, visible=style.heading)
    figure.text(edge, 1, subtitle, ha="left", va="top", color=MUTED)
    fit_heading(figure)
    if not style.is_fixed:
        figure.set_figheight(figure.get_figheight() + _HEADS[figure])
        fit_heading(figure)
    return figure


def fit_heading(figure: Canvas) -> None:
    """Make title and subtitle of a canvas fit its width: smaller, or in more lines where they would be too small."""
    # The canvas has its title first and its subtitle second.
    style, height = style_in_use(), figure.get_figheight()
    title = _TITLE._replace(size=style.title_pt, least=min(style.title_pt, max(_TITLE.least, style.least_pt)))
    least = max(_SUBTITLE.least, style.least_pt)
    below = 0.0 if style.heading else -_SUBTITLE.top_in + _TITLE.top_in
    shown = ((figure.texts[0], title), (figure.texts[1], _SUBTITLE._replace(size=max(least, 9.0), least=least)))
    double = 0
    for text, sizes in shown[0 if style.heading else 1 :]:
        lines = _fit(text, sizes)
        text.set_y(1 - (below + (sizes.top_in if lines == 1 else sizes.top_of_two_in)) / height)
        below += max(0, lines - 2) * 1.25 * sizes.least / 72
        # A second line of larger letters moves what is below it.
        below += max(0.0, 1.25 * 2 * (float(text.get_fontsize()) - sizes.least) / 72) if lines > 1 else 0.0
        double += lines > 1
    _HEADS[figure] = below + (0.06 if double > 1 else 0.0)


def _fit(text: Text, sizes: _Sizes) -> int:
    """Set words and size; returns the number of lines."""
    words, room = " ".join(text.get_text().split()), style_in_use().width_in - 4 * _EDGE_IN
    wanted = sizes.size * min(1.0, room / max(text_width_in(words, text, sizes.size), 1e-9))
    if wanted >= sizes.least:
        text.set(text=words, fontsize=wanted)
        return 1
    lines: tuple[str, ...] = halves(words)
    widest = max(text_width_in(line, text, sizes.least) for line in lines)
    if widest > room and style_in_use() is not PAGE:
        # Printed and projected text must not be smaller.
        lines = wrapped(words, text, sizes.least, room)
        widest = min(room, max(text_width_in(line, text, sizes.least) for line in lines))
    fits = sizes.least * room / max(widest, 1e-9)
    most = min(sizes.of_two, sizes.size) if len(lines) == 2 and style_in_use() is not PAGE else sizes.least
    text.set(text="\n".join(lines), linespacing=1.0, fontsize=min(max(sizes.least, most), fits))
    return len(lines)


def add_axes(figure: Canvas, *, left_in: float, bottom_in: float, right_in: float = 0.18, top_in: float = 0.72) -> Axes:
    """Add axes with margins in inches, so that text keeps its distance at any height of the figure.

    Args:
        bottom_in: above the foot of the figure.
        top_in: below the usual heading.
    """
    width, height = figure.get_size_inches()
    bottom_in, top_in = bottom_in + foot_in(), top_in + _HEADS.get(figure, 0.0)
    # Without room they are drawn all the same, on top of the text: whoever drew them can choose another style.
    size = max(_LEAST_AXES_IN, width - left_in - right_in), max(_LEAST_AXES_IN, height - bottom_in - top_in)
    return figure.add_axes((left_in / width, bottom_in / height, size[0] / width, size[1] / height))


def corner(figure: Canvas | SubFigure) -> tuple[float, float]:
    """The lower left corner of a canvas, above its foot, for a legend."""
    return 0.0, foot_in() * figure.dpi / float(figure.bbox.height)


def write_foot(figure: Canvas, lines: Sequence[str]) -> None:
    """Write lines at the bottom of a canvas that has room for them, the first on top, each cut to the width."""
    style = style_in_use()
    width, height = figure.get_size_inches()
    for row, line in enumerate(reversed(lines)):
        place = _EDGE_IN / width, foot_row_in(row) / height
        text = figure.text(*place, line, ha="left", va="bottom", size=style.least_pt, color=MUTED)
        text.set_text(cut(line, text, style.least_pt, width - 2 * _EDGE_IN))


def keep_bounds(figure: Canvas) -> None:
    """Make no text smaller or, but for the title, larger than the style allows."""
    from matplotlib.text import Text as Any_  # noqa: PLC0415

    style = style_in_use()
    if style is PAGE:
        return
    for text in figure.findobj(Any_):
        most = math.inf if text is figure.texts[0] else style.most_pt
        text.set_fontsize(min(max(text.get_fontsize(), style.least_pt), most))
