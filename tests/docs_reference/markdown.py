"""Parts of a Markdown page: text that is shown as it is, tables, and the line that says how the page is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

MADE: Final = "This page is made by `python -m tests.docs_reference` from the program itself."
_SPAN: Final = re.compile(r"(`[^`]*`)")
_SPECIAL: Final = re.compile(r"([\\*_<>\[\]])")
_MARKS: Final = re.compile(r"``([^`]+)``")


def shown(text: str) -> str:
    """Text as it is, on one line: nothing in it is an instruction of Markdown but spans of code."""
    line = " ".join(_MARKS.sub(r"`\1`", text).split())
    return "".join(part if part.startswith("`") else _SPECIAL.sub(r"\\\1", part) for part in _SPAN.split(line))


def code(text: str) -> str:
    """A span of code."""
    return f"`{text}`" if text else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "") -> Iterator[str]:
    """The lines of a table, an empty one after it; none without rows.

    Args:
        heads: titles of the columns.
        rows: cells, which are Markdown.
        align: a letter for each column, ``l`` or ``r``; left if empty.
    """
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    if lines:
        marks = ("--:" if letter == "r" else ":--" for letter in align or "l" * len(heads))
        yield from ("| " + " | ".join(heads) + " |", "| " + " | ".join(marks) + " |", *lines, "")


def page(title: str, *parts: Iterable[str]) -> str:
    """A page: its title, the line that says how it is made, and the lines of its parts."""
    lines = [f"# {title}", "", MADE, "", *(line for part in parts for line in part)]
    return "\n".join(lines).rstrip("\n") + "\n"
