"""Progress of a simulation on stderr: one line that changes on a terminal, one line per step elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.text import Text

from bench.cli.console import console
from bench.cli.messages import note
from bench.util.text import plain


class Step(AbstractContextManager["Step"]):
    """Shows which step runs. A context manager: at its end the line is gone."""

    def __init__(self) -> None:
        self._console: Console = console(stderr=True)
        self._status = Status(Text("reading the model"), console=self._console) if self._console.is_terminal else None

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
            self._status.update(Text(plain(line)))
        else:
            note(f"simulating {line}")
