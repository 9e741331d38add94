"""Signals that end the program: the first one does it in order, and the next ones do not disturb that."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; a stopped CI job or a shutdown; a closed terminal."""


@contextmanager
def ended_by_signals(on_further: Callable[[], object]) -> Iterator[None]:
    """Run the program: each of SIGNALS raises KeyboardInterrupt in the main thread, unless one is being handled.

    After the block the process is about to exit, and SIGNALS are ignored. A signal that this process was started to
    ignore stays ignored: that is how ``nohup`` works.

    Args:
        on_further: called in the signal handler when a signal is only noted.
    """

    def receive(_number: int, _frame: FrameType | None) -> None:
        # No flag says that an interrupt is being handled: Python drops an exception that is raised in a destructor or
        # a callback, and after that no signal would end the program.
        if _unwinding(sys.exception()):
            on_further()
        else:
            raise KeyboardInterrupt

    heeded = _heeded()
    for number in heeded:
        signal.signal(number, receive)
    try:
        yield
    finally:
        # At its exit Python gives signals back their default effect, which would replace the exit code.
        for number in heeded:
            signal.signal(number, signal.SIG_IGN)


def _unwinding(error: BaseException | None) -> bool:
    """Whether an interrupt is among an error and those that were being handled when it was raised."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


@contextmanager
def held_back() -> Iterator[None]:
    """Let signals take effect at the end of the block only, for a removal that must not be broken off.

    In a thread other than the main one, which receives no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    former: dict[int, Any] = {}
    try:
        for number in _heeded():
            former[number] = signal.signal(number, lambda number, _frame: received.append(number))
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _heeded() -> list[int]:
    """Those of SIGNALS that this process does not ignore, and whose handler, if any, is Python's."""
    return [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
