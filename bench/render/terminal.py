"""A report as rich tables, readable at 80 columns and as plain text without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.render.content import BoxRow, Column, Section, View
from bench.render.fitted import column_parts
from bench.render.footnotes import brief_footnotes
from bench.render.sections.certificate import certificate_line
from bench.render.sections.problems import ProblemGroup
from bench.render.sections.table import ReportTable
from bench.render.text import alone
from bench.render.wrap import SEAM, Name

_WIDE: Final = 124
"""The width from which one table holds everything; narrower terminals get two."""

_GAP: Final = 3
"""Characters between two columns."""

_NAME: Final = 16
"""Names of this length are not broken at all."""

_MOST_ROWS: Final = 24
"""Rows of one table on a narrow terminal. The first rows matter most."""


class _Section:
    """One scenario. The number of its tables depends on the width, which only the console knows."""

    def __init__(self, section: Section) -> None:
        self._section = section

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        section = self._section
        yield Text(section.answer.text, style="bold")
        if section.answer.shape:
            yield Text(section.answer.shape)
        if section.answer.warning:
            yield Text(section.answer.warning, style="yellow")
        time, cost = section.times, section.costs
        if options.max_width >= _WIDE:
            yield _table(section.rows, [*time, *cost])
        else:
            yield _table(section.rows, _narrowed(section.rows, time, options.max_width))
            yield _table(section.rows, cost)
        for found in (*section.first_starts, *section.storms, *section.residents, *section.exercises):
            yield from _plain(found, width=options.max_width)
        for note in section.notes:
            yield Text(f"· {note}", style="dim")
        yield Text("")


def view_report(view: View) -> RenderableType:
    """The whole report: per scenario its answer and tables, then failures, doubts and footnotes. Never prints."""
    parts: list[RenderableType] = [Text(view.origin, style="bold yellow"), Text("")] if view.origin else []
    parts += [_Section(section) for section in view.sections]
    parts += [Text(view.extent, style="dim")]
    parts += _certificates(view)
    parts += _list("Failed", [line for group in view.failures for line in _failed(group)])
    parts += _list("Doubts", view.doubt_kinds)
    parts += _list("Left out, and notes on the host", view.left_out)
    parts += [Text(note, style="dim") for note in brief_footnotes(view.sections)]
    return Group(*parts)


def _failed(group: ProblemGroup) -> Iterator[str]:
    yield f"{group.title}: {group.text}"
    yield from (f"  │ {line}" for line in group.said)


def _certificates(view: View) -> list[RenderableType]:
    lines = []
    for certificate in view.certificates:
        line = certificate_line(certificate)
        lines.append(Text(f"{certificate.scenario}: ").append_text(line) if len(view.certificates) > 1 else line)
    return [*lines, Text("")] if lines else []


def _narrowed(rows: Sequence[BoxRow], columns: list[Column], width: int) -> list[Column]:
    """The columns, without the intervals of medians where names would else be cut. The ratio keeps its interval."""
    parts = max((len(part.rstrip()) for row in rows for part in SEAM.split(row.label)), default=0)
    names = max(parts, min(_NAME, max((len(row.label) for row in rows), default=0)))
    texts = [max([len(head), *(len(read(row)) for row in rows)]) for head, read in columns]
    if names + sum(_GAP + size for size in texts) <= width:
        return columns
    return [(head, read if head.startswith("against ") else _short(read)) for head, read in columns]


def _short(read: Callable[[BoxRow], str]) -> Callable[[BoxRow], str]:
    return lambda row: alone(read(row))


def _table(rows: Iterable[BoxRow], columns: Sequence[Column]) -> Table:
    table = _empty(["box", *(head for head, _ in columns)])
    for row in rows:
        name = Name(row.label, style="bold" if row.is_baseline else "")
        # Text, not a string: rich would read a string as markup, and values hold text from guests.
        table.add_row(name, *(Text(read(row)) for _, read in columns))
    return table


def _plain(found: ReportTable, *, width: int) -> Iterator[RenderableType]:
    """A table in parts that fit the width. On a narrow terminal intervals are left out and rows are limited."""
    short = width < _WIDE
    rows = [[alone(cell) if short else cell for cell in row] for row in found.rows]
    shown = rows[:_MOST_ROWS] if short else rows
    yield Text(found.title, style="bold")
    for columns in column_parts(found.head, shown, width, keys=found.keys):
        table = _empty([found.head[column] for column in columns])
        for row in shown:
            table.add_row(*(Text(row[column]) if column else Name(row[column]) for column in columns))
        yield table
    if len(shown) < len(rows):
        yield Text(f"… and {len(rows) - len(shown)} more rows in the report", style="dim")


def _empty(heads: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for number, head in enumerate(heads):
        # Names fold, so that numbers stay on an 80-column terminal.
        table.add_column(Text(head), justify="left" if number == 0 else "right", overflow="fold", no_wrap=number > 0)
    return table


def _list(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [Text(title, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines), Text("")]
