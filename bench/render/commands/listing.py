"""Lists of names for a terminal, with text that wraps beside each name."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def listing(entries: Iterable[tuple[str, str, str]]) -> RenderableType:
    """One row per entry (name, text, remark). The remark is below the text."""
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text, remark in entries:
        table.add_row(Text(name, style="bold"), Text(f"{text}\n").append(remark, style="dim"))
    return table
