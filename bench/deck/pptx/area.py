"""Rectangles on a slide, in EMU (914,400 an inch), and the size at which text fits into one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

EMU_IN: Final = 914_400
_EM: Final = 0.56
"""The mean width of a letter in ems, a little more than in bold Calibri and Arial. The font is the template's."""
BOLD_EM: Final = 0.67
"""The same of the wide bold font that LibreOffice takes where the template's is not installed."""
_LINE: Final = 1.2
"""The height of a line in ems."""


class Area(NamedTuple):
    """A rectangle, EMU."""

    left: int
    top: int
    width: int
    height: int

    def upper(self, height: int) -> Area:
        """The uppermost part, at most of this height."""
        return self._replace(height=max(0, min(height, self.height)))

    def below(self, height: int) -> Area:
        """What is left without the uppermost part of this height."""
        cut = max(0, min(height, self.height))
        return self._replace(top=self.top + cut, height=self.height - cut)

    def lower(self, height: int) -> Area:
        """The lowest part, at most of this height."""
        return self.below(self.height - max(0, min(height, self.height)))

    def fitted(self, width: float, height: float) -> Area:
        """The largest rectangle of these proportions in the middle."""
        scale = min(self.width / width, self.height / height)
        inner = int(width * scale), int(height * scale)
        return Area(
            self.left + (self.width - inner[0]) // 2, self.top + (self.height - inner[1]) // 2, inner[0], inner[1]
        )


def fitting_pt(paragraphs: Sequence[str], area: Area, *, most: float, least: float, em: float = _EM) -> float:
    """The largest size between the two, in whole points, at which the paragraphs fit; ``least`` when none does."""
    size = math.floor(most)
    while size > least and height_of(paragraphs, area.width, size, em) > area.height:
        size -= 1
    return max(float(size), least)


def height_of(paragraphs: Sequence[str], width: int, pt: float, em: float = _EM) -> int:
    """The height of paragraphs in a box of a width at a size, with the margins that a box has, EMU."""
    return int((sum(lines_of(paragraph, width, pt, em) for paragraph in paragraphs) * _LINE * pt / 72 + 0.1) * EMU_IN)


def lines_of(paragraph: str, width: int, pt: float, em: float = _EM) -> int:
    """The number of lines that a paragraph takes in a box of a width, EMU, at a size."""
    letters = max(1, int((width / EMU_IN - 0.2) * 72 / (em * pt)))
    return max(1, math.ceil(len(paragraph) / letters))
