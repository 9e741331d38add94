"""Progress of a simulation: one line on stderr that changes, on a terminal alone. Files and pipes get none."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from bench.cli.console import console
from bench.util.text import plain

_SPINNER: Final = 3
"""Columns that the spinner and the blanks beside it take."""


class Step(AbstractContextManager["Step"]):
    """Shows which step runs. A context manager: at its end the line is gone."""

    def __init__(self) -> None:
        self._console: Console = console(stderr=True)
        self._status = (
            Status(self._line("reading the model"), console=self._console) if self._console.is_terminal else None
        )

    def __enter__(self) -> Step:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, line: str) -> None:
        """Show a step in place of the one before."""
        if self._status is not None:
            self._status.update(self._line(line))

    def _line(self, text: str) -> Text:
        """A step as one line: what is too long for the terminal is cut."""
        shown = Text(plain(text))
        shown.truncate(max(1, self._console.width - _SPINNER), overflow="ellipsis")
        return shown
