"""An answer on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from bench.render.answer_tables import (
    READING,
    Table,
    bottleneck_table,
    distance_table,
    influence_table,
    number_table,
    ratio_table,
    switch_lines,
)
from bench.render.text import clean
from bench.render.wrap import Name
from bench.sim.answer.answer import Answer

_GAP: Final = 3
_NAME: Final = 24
_MOST: Final = 3
"""Parameters of each target that are shown; pages and JSON have all of them."""


def view_answer(answer: Answer) -> RenderableType:
    """The headline, the numbers, and everything that limits them. Never prints."""
    parts: list[RenderableType] = [
        Text(clean(answer.headline, limit=2000), style="bold"),
        Text(clean(answer.question, limit=2000), style="dim"),
        Text(""),
        _Fitted(number_table(answer)),
    ]
    parts += _section("", ratio_table(answer))
    parts += _section("Beyond the data?", distance_table(answer))
    parts += _section("What limits it", bottleneck_table(answer))
    parts += _lines("Where another takes over", switch_lines(answer))
    parts += _section("What decides what is open", influence_table(answer, most=_MOST))
    parts += _lines("Assumed, not measured", answer.assumed, "yellow")
    parts += _lines("What would make it surer", answer.identify)
    parts += _lines("Not in the model", answer.left_out)
    parts += [Text(f"· {line}", style="dim") for line in READING]
    parts.append(Text(f"model {answer.model} · seed {answer.seed} · {answer.draws} draws", style="dim"))
    return Group(*parts)


def _section(title: str, table: Table) -> Iterator[RenderableType]:
    if len(table) > 1:
        if title:
            yield Text(title, style="bold")
        yield _Fitted(table)


def _lines(title: str, lines: Sequence[str], style: str = "") -> Iterator[RenderableType]:
    if lines:
        yield Text(title, style="bold")
        yield from (Padding(Text(clean(line, limit=2000), style=style), (0, 0, 0, 2)) for line in lines)
        yield Text("")


class _Fitted:
    """A table whose columns are dealt to as many tables as the width needs. The first column is in each of them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for columns in _parts(self._table, options.max_width):
            shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
            for column in columns:
                shown.add_column(Text(self._table[0][column]), overflow="fold", no_wrap=False)
            for row in self._table[1:]:
                shown.add_row(*(Text(row[column]) if column else Name(row[0]) for column in columns))
            yield shown
        yield Text("")


def _parts(table: Table, width: int) -> list[list[int]]:
    widths = [max(len(row[column]) for row in table) + _GAP for column in range(len(table[0]))]
    room = width - min(widths[0], _NAME)
    parts: list[list[int]] = [[0]]
    used = 0
    for column in range(1, len(widths)):
        if used + widths[column] > room and len(parts[-1]) > 1:
            parts.append([0])
            used = 0
        parts[-1].append(column)
        used += widths[column]
    return parts
