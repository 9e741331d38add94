"""The findings of ``boxbench doctor`` for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.doctor.check import Check
from bench.util.text import plain_lines

_STYLE: Final = {"ok": "green", "info": "cyan", "warn": "yellow", "fail": "bold red"}


def checks_table(checks: Sequence[Check]) -> RenderableType:
    """One row per check, with its fix below the finding."""
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        text = Text(plain_lines(check.finding))
        if check.fix:
            text.append(f"\n→ {check.fix}", style="dim")
        table.add_row(Text(check.status, style=_STYLE[check.status]), check.name, text)
    return table
