"""Tables on a terminal of any width: columns that do not fit go to a further table with the same first column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from bench.render.wrap import Name

_GAP: Final = 3
_NAME: Final = 24
"""The width that the first column keeps on a narrow terminal."""


class Fitted:
    """A table of text, its head first, in as many parts as the width needs. Numbers are never cut, names fold."""

    def __init__(self, table: Sequence[Sequence[str]]) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        head, rows = self._table[0], self._table[1:]
        for columns in column_parts(head, rows, options.max_width):
            shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in columns:
                shown.add_column(Text(head[column]), overflow="fold", no_wrap=False)
            for row in rows:
                shown.add_row(*(Text(row[column]) if column else Name(row[0]) for column in columns))
            yield shown
        yield Text("")


def column_parts(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, keys: tuple[int, ...] = (0,)
) -> list[list[int]]:
    """The columns of each part. Numbers are never cut, names keep some room.

    Args:
        keys: the columns that are in every part, the first one among them.
    """
    widths = [max([len(head[column]), *(len(row[column]) for row in rows)]) + _GAP for column in range(len(head))]
    room = width - min(widths[0], _NAME) - sum(widths[key] for key in keys[1:])
    found: list[list[int]] = [list(keys)]
    used = 0
    for column in range(len(head)):
        if column in keys:
            continue
        if used + widths[column] > room and len(found[-1]) > len(keys):
            found.append(list(keys))
            used = 0
        found[-1].append(column)
        used += widths[column]
    return found
