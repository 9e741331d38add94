"""The findings of ``boxbench doctor`` for a terminal."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.doctor.check import Check
from bench.util.text import plain_lines

_COLUMNS: Final = 78
"""Two less than a terminal has: a row may end with the sign that the next one belongs to it."""
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


def lines_text(lines: Sequence[str]) -> str:
    """The commands that mend a machine, to be copied into a shell: none is wider than 80 columns; empty without one."""
    if not lines:
        return ""
    listed = "\n".join(row for line in lines for row in _folded(plain_lines(line)))
    return f"\nTo install what is missing on this machine:\n{listed}\n"


def _folded(line: str) -> Iterator[str]:
    """A command in rows for the shell, broken between its words. A word that is longer than a row stays whole.

    Each row of a comment begins with its sign.
    """
    if line.startswith("#"):
        words = textwrap.wrap(line.removeprefix("# "), _COLUMNS - 4, break_long_words=False, break_on_hyphens=False)
        yield from (f"  # {row}" for row in words)
        return
    row = " "
    for word in shlex.split(line):
        quoted = word if word == "&&" else shlex.quote(word)
        if row.strip() and len(row) + len(quoted) + 1 > _COLUMNS:
            yield f"{row} \\"
            row = "   "
        row = f"{row} {quoted}"
    yield row
