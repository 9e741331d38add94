"""One slide being filled: title, picture, text, table, chart, notes. What fills a placeholder stays one."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from pptx.enum.shapes import PP_PLACEHOLDER as KIND
from pptx.enum.text import MSO_AUTO_SIZE
from pptx.util import Pt

from bench.deck.pptx.area import BOLD_EM, EMU_IN, Area, fitting_pt, height_of
from bench.deck.pptx.layouts import Layout
from bench.deck.slides import Rows
from bench.deck.text import unbroken

LEAST_TITLE_PT: Final = 18.0
"""A title is made smaller down to this size."""
_TITLE_PT: Final = 44.0
"""Of a template that does not say it."""
TEXT_PT: Final = (24.0, 14.0)
CAVEAT_PT: Final = 14.0
_TABLE_PT: Final = (18, 16, 14, 12, 10)
"""The sizes of tables, the first that fits."""
_HEAD_EM: Final = 0.74
"""The width of a letter in ems, in the wide bold font that LibreOffice takes for a head."""
_CELL_EM: Final = 0.66
"""The same in cells, which are not bold."""
_WIDE: Final = "mwMW@%"
"""Letters that are half as wide again."""
_LONGEST_WORD: Final = 24
"""Letters. A longer word, such as a digest, may be broken."""
MOST_ROWS: Final = 14
"""A table on a slide has at most so many rows, without its head."""
_GAP: Final = EMU_IN // 10
"""Between text and what is below it."""


class Page:
    """A slide that is being made. ``area`` is what is left of the place for content."""

    def __init__(self, shown: Any, layout: Layout, *, hidden: bool) -> None:
        self._slide = shown.slides.add_slide(layout.layout)
        self._layout = layout
        self.area = layout.area
        self._free = layout.content
        """The placeholder for content, as long as nothing has taken it."""
        if hidden:
            self._slide._element.set("show", "0")

    def title(self, sentence: str) -> None:
        """Fill the title, in a size at which it fits."""
        title = self._slide.shapes.title
        title.text_frame.text = unbroken(sentence)
        own = _inherited_pt(self._layout.layout)
        area = Area(0, 0, int(title.width or self.area.width), int(title.height or EMU_IN))
        size = fitting_pt([sentence], area, most=own, least=min(own, LEAST_TITLE_PT), em=BOLD_EM)
        if size < own:
            _set_size(title.text_frame, size)

    def text(self, paragraphs: Sequence[str], *, fills: bool = False) -> None:
        """Put paragraphs at the top of what is left; ``fills``: nothing comes below them."""
        if not paragraphs:
            return
        size = fitting_pt(paragraphs, self.area, most=TEXT_PT[0], least=TEXT_PT[1])
        height = self.area.height if fills else height_of(paragraphs, self.area.width, size)
        area = self.area.upper(height)
        self.area = self.area.below(height + _GAP)
        if fills and self._free is not None and self._layout.takes_text:
            shape = self._placeholder()
            shape.left, shape.top, shape.width, shape.height = area
            self._free = None
        else:
            shape = self._slide.shapes.add_textbox(*area)
        _fill(shape.text_frame, paragraphs, size)

    def caveat(self, sentence: str) -> None:
        """Put a sentence at the bottom of what is left, in small letters."""
        if not sentence:
            return
        height = height_of([sentence], self.area.width, CAVEAT_PT)
        shape = self._slide.shapes.add_textbox(*self.area.lower(height))
        _fill(shape.text_frame, [sentence], CAVEAT_PT)
        self.area = self.area._replace(height=max(0, self.area.height - height))

    def picture(self, png: bytes, *, name: str, alt: str) -> None:
        """Put a picture into the middle of what is left, as large as it can be without being cut."""
        shape = self._slide.shapes.add_picture(io.BytesIO(png), 0, 0)
        shape.left, shape.top, shape.width, shape.height = self.area.fitted(shape.width, shape.height)
        self._take(shape, name=name, alt=alt)

    def chart(self, kind: Any, data: Any, *, name: str, alt: str) -> Any:
        """Add a native chart in what is left, which the caller completes."""
        frame = self._slide.shapes.add_chart(kind, *self.area, data)
        self._take(frame, name=name, alt=alt)
        return frame.chart

    def table(self, rows: Rows, *, name: str, alt: str) -> int:
        """Add a table in what is left; returns the number of rows that it does not show."""
        shown = rows[: MOST_ROWS + 1]
        size = next((size for size in _TABLE_PT if _has_room(shown, self.area, size)), _TABLE_PT[-1])
        widths = column_widths(shown, self.area.width, size)
        heights = _row_heights(shown, widths, size)
        frame = self._slide.shapes.add_table(len(shown), len(widths), *self.area.upper(sum(heights)))
        _fill_table(frame.table, shown, widths, heights, size)
        self._take(frame, name=name, alt=alt)
        return len(rows) - len(shown)

    def notes(self, paragraphs: Sequence[str]) -> None:
        """Fill the notes for the speaker.

        Raises:
            LookupError: the template's notes have no place for text.
        """
        frame = self._slide.notes_slide.notes_text_frame
        if frame is None:
            raise LookupError("the notes master has no placeholder for text")
        frame.text = "\n".join(paragraphs)

    def close(self) -> None:
        """Remove placeholders that nothing has filled: a program would show "Click to add text" in their place."""
        for shape in list(self._slide.placeholders):
            empty = shape.has_text_frame and not shape.text_frame.text
            if empty:
                shape._element.getparent().remove(shape._element)

    def _placeholder(self) -> Any:
        return next(
            shape
            for shape in self._slide.placeholders
            if (shape.placeholder_format.type, shape.placeholder_format.idx) == self._free
        )

    def _take(self, shape: Any, *, name: str, alt: str) -> None:
        """Name a shape, and let it be the placeholder for content when that is free."""
        shape.name = name
        properties = shape._element.xpath("./*[1]/p:cNvPr")[0]
        # python-pptx writes the name of the file here.
        properties.set("descr", alt)
        if self._free is None:
            return
        old = self._placeholder()._element
        shape._element.xpath("./*[1]/p:nvPr")[0].insert(0, old.ph)
        old.getparent().remove(old)
        self._free = None


def _fill(frame: Any, paragraphs: Sequence[str], size: float) -> None:
    frame.word_wrap = True
    frame.auto_size = MSO_AUTO_SIZE.NONE
    frame.text = "\n".join(paragraphs)
    _set_size(frame, size)


def _set_size(frame: Any, size: float) -> None:
    for paragraph in frame.paragraphs:
        for run in paragraph.runs:
            run.font.size = Pt(size)


def _has_room(rows: Rows, area: Area, size: int) -> bool:
    """Whether a table has room at a size without a break within a word."""
    heights = _row_heights(rows, column_widths(rows, area.width, size), size)
    return sum(heights) <= area.height and sum(_word_widths(rows, size)) <= area.width


def column_widths(rows: Rows, width: int, size: int) -> list[int]:
    """Of all columns, EMU. Each has room for its longest word, as far as all of them have; others have less then."""
    wanted, least = _wanted_widths(rows, width), _word_widths(rows, size)
    if sum(least) >= width:
        return wanted
    missing = sum(max(0, need - one) for one, need in zip(wanted, least, strict=True))
    spare = sum(max(0, one - need) for one, need in zip(wanted, least, strict=True))
    share = 1 - missing / spare if spare else 1.0
    return [int(need + max(0, one - need) * share) for one, need in zip(wanted, least, strict=True)]


def _word_widths(rows: Rows, size: int) -> list[int]:
    """The width of the longest word of each column at a size, with the margins of a cell, EMU. The head is bold."""
    columns = max(len(row) for row in rows)
    longest = [0.0] * columns
    for number, row in enumerate(rows):
        for at, text in enumerate(row):
            letters = max((len(word) + sum(map(word.count, _WIDE)) / 2 for word in text.split()), default=0)
            longest[at] = max(longest[at], min(letters, _LONGEST_WORD) * (_HEAD_EM if number == 0 else _CELL_EM))
    return [int((ems * size / 72 + 0.2) * EMU_IN) for ems in longest]


def _wanted_widths(rows: Rows, width: int) -> list[int]:
    """A column is as wide as its longest text, between a tenth and two thirds of them all."""
    columns = max(len(row) for row in rows)
    longest = [max((len(row[at]) for row in rows if at < len(row)), default=1) for at in range(columns)]
    wanted = [min(max(length, sum(longest) / 10), sum(longest) * 2 / 3) + 2 for length in longest]
    return [int(width * one / sum(wanted)) for one in wanted]


def _row_heights(rows: Rows, widths: Sequence[int], size: int) -> list[int]:
    return [max(height_of([text], width, size) for text, width in zip(row, widths, strict=False)) for row in rows]


def _fill_table(table: Any, rows: Rows, widths: Sequence[int], heights: Sequence[int], size: int) -> None:
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        table.rows[number].height = height
        for at, text in enumerate(row):
            frame = table.cell(number, at).text_frame
            frame.text = text
            _set_size(frame, size)


def _inherited_pt(layout: Any) -> float:
    """The size of a title as its template has it: in the layout, the master, or the master's style."""
    sizes = "./p:txBody/a:lstStyle/a:lvl1pPr/a:defRPr/@sz"
    found: list[str] = []
    for owner in (layout, layout.slide_master):
        found += [
            size
            for shape in owner.placeholders
            if shape.placeholder_format.type in (KIND.TITLE, KIND.CENTER_TITLE)
            for size in shape._element.xpath(sizes)
        ]
    found += layout.slide_master._element.xpath("./p:txStyles/p:titleStyle/a:lvl1pPr/a:defRPr/@sz")
    return int(found[0]) / 100 if found else _TITLE_PT
