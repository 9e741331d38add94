"""What the slides of answers, sweeps and models share: no box ran for their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Final

from bench.deck.made import picture_slide
from bench.deck.slides import LINES, Rows, Slide, Source
from bench.deck.text import first_clauses, key_of, paragraphs
from bench.render.figures.base import Figure
from bench.render.simulation.skeleton import SIMULATED
from bench.render.text import clean

MADE: Final = f"{SIMULATED.capitalize()}."
_NO_BOX: Final = "No box ran for these numbers: they are of a model."
_MOST_FIGURES: Final = 6
"""Shown; more of them are backup."""
_COMMAND: Final = re.compile(r'<section id="redo">.*?<pre><code>([^<]*)</code></pre>', re.DOTALL)
"""The command in the page of an answer; its JSON has none."""
_DIGEST: Final = re.compile(r"([0-9a-f]{12})[0-9a-f]+")


def model_name(model: str | None) -> str:
    """The digest of a model file in 12 letters, as those of data are; a check may have fitted its own model."""
    return _DIGEST.sub(lambda found: found[1], clean(model, limit=200)) if model else "fitted for this check"


def made_of(model: str | None, file: Path) -> str:
    """``model sha256:0123456789ab, written on 2031-02-03``: the model, and the day of the file with the answer."""
    day = day_of(file)
    return f"model {model_name(model)}{f', written on {day}' if day else ''}"


def page_command(page: Path) -> str:
    """The command that a page names; empty when there is no page, or it names none."""
    try:
        found = _COMMAND.search(page.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
    return clean(unescape(found[1]), limit=2000) if found else ""


def day_of(file: Path) -> str:
    """The day on which a file was written, as ``2031-02-03``, UTC: equal answers have equal bytes, so none has a date.

    Empty when the file cannot be read. A copy that keeps no times, such as that of a git clone, has its own day.
    """
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
    except (OSError, OverflowError, ValueError):
        return ""


def picture_slides(figures: Sequence[Figure], caveat: str, source: Source) -> Iterator[Slide]:
    """A slide for each figure; after the first ones they are backup."""
    for number, figure in enumerate(figures):
        yield picture_slide(
            figure, key_of("figure", figure.name), source=source, caveat=caveat, hidden=number >= _MOST_FIGURES
        )


def limits_slide(what: Sequence[str], caveat: str, source: Source, *, sentence: str = _NO_BOX) -> Slide:
    """What the numbers do not say; the first of the lines are on the slide, all of them in its notes."""
    lines = [clean(line, limit=2000) for line in what]
    return Slide(
        key="limits",
        sentence=sentence,
        lines=tuple(first_clauses(line, 200) for line in lines[:LINES]),
        caveat=caveat,
        notes=paragraphs(*lines),
        source=source,
    )


def rows_of(table: Sequence[Sequence[str]]) -> Rows:
    """A table as slides have it."""
    return tuple(tuple(row) for row in table)
