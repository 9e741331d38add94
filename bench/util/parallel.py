"""Work that is shared with a copy of this process, where the host has a second CPU."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from bench.util.prctl import end_with

_Result = TypeVar("_Result")

_DISPLAY: Final = "rich.live"
_ENDS: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a command."""
_LEAST_PIECES: Final = 4
_NUMBER_BYTES: Final = 4
_MOST_PIECES: Final = 4096 // _NUMBER_BYTES
"""Their numbers fit into any pipe, so that writing them never waits."""


def can_share() -> bool:
    """Whether this process may be copied, and a second CPU would run the copy.

    A copy has no threads but the one that asks for it. What another thread holds locked stays locked there for ever.
    That of a progress display holds nothing but the terminal, and a copy never writes to that.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return len(os.sched_getaffinity(0)) > 1 and all(type(thread).__module__ == _DISPLAY for thread in others)


def shared_out(count: int, work: Callable[[int], _Result]) -> list[_Result]:
    """``work(0)``, ``work(1)``, ... up to ``count``, as this process alone would make them, with the help of a copy.

    The copy sees what this process has in memory now, and only its results come back. What it did not finish, because
    it failed or was killed, is done here. So an error is raised here as well.

    Args:
        work: its results can be pickled, and do not depend on what other pieces of work leave behind.
    """
    if not _LEAST_PIECES <= count <= _MOST_PIECES or not can_share():
        return [work(number) for number in range(count)]
    with _numbers(count) as pipe, _copy(lambda: _done(pipe, work)) as results:
        found = _done(pipe, work)
        found |= _received(results)
    return [found[number] if number in found else work(number) for number in range(count)]


@contextmanager
def _numbers(count: int) -> Iterator[int]:
    """A pipe that holds the numbers below ``count``. Each is read once, whoever reads it."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b"".join(number.to_bytes(_NUMBER_BYTES, "little") for number in range(count)))
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _done(pipe: int, work: Callable[[int], _Result]) -> dict[int, _Result]:
    """Take pieces until there are none; returns the results by number."""
    found: dict[int, _Result] = {}
    while number := os.read(pipe, _NUMBER_BYTES):
        at = int.from_bytes(number, "little")
        found[at] = work(at)
    return found


@contextmanager
def _copy(work: Callable[[], Any]) -> Iterator[IO[bytes]]:
    """A copy of this process that works meanwhile; gives the pipe with its pickled result. It is gone afterwards."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as results:
        # A signal that came just now would run the original's handlers in the copy, and lose the copy in the original.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
        process = 0
        try:
            process = _forked()
            if not process:
                _work_and_exit(work, reader, writer, before)
            os.close(writer)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield results
        finally:
            if process > 0:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(process, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _forked() -> int:
    """As ``os.fork``, and the copy ends with its original; -1: the host has no room for one, which only costs time."""
    original = os.getpid()
    with warnings.catch_warnings():
        # The threads of numpy's BLAS wait for work, and it has handlers of its own for copies.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            process = os.fork()
        except OSError:
            return -1
    if not process:
        # An original that is killed cannot end its copy, which would draw on for nobody.
        try:
            end_with(original)
        except OSError:
            os._exit(1)
    return process


def _work_and_exit(work: Callable[[], Any], reader: int, writer: int, mask: Iterable[int]) -> None:
    """In the copy. Nothing of the original may run on here: no handler at its end, no buffer that it would write."""
    # Another thread may have been writing to the terminal just now. A stream that nobody holds would be flushed.
    code, _held = 1, (sys.stdout, sys.stderr)
    try:
        os.close(reader)
        warnings.simplefilter("ignore")
        # The original reports errors, and removes what is to be removed after an interruption.
        for end in _ENDS:
            signal.signal(end, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, os.fdopen(writer, "wb") as results:
            sys.stdout = sys.stderr = nowhere
            pickle.dump(work(), results, protocol=pickle.HIGHEST_PROTOCOL)
        code = 0
    finally:
        os._exit(code)


def _received(results: IO[bytes]) -> dict[int, Any]:
    """What the copy made; nothing where it ended before it had written everything."""
    try:
        # From our own copy, through a pipe that nobody else has.
        found: dict[int, Any] = pickle.load(results)
    except (EOFError, pickle.UnpicklingError):
        return {}
    return found
