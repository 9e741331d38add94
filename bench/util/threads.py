"""Threads that keep the error that ended them: nobody else would hear of it."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable

from bench.util.errors import ThreadDiedError
from bench.util.text import plain

_MOST_TEXT = 1000


def error_text(error: BaseException) -> str:
    """An error with its type on one line that every record can hold: ``OSError: [Errno 5] Input/output error``."""
    return plain("".join(traceback.format_exception_only(error)).strip())[:_MOST_TEXT]


class WatchedThread(threading.Thread):
    """A daemon thread. Whoever joins it asks for its error.

    Args:
        on_error: called in the thread when an error has ended it.
    """

    def __init__(self, work: Callable[[], object], *, name: str, on_error: Callable[[], object] = lambda: None) -> None:
        super().__init__(name=name, daemon=True)
        self.error: Exception | None = None
        self._work = work
        self._on_error = on_error

    def run(self) -> None:
        """Do the work, and keep the error that ends it."""
        try:
            self._work()
        except Exception as error:
            self.error = error
            self._on_error()

    def why_ended(self) -> str | None:
        """What ended the thread, for a doubt; None when it has ended in order or still runs."""
        return None if self.error is None else f"the thread {self.name} ended: {error_text(self.error)}"

    def check(self) -> None:
        """Raise ThreadDiedError, with the kept error as its cause, if there is one."""
        if self.error is not None:
            died = ThreadDiedError(
                f"what the thread {self.name} would have seen is missing, because it ended: {error_text(self.error)}",
                hint="this is a fault of boxbench or of the host; run it again",
            )
            died.__cause__ = self.error
            # A cause hides the error that is being handled here, which may be an interrupt.
            died.__suppress_context__ = False
            raise died
