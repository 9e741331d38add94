"""A deck of slides as values. What makes one fills them; each file format has a writer that reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bench.render.figures.base import Figure

LINES: Final = 3
"""A slide has at most so many lines of text beside its sentence."""
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9-]*")

Rows = tuple[tuple[str, ...], ...]
"""A table as text; the first row is the head."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the numbers of a slide come from.

    Attributes:
        command: makes the numbers again; empty when no command line is stored.
        seed: of the plan or of the simulation, as text; empty when there is none.
        digest: of the data, such as ``sha256:4f...``; empty when there is none.
        host: what they were measured on, when and how: host, date, accelerator, boots.
    """

    command: str = ""
    seed: str = ""
    digest: str = ""
    host: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Each part that there is, with its name."""
        parts = (("host", self.host), ("again", self.command), ("seed", self.seed), ("data", self.digest))
        return tuple(f"{name}: {text}" for name, text in parts if text)


@dataclass(frozen=True, kw_only=True)
class Slide:
    """One slide: a sentence, and what shows that it is true. All text is cleaned and not escaped.

    Attributes:
        key: unique in a deck, safe in file names and addresses: ``bill-memory``.
        sentence: the title, one full sentence.
        figure: the picture; None on a slide of text.
        lines: at most ``LINES`` of them, shown below the sentence.
        table: shown below the lines; None when there is none.
        caveat: what has to stand on the slide beside the numbers; empty when nothing has to.
        notes: paragraphs for the speaker, separated by empty lines.
        alt: what the slide shows, for people who cannot see it; that of the figure where there is one.
        hidden: a backup slide: not shown unless it is asked for.
    """

    key: str
    sentence: str
    figure: Figure | None = None
    lines: tuple[str, ...] = ()
    table: Rows | None = None
    caveat: str = ""
    notes: str = ""
    alt: str = ""
    source: Source = Source()
    hidden: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError: a rule of the attributes does not hold."""
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"the key {self.key!r} of a slide is not safe in file names")
        if not self.sentence.strip() or "\n" in self.sentence:
            raise ValueError(f"slide {self.key}: the sentence {self.sentence!r} is not one line of text")
        if len(self.lines) > LINES:
            raise ValueError(f"slide {self.key}: {len(self.lines)} lines, of at most {LINES}")


@dataclass(frozen=True, kw_only=True)
class Deck:
    """A whole deck.

    Attributes:
        title: the question, or the names of what the deck is about.
        subtitle: how much was measured, and where.
        slides: in their order; backup slides come last.
        date: when the numbers were made, as ``2031-02-03``; empty when nothing says it.
        source: the command that makes this deck again.
    """

    title: str
    subtitle: str
    slides: tuple[Slide, ...]
    date: str
    source: str

    @property
    def told(self) -> str:
        """For the notes of the first slide: how this deck is made again."""
        return f"This deck is made again by `{self.source}`." if self.source else ""

    def __post_init__(self) -> None:
        """Raise ValueError: two slides have one key."""
        keys = [slide.key for slide in self.slides]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"several slides have the key {', '.join(sorted(twice))}")
