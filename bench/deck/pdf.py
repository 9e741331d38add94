"""``deck.pdf``: a page for each slide, 13.33 x 7.5 inches. Text is text, figures are vectors, notes are annotations."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.deck.slides import Deck, Rows, Slide
from bench.deck.text import NO_BREAK, unbroken
from bench.render.figures.font import text_notes
from bench.render.figures.settings import styled
from bench.render.palette import GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WIDTH_IN: Final = 40 / 3
HEIGHT_IN: Final = 7.5
_LEFT_IN: Final = 0.55
_ROOM_IN: Final = WIDTH_IN - 2 * _LEFT_IN
_FOOT_IN: Final = 0.62
"""The height that the foot of a page has."""
_TITLES: Final = ((60, 36.0), (110, 30.0), (170, 25.0))
"""Up to so many characters a sentence has this size, points."""
_LEAST_TITLE: Final = 21.0
_MEASURED: Final = 100.0
"""The size at which widths of words are measured, points."""
_TEXT: Final = 20.0
_SMALL: Final = 18.0
"""The size of tables and of the foot: nothing is smaller, but long tables."""
_TINY: Final = 11.0
"""The least size of a table."""
_LINE: Final = 1.25
"""The height of a line of text, as a share of its size."""
_WARNING: Final = "#6b4300"
"""As in ``deck.css.j2``."""


class _Area(NamedTuple):
    """What is free of a page, inches from its top."""

    top: float
    bottom: float


def write_pdf(deck: Deck, path: Path) -> None:
    """Write the file. The same deck gives the same bytes. Raises OSError."""
    opening = Slide(
        key="opening",
        sentence=deck.title or "Slides",
        lines=tuple(filter(None, (deck.subtitle, deck.date))),
        notes=deck.told,
    )
    buffer = io.BytesIO()
    with styled():
        import matplotlib as mpl  # noqa: PLC0415

        mpl.rcParams["pdf.fonttype"] = 42
        dates = {"CreationDate": None, "Creator": None, "Producer": None}
        file = _backend().PdfFile(buffer, metadata={"Title": deck.title, **dates})
        count = len(deck.slides) + 1
        for number, slide in enumerate((opening, *deck.slides), start=1):
            _page(file, slide, f"{'backup · ' if slide.hidden else ''}{number} / {count}")
        file.finalize()
        file.close()
    path.write_bytes(buffer.getvalue())


def pdf_notes(deck: Deck) -> tuple[str, ...]:
    """What a reader of the file does not see as it was written: sentences; none when all is there."""
    texts = [deck.title, deck.subtitle]
    for slide in deck.slides:
        texts += [slide.sentence, *slide.lines, slide.caveat, *(cell for row in slide.table or () for cell in row)]
    return text_notes(texts, "deck.pdf")


def _backend() -> Any:
    """matplotlib's PDF files. PdfPages, which hides them, cannot put a drawing into a part of a page."""
    from matplotlib.backends import backend_pdf  # noqa: PLC0415

    return backend_pdf


def _page(file: Any, slide: Slide, number: str) -> None:
    from matplotlib.figure import Figure as New  # noqa: PLC0415

    notes = "\n\n".join(filter(None, (slide.notes, *slide.source.lines)))
    if notes:
        # Presenters for PDF files show such annotations as notes. They belong to the page that begins next.
        file.newTextnote(notes)
    file.newPage(WIDTH_IN, HEIGHT_IN)
    page = New(figsize=(WIDTH_IN, HEIGHT_IN))
    centred = slide.figure is None and slide.table is None
    top = _text(page, slide.sentence, title_size(slide.sentence), 2.2 if centred else 0.5, weight="bold")
    for number_of_line, line in enumerate(slide.lines):
        top = _text(page, line, _TEXT, top + 0.18, color=MUTED if number_of_line else INK)
    area = _Area(top + 0.2, HEIGHT_IN - _FOOT_IN)
    if slide.table is not None:
        _table(page, slide.table, area)
    _foot(page, slide.caveat, number)
    if slide.figure is not None and slide.figure.drawing is None:
        _raster(page, slide, area)
    _draw(file, page, WIDTH_IN, HEIGHT_IN)
    if slide.figure is not None and slide.figure.drawing is not None:
        _picture(file, slide.figure.drawing.canvas, area)
    file.endStream()


def title_size(sentence: str) -> float:
    """The size of a sentence in points: the longer, the smaller."""
    return next((size for most, size in _TITLES if len(sentence) <= most), _LEAST_TITLE)


def _draw(file: Any, canvas: Canvas, width_in: float, height_in: float) -> None:
    dpi = canvas.dpi
    # A PDF file has 72 points an inch.
    canvas.dpi = 72
    try:
        renderer = _backend().RendererPdf(file, dpi, height_in, width_in)
        canvas.draw(renderer)
        renderer.finalize()
    finally:
        canvas.dpi = dpi


def _picture(file: Any, canvas: Canvas, area: _Area) -> None:
    """Put a drawing into the middle of an area, as large as it can be."""
    width, height = map(float, canvas.get_size_inches())
    scale = min(_ROOM_IN / width, (area.bottom - area.top) / height)
    left = (WIDTH_IN - scale * width) / 2
    bottom = HEIGHT_IN - area.top - ((area.bottom - area.top) + scale * height) / 2
    operators = _backend().Op
    file.output(operators.gsave)
    file.output(scale, 0, 0, scale, 72 * left, 72 * bottom, operators.concat_matrix)
    _draw(file, canvas, width, height)
    file.output(operators.grestore)


def _raster(page: Canvas, slide: Slide, area: _Area) -> None:
    """The PNG of a figure whose drawing is not at hand; nothing where there is none."""
    if slide.figure is None or slide.figure.light_png is None:
        return
    from matplotlib.image import imread  # noqa: PLC0415

    rect = (_LEFT_IN / WIDTH_IN, 1 - area.bottom / HEIGHT_IN, _ROOM_IN / WIDTH_IN, (area.bottom - area.top) / HEIGHT_IN)
    axes = page.add_axes(rect)
    axes.axis("off")
    axes.imshow(imread(io.BytesIO(slide.figure.light_png), format="png"))


def _text(page: Canvas, words: str, size: float, top_in: float, **style: Any) -> float:
    """Put words on a page, broken at its width; returns where they end, inches from the top."""
    text = page.text(_LEFT_IN / WIDTH_IN, 1 - top_in / HEIGHT_IN, "", size=size, ha="left", va="top", **style)
    lines = _broken(words, size, _ROOM_IN, bold=style.get("weight") == "bold")
    text.set(text="\n".join(lines), linespacing=_LINE)
    return top_in + len(lines) * size * _LINE / 72


def _broken(words: str, size: float, width_in: float, *, bold: bool = False) -> list[str]:
    """Words in lines that are not wider than ``width_in``. A longer word is cut into pieces."""
    lines: list[str] = []
    line = ""
    for word in unbroken(words).split(" "):
        whole = f"{line} {word}".strip()
        if width_of(whole, size, bold=bold) <= width_in:
            line = whole
            continue
        lines += [line] if line else []
        line = word
        while (wide := width_of(line, size, bold=bold)) > width_in and len(line) > 1:
            at = max(1, int(len(line) * width_in / wide) - 1)
            lines.append(line[:at])
            line = line[at:]
    return [*lines, line]


def width_of(words: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of words, inches."""
    parts = words.replace(NO_BREAK, " ").split(" ")
    blanks = (len(parts) - 1) * (_word_width("a a", bold) - _word_width("aa", bold))
    return (blanks + sum(_word_width(part, bold) for part in parts)) * size / _MEASURED / 72


@lru_cache(maxsize=8192)
def _word_width(word: str, bold: bool) -> float:
    """The width of a word of ``_MEASURED`` points, points."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415
    from matplotlib.textpath import text_to_path  # noqa: PLC0415

    font = FontProperties(family="DejaVu Sans", size=_MEASURED, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(word, font, ismath=False)[0])


def _foot(page: Canvas, caveat: str, number: str) -> None:
    y = (_FOOT_IN - 0.3) / HEIGHT_IN
    page.text(1 - _LEFT_IN / WIDTH_IN, y, number, size=14, ha="right", va="center", color=MUTED)
    if caveat:
        text = page.text(_LEFT_IN / WIDTH_IN, y, caveat, ha="left", va="center", color=_WARNING, weight="bold", size=16)
        wide = width_of(caveat, 16, bold=True)
        text.set_fontsize(16 * min(1.0, (_ROOM_IN - 2.2) / max(wide, 0.01)))


def _table(page: Canvas, rows: Rows, area: _Area) -> None:
    """A table in an area: at 18 points if it has room, else smaller."""
    size = _SMALL
    while True:
        widths = _widths(rows, size)
        cells = [
            [_broken(cell, size, width, bold=at == 0) for at, (cell, width) in enumerate(zip(row, widths, strict=True))]
            for row in rows
        ]
        heights = [max(map(len, row)) * size * _LINE / 72 + 0.12 for row in cells]
        if sum(heights) <= area.bottom - area.top or size <= _TINY:
            break
        size -= 1
    top = area.top
    for place, (row, height) in enumerate(zip(cells, heights, strict=True)):
        left = _LEFT_IN
        for column, (lines, width) in enumerate(zip(row, widths, strict=True)):
            look: dict[str, Any] = {
                "color": MUTED if place == 0 else INK,
                "weight": "bold" if place and not column else "normal",
            }
            where = (left / WIDTH_IN, 1 - (top + 0.05) / HEIGHT_IN)
            page.text(*where, "\n".join(lines), size=size, ha="left", va="top", linespacing=_LINE, **look)
            left += width + 0.2
        top += height
        _rule(page, top)


def _rule(page: Canvas, top_in: float) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    ends = (_LEFT_IN / WIDTH_IN, 1 - _LEFT_IN / WIDTH_IN)
    y = 1 - top_in / HEIGHT_IN
    page.add_artist(Line2D(ends, (y, y), color=GRID, linewidth=0.8))


def _widths(rows: Rows, size: float) -> list[float]:
    """Widths of columns, inches: what their cells need, where the widest ones give way."""
    # The first column is bold.
    need = [max(width_of(row[at], size, bold=at == 0) for row in rows) + 0.02 for at in range(len(rows[0]))]
    room = _ROOM_IN - 0.2 * (len(need) - 1)
    least = _fair(need, room)
    return [min(one, least) for one in need]


def _fair(need: Sequence[float], room: float) -> float:
    """The width to which wide columns are cut, so that all of them have room."""
    open_columns = sorted(need)
    left = room
    for place, one in enumerate(open_columns):
        share = left / (len(open_columns) - place)
        if one > share:
            return share
        left -= one
    return max(need, default=room)
