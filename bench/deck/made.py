"""What the slides of all kinds of results share: pictures, keys, notes, and slides of text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench.deck.slides import Rows, Slide, Source
from bench.render.figures.base import Drawing, Figure, finish, png_of, styled
from bench.render.figures.style import SLIDE, Style, using
from bench.render.text import clean

LONGEST: Final = 230
"""Characters of a sentence. A longer one is cut at the end of a word."""
MOST_ROWS: Final = 8
"""Rows of a table on a slide, without its head."""
TALL: Final = replace(SLIDE, height_in=None)
"""Of a figure that has more rows than a slide's height has room for: smaller letters, and none on another."""
_LEAST_AXES_IN: Final = 0.75
_LEAST_LINE_IN: Final = 0.145
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_INTERVAL: Final = re.compile(r"[\[(][^\[\]()]{1,30}[\])]")
_UNIT: Final = re.compile(r"(\d) (%|ns|µs|ms|s|B|KiB|MiB|GiB|k/s|M/s|/s)(?=[\s,.;:)]|$)")
_HASH_BLOCK: Final = 2**20


def shortened(text: str, limit: int = LONGEST) -> str:
    """Text of at most ``limit`` characters, cut after a whole word with ``…`` at the end."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    words = text[:limit].rpartition(" ")[0] or text[: limit - 1]
    return f"{words.rstrip(',;: ')} …"


def first_clauses(text: str, limit: int = LONGEST) -> str:
    """The first clauses of a text that have room: whole ones, since half of one can say something else."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    ends = [found.start() for found in re.finditer(r"[;.] ", text) if found.start() < limit]
    return f"{text[: ends[-1]]}." if ends else shortened(text, limit)


def unbroken(text: str) -> str:
    """Text in which no line ends between a number and its unit, or within an interval."""
    text = _INTERVAL.sub(lambda found: found[0].replace(" ", NO_BREAK), text)
    return _UNIT.sub(rf"\1{NO_BREAK}\2", text)


def key_of(*parts: str) -> str:
    """A key from names: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "slide"


def fitted_rows(rows: Rows, most: int = MOST_ROWS) -> Rows:
    """The table with at most so many rows; a last one then says how many are left out."""
    if len(rows) <= most + 1:
        return rows
    left_out = len(rows) - most
    return (*rows[:most], (f"{left_out} more", *("" for _ in rows[0][1:])))


def paragraphs(*parts: str) -> str:
    """The parts that are not empty, each as a paragraph."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


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


def drawn(draw: Callable[[], Iterable[Drawing]]) -> tuple[Figure, ...]:
    """Figures in the style of slides, which keep their drawings."""

    def make(style: Style) -> tuple[Figure, ...]:
        with styled(), using(style):
            return tuple(finish(drawing, keep=True) for drawing in draw())

    return with_room(make(SLIDE), lambda _names: make(TALL))


def with_room(figures: Sequence[Figure], make: Callable[[Sequence[str]], Sequence[Figure]]) -> tuple[Figure, ...]:
    """The figures, and those whose rows have no room at a slide's height in their own height.

    Args:
        make: draws at least the figures of these names in the style TALL.
    """
    names = [figure.name for figure in figures if is_crowded(figure)]
    taller = {figure.name: figure for figure in make(names)} if names else {}
    return tuple(taller.get(figure.name, figure) if figure.name in names else figure for figure in figures)


def is_crowded(figure: Figure) -> bool:
    """Whether the labels at the left of axes would lie on each other, or axes are too low to be read."""
    if figure.drawing is None:
        return False
    height_in = float(figure.drawing.canvas.get_size_inches()[1])
    for axes in figure.drawing.canvas.axes:
        room = float(axes.get_position().height) * height_in
        lines = sum(label.get_text().count("\n") + 1 for label in axes.get_yticklabels() if label.get_text())
        if room < max(_LEAST_AXES_IN, lines * _LEAST_LINE_IN):
            return True
    return False


def with_pictures(slides: Sequence[Slide]) -> tuple[Slide, ...]:
    """The slides with a PNG of each figure."""
    with styled(), using(SLIDE):
        return tuple(map(_with_picture, slides))


def _with_picture(slide: Slide) -> Slide:
    figure = slide.figure
    if figure is None or figure.drawing is None or figure.light_png is not None:
        return slide
    dpi = SLIDE.png_width / SLIDE.width_in + 0.01
    return replace(slide, figure=replace(figure, light_png=png_of(figure.drawing.canvas, dpi=dpi)))


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


def repeat_slide(source: Source, *, version: str, where: str, key: str = "repeat") -> Slide:
    """How the numbers are made again.

    Args:
        version: ``boxbench 0.1.0``.
        where: in which directory the command runs; empty: in any.
    """
    rows = [("what", "how")]
    rows += [("command", source.command)] if source.command else []
    rows += [("where", where)] if where else []
    rows += [("version", version), ("seed", source.seed), ("data", source.digest), ("host", source.host)]
    kept = tuple((name, shortened(text, 260)) for name, text in rows if text)
    able = "One command measures all of this again." if source.command else "The numbers are kept with the data."
    return Slide(
        key=key,
        sentence=able,
        table=kept,
        alt="; ".join(f"{name}: {text}" for name, text in kept[1:]),
        notes="Another host, kernel or version gives other numbers. The seed gives the same order of trials.",
        source=source,
    )
