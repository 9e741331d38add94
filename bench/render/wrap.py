"""Names of cells in narrow columns: broken between their parts, never inside a part that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

# After "/" and "," and blanks, before "[" and "{": `libvirt-full` and `[firmware=ovmf]/tcg`.
SEAM: Final = re.compile(r"(?<=[/,\s])|(?=[\[{])")
"""Where the name of a cell may be broken."""


class Name:
    """A name in a cell of a table. rich itself would cut it where the column ends."""

    def __init__(self, text: str, style: str = "") -> None:
        self._text, self._style = text, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Text, not a string: rich would read a string as markup, and labels hold text from users.
        yield Text("\n".join(broken(self._text, options.max_width)), style=self._style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(max(map(len, SEAM.split(self._text))), len(self._text))


def broken(name: str, width: int) -> Iterator[str]:
    """The name in lines of at most ``width`` characters; a part that is longer is cut."""
    line = ""
    for part in SEAM.split(name):
        if line and len(line) + len(part.rstrip()) > width:
            yield line.rstrip()
            line = ""
        line += part
        while len(line.rstrip()) > width:
            yield line[:width]
            line = line[width:]
    yield line.rstrip()
