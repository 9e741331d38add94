"""Progress of a simulation on stderr: a line that changes on a terminal, and elsewhere a line now and then.

Who reads a file or a pipe learns at least every 30 s that the simulation runs, and at which step it is.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.status import Status
from rich.text import Text

from bench.cli.console import console
from bench.cli.messages import note
from bench.util.clock import MonotonicClock
from bench.util.text import plain
from bench.util.units import format_span

EVERY_S: Final = 30.0
"""Time between two lines where there is no terminal."""
_SPINNER: Final = 3
"""Columns that the spinner and the blanks beside it take."""


class Reminder(AbstractContextManager["Reminder"]):
    """Prints the latest step and how long all has taken, every ``every_s`` seconds, from a thread of its own.

    The step loops run in slices, so the thread gets its turn while one of them computes.
    """

    def __init__(self, line: str, *, every_s: float = EVERY_S) -> None:
        self.line = line
        """The latest step, for the next reminder."""
        self._every_s = every_s
        self._clock = MonotonicClock()
        self._begun_ns = self._clock.now_ns()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._remind, daemon=True)

    def __enter__(self) -> Reminder:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """Print a step at once."""
        self.line = line
        note(line)

    def _remind(self) -> None:
        while not self._ended.wait(self._every_s):
            seconds = (self._clock.now_ns() - self._begun_ns) // 10**9
            note(f"{plain(self.line)} ({format_span(seconds * 10**9)} so far)")


class Step(AbstractContextManager["Step"]):
    """Shows which step runs. A context manager: at its end the line of a terminal is gone."""

    def __init__(self, line: str = "reading the model", *, every_s: float = EVERY_S) -> None:
        self._console: Console = console(stderr=True)
        self._status = Status(self._line(line), console=self._console) if self._console.is_terminal else None
        self._reminder = None if self._console.is_terminal else Reminder(line, every_s=every_s)

    def __enter__(self) -> Step:
        if self._status is not None:
            self._status.start()
        if self._reminder is not None:
            self._reminder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()
        if self._reminder is not None:
            self._reminder.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        """Show a step in place of the one before."""
        if self._status is not None:
            self._status.update(self._line(line))
        if self._reminder is not None:
            self._reminder.line = line

    def _line(self, text: str) -> Text:
        """A step as one line: what is too long for the terminal is cut."""
        shown = Text(plain(text))
        shown.truncate(max(1, self._console.width - _SPINNER), overflow="ellipsis")
        return shown
