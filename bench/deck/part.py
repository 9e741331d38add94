"""The part of a deck that one directory gives."""

from __future__ import annotations

from dataclasses import dataclass

from bench.deck.slides import Slide


@dataclass(frozen=True, kw_only=True)
class Part:
    """Slides of one directory.

    Attributes:
        title, subtitle, date: as those of a deck.
        slides: backup slides last; keys are unique in the part.
    """

    title: str
    subtitle: str
    date: str
    slides: tuple[Slide, ...]
