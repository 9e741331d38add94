"""The font of figures: whether it is there, and which letters it lacks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from html import unescape
from pathlib import Path
from typing import Final

from bench.render.figures import settings
from bench.render.figures.base import Figure

_TEXT: Final = re.compile(r"<text\b[^>]*>([^<]*)</text>")
_MOST: Final = 12
"""Letters that a note names."""


def font_notes(figures: Iterable[Figure]) -> tuple[str, ...]:
    """What a reader of these figures does not see as it was written: sentences; none when all is there."""
    letters = {letter for one in figures for text in _TEXT.findall(one.light_svg) for letter in unescape(text)}
    return _notes(letters, "PNG files show a box in its place, SVG files keep the text")


def text_notes(texts: Iterable[str], file: str) -> tuple[str, ...]:
    """The same of texts that a PDF file of this name has in our font."""
    return _notes({letter for text in texts for letter in text}, f"{file} shows a box in its place")


def _notes(letters: Collection[str], shown: str) -> tuple[str, ...]:
    from matplotlib.font_manager import get_font  # noqa: PLC0415 - only with figures

    path, name = font_file()
    known = get_font(str(path)).get_charmap()
    lacking = sorted(letter for letter in letters if ord(letter) not in known and letter.isprintable())
    notes = []
    if name != settings.FONT:
        notes.append(
            f"the font {settings.FONT} is not installed: {name} stands for it, and text can be wider than its place; "
            "install fonts-dejavu-core"
        )
    if lacking:
        more = f" and {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
        notes.append(f"the font of figures, {name}, has no {' '.join(lacking[:_MOST])}{more}: {shown}")
    return tuple(notes)


def font_file() -> tuple[Path, str]:
    """The file and the name of the font that is used: another one where ours is not installed."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415

    try:
        path = findfont(FontProperties(family=settings.FONT), fallback_to_default=False)
    except ValueError:
        path = findfont(FontProperties())
    return Path(path), str(get_font(path).family_name)
