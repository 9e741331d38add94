"""Slides that all kinds of results have: a picture, and how the numbers are made again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from bench.deck.slides import Slide, Source
from bench.deck.text import paragraphs, shortened
from bench.render.figures.base import Figure
from bench.render.text import clean

_MOST_COMMAND: Final = 700
"""Characters of a command that a slide has room for. It is shown whole or not at all: nobody can paste a part."""
REPEAT: Final = "repeat"
"""The key of the slide that says how the numbers are made again."""
_HASH_BLOCK: Final = 2**20


def picture_slide(
    figure: Figure,
    key: str,
    *,
    source: Source,
    sentence: str = "",
    caveat: str = "",
    notes: str = "",
    hidden: bool = False,
) -> Slide:
    """A slide that is a figure.

    Args:
        sentence: the figure's title when empty.
        notes: what the speaker can say, before the figure's own notes.
    """
    digest = "" if not figure.data.rows else f"sha256:{figure.data.short_digest} (this figure)"
    return Slide(
        key=key,
        sentence=shortened(sentence or figure.title),
        figure=figure,
        caveat=caveat,
        notes=paragraphs(notes, figure.notes, figure.alt, f"How to read it: {figure.how}" if figure.how else ""),
        alt=figure.alt,
        source=replace(source, digest="; ".join(filter(None, (source.digest, digest)))),
        hidden=hidden,
    )


def file_digest(file: Path) -> str:
    """``sha256:`` and the first letters of the digest of a file; empty when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while block := content.read(_HASH_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return f"sha256:{digest.hexdigest()[:16]} ({clean(file.name)})"


Repeats = Literal["measures", "makes", "simulates", "checks", "reads"]
"""What the command of a deck does: it measures, makes numbers without a box, asks a model, judges, or reads records."""
_REPEATS: Final[dict[Repeats, tuple[str, str, str]]] = {
    "measures": (
        "This measures all of it again.",
        "host",
        "Another host, kernel or version gives other numbers. The seed gives the same order of trials.",
    ),
    "makes": ("This makes the same numbers again.", "host", "No box runs for them."),
    "simulates": ("This simulates all of it again.", "from", "The same model and seed give the same numbers."),
    "reads": ("This reads the same records again.", "host", "Nothing is measured again: equal records, equal numbers."),
    "checks": ("This checks the same numbers again.", "host", "Nothing is measured again: the same data are judged."),
}
"""By what a command does: the sentence, the name of where the numbers come from, and what the speaker can say."""


def repeat_slide(source: Source, *, version: str, where: str = "", does: Repeats = "measures") -> Slide:
    """How the numbers are made again.

    Args:
        version: ``boxbench 0.1.0``.
        where: in which directory the command runs; empty: in any.
        does: what the command does. The numbers of one that simulates come from a model, which ``source.host`` names.
    """
    sentence, origin, again = _REPEATS[does]
    rows = [
        ("command", _whole(source.command)), ("where", where), ("version", version), ("seed", source.seed),
        ("data", shortened(source.digest, 260)), (origin, shortened(source.host, 260)),
    ]  # fmt: skip
    kept = (("what", "how"), *((name, text) for name, text in rows if text))
    return Slide(
        key=REPEAT,
        sentence=sentence if source.command else "The numbers are kept with the data.",
        table=kept,
        alt="; ".join(f"{name}: {text}" for name, text in kept[1:]),
        notes=again,
        source=source,
    )


def _whole(command: str) -> str:
    """The command, or where all of it is."""
    if len(command) <= _MOST_COMMAND:
        return command
    return f"It has {len(command)} letters, too many for a slide: copy it from the notes of this slide."


def with_command(slides: Sequence[Slide], command: str) -> tuple[Slide, ...]:
    """The slides, of which the one that says how the numbers are made again also says how the deck is."""
    return tuple(_with_row(slide, ("this deck", _whole(command))) if slide.key == REPEAT else slide for slide in slides)


def _with_row(slide: Slide, row: tuple[str, str]) -> Slide:
    return replace(
        slide,
        table=(*(slide.table or ()), row),
        alt="; ".join(filter(None, (slide.alt, ": ".join(row)))),
        notes=paragraphs(slide.notes, ": ".join(row)),
    )
