"""Text that fits a width: how wide it is, where it is broken into lines, and where it is cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

_MEASURED_PT: Final = 100.0
"""The size in which texts are measured. matplotlib has outlines of this size, and scales them."""
_BOUND: Final = "\N{NO-BREAK SPACE}"
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:[nµm]?s|min|h|d|(?:[KMGT]i)?B(?:/s)?|[kMG]?/s|%|CPUs?|boxes|boots)(?!\w))")
"""The blank between a number and its unit."""
_FILLED: Final = 0.6
"""The least share of a line that whole words fill."""
_NEAR: Final = 10
"""Letters that a line may be longer for being broken after a comma."""


def wrapped(words: str, like: Text, size: float, room: float) -> tuple[str, ...]:
    """A text in as many lines as it needs, broken at blanks, but not between a number and its unit."""
    lines: list[str] = []
    for word in _words(words):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width_in(longer, like, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def text_width_in(words: str, like: Text, size: float) -> float:
    """The width of some words in the font of a text, inches, of which a point is the 72nd part."""
    if not words.strip():
        return 0.0
    # Of one size, since a heading is fitted several times, in several ones. A copy, since the text's font can change.
    font = like.get_fontproperties().copy()
    font.set_size(_MEASURED_PT)
    return _width_pt(words.strip(), font) * size / _MEASURED_PT / 72


@lru_cache(maxsize=1024)
def _width_pt(words: str, font: FontProperties) -> float:
    """From the left edge of the first letter's outline to the right edge of the last one's."""
    # To make the outlines of all letters takes six times as long.
    return _advance_pt(words, font) - _edges_pt(words[0], font)[0] - _edges_pt(words[-1], font)[1]


@lru_cache(maxsize=1024)
def _edges_pt(letter: str, font: FontProperties) -> tuple[float, float]:
    """The room left and right of a letter's outline, within its place in a line."""
    from matplotlib.textpath import TextPath, text_to_path  # noqa: PLC0415

    # Of a letter without an outline, such as a soft hyphen, TextPath can make no path.
    if not len(text_to_path.get_text_path(font, letter)[0]):
        return 0.0, 0.0
    path = TextPath((0, 0), letter, size=_MEASURED_PT, prop=font)
    # Outlines of letters have points where they are widest. Path.get_extents looks at each curve for them, which takes
    # several hundred times longer.
    across = path.vertices[path.codes != TextPath.CLOSEPOLY, 0]
    if not across.size:
        return 0.0, 0.0
    return float(across.min()), _advance_pt(letter, font) - float(across.max())


def _advance_pt(words: str, font: FontProperties) -> float:
    """The room that words take in a line."""
    from matplotlib.textpath import text_to_path  # noqa: PLC0415

    return float(text_to_path.get_text_width_height_descent(words, font, ismath=False)[0])


def _words(text: str) -> list[str]:
    """The words of a text, where a number and its unit are one: ``takes``, ``188 ms``."""
    return [word.replace(_BOUND, " ") for word in _bound(text).split(" ") if word]


def _bound(text: str) -> str:
    """A text of the same length without the blanks at which no line ends: before a unit, and before a dot."""
    return _UNIT.sub(_BOUND, text).replace(" ·", f"{_BOUND}·")


def halves(words: str) -> tuple[str, str]:
    """A text in two lines of about one length, broken at a blank where there is one, if it can be after a comma."""
    blanks = [at for at, letter in enumerate(_bound(words)) if letter == " "]
    middle = len(words) // 2
    at = min(
        blanks, key=lambda place: abs(place - middle) + (0 if words[place - 1] in ",;:·" else _NEAR), default=middle
    )
    return words[:at], words[at:].lstrip()


def cut(words: str, like: Text, size: float, room: float) -> str:
    """The longest beginning of a line that fits, in whole words unless a long one would leave it mostly empty."""
    if text_width_in(words, like, size) <= room:
        return words
    for pieces, between, least in ((words.split(" "), " ", room * _FILLED), (list(words), "", 0.0)):
        beginnings = [_ended(between.join(pieces[:count])) for count in range(1, len(pieces))]
        # A beginning with more words is wider. Half a line with a long command is measured ten times, not a hundred.
        fitting = bisect_right(beginnings, room, key=lambda line: text_width_in(line, like, size))
        if fitting and text_width_in(beginnings[fitting - 1], like, size) >= least:
            return beginnings[fitting - 1]
    return _ended(words[:1])


def _ended(beginning: str) -> str:
    return f"{beginning.rstrip(' ·,')}…"
