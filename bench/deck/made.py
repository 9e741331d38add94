"""What the slides of all kinds of results share: pictures, keys, notes, and slides of text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.deck.slides import Rows, Slide, Source
from bench.render.figures.base import Drawing, Figure, finish, png_of
from bench.render.figures.settings import styled
from bench.render.figures.style import SLIDE, Style, using
from bench.render.text import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

LONGEST: Final = 230
"""Characters of a sentence. A longer one is cut at the end of a word."""
MOST_ROWS: Final = 8
"""Rows of a table on a slide, without its head."""


def _larger(times: float) -> Style:
    assert SLIDE.height_in is not None
    return replace(SLIDE, width_in=times * SLIDE.width_in, height_in=times * SLIDE.height_in)


STYLES: Final = (SLIDE, *map(_larger, (1.25, 1.5, 1.75)), replace(SLIDE, height_in=None))
"""The style of slides, and those of figures with more rows than it has room for: each has smaller letters on the slide.
The last one is as high as the rows."""
_LEAST_AXES_IN: Final = 0.75
_LEAST_LINE_IN: Final = 0.145
_SHARED: Final = 0.25
_MOST_TEXTS: Final = 200
"""Axes with more texts than this name points, and rows have no part in it."""
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_INTERVAL: Final = re.compile(r"[\[(](?=[^\[\]()]*\d)[^\[\]()]{1,30}[\])]")
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


def drawn(draw: Callable[[], Iterable[Drawing]], styles: Sequence[Style] = STYLES) -> tuple[Figure, ...]:
    """Figures in the style of slides, which keep their drawings. ``styles``: as of ``with_room``."""

    def make(style: Style, names: Collection[str]) -> tuple[Figure, ...]:
        with styled(), using(style):
            return tuple(finish(drawing, keep=True) for drawing in draw() if not names or drawing.name in names)

    return with_room(make, styles)


def with_room(
    make: Callable[[Style, Collection[str]], Sequence[Figure]], styles: Sequence[Style] = STYLES
) -> tuple[Figure, ...]:
    """Figures in the style of slides. Where texts lie on each other, on the smallest canvas on which fewest of them do.

    Args:
        make: draws the figures of these names in a style; all when there are none.
        styles: are tried one after another.
    """
    found = {figure.name: figure for figure in make(styles[0], ())}
    crowds = {name: crowd_of(figure) for name, figure in found.items()}
    for style in styles[1:]:
        names = {name for name, crowd in crowds.items() if crowd}
        if not names:
            break
        for figure in make(style, names):
            crowd = crowd_of(figure)
            if crowd < crowds.get(figure.name, 0):
                found[figure.name], crowds[figure.name] = figure, crowd
    return tuple(found.values())


def crowd_of(figure: Figure) -> int:
    """How many lines of text and axes have too little room in a figure that has its drawing; 0: all have enough."""
    if figure.drawing is None:
        return 0
    canvas = figure.drawing.canvas
    height_in = float(canvas.get_size_inches()[1])
    crowd = 0
    for axes in canvas.axes:
        room = float(axes.get_position().height) * height_in
        lines = sum(label.get_text().count("\n") + 1 for label in axes.get_yticklabels() if label.get_text())
        needed = max(_LEAST_AXES_IN, lines * _LEAST_LINE_IN)
        crowd += 0 if room >= needed else 1 + int(100 * (needed - room))
        crowd += _overlaps(axes, canvas.dpi)
    return crowd


def _overlaps(axes: Axes, dpi: float) -> int:
    """How many texts of axes lie on another one, of those that stand beside rows or in them."""
    from matplotlib.backends.backend_agg import RendererAgg  # noqa: PLC0415

    texts = [text for text in (*axes.texts, *axes.get_yticklabels()) if text.get_visible() and text.get_text().strip()]
    if len(texts) > _MOST_TEXTS:
        return 0
    renderer: Any = RendererAgg(1, 1, dpi)  # type: ignore[no-untyped-call]
    boxes = [text.get_window_extent(renderer) for text in texts]
    return sum(_lie_on(one, other) for one, other in combinations(boxes, 2))


def _lie_on(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes share more than a small part of their widths and heights."""
    wide: float = min(one.x1, other.x1) - max(one.x0, other.x0)
    high: float = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(wide > _SHARED * min(one.width, other.width) and high > _SHARED * min(one.height, other.height))


def with_pictures(slides: Sequence[Slide]) -> tuple[Slide, ...]:
    """The slides with a PNG of each figure."""
    with styled(), using(SLIDE):
        return tuple(map(_with_picture, slides))


def _with_picture(slide: Slide) -> Slide:
    figure = slide.figure
    if figure is None or figure.drawing is None or figure.light_png is not None:
        return slide
    canvas = figure.drawing.canvas
    dpi = replace(SLIDE, width_in=float(canvas.get_size_inches()[0])).dpi
    return replace(slide, figure=replace(figure, light_png=png_of(canvas, dpi=dpi)))


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


def repeat_slide(source: Source, *, version: str, where: str = "", simulated: bool = False) -> Slide:
    """How the numbers are made again.

    Args:
        version: ``boxbench 0.1.0``.
        where: in which directory the command runs; empty: in any.
        simulated: they come from a model, which ``source.host`` names.
    """
    origin = "from" if simulated else "host"
    rows = [
        ("command", source.command), ("where", where), ("version", version), ("seed", source.seed),
        ("data", source.digest), (origin, source.host),
    ]  # fmt: skip
    kept = (("what", "how"), *((name, shortened(text, 260)) for name, text in rows if text))
    able = f"This {'simulates' if simulated else 'measures'} all of it again."
    again = (
        "The same model and seed give the same numbers."
        if simulated
        else "Another host, kernel or version gives other numbers. The seed gives the same order of trials."
    )
    return Slide(
        key="repeat",
        sentence=able if source.command else "The numbers are kept with the data.",
        table=kept,
        alt="; ".join(f"{name}: {text}" for name, text in kept[1:]),
        notes=again,
        source=source,
    )
