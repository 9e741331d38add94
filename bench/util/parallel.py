"""Work that is shared with a copy of this process, where the host has a second CPU."""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Generic, NamedTuple, TypeVar

from bench.util.interrupts import SIGNALS
from bench.util.prctl import end_with

_Result = TypeVar("_Result")
_Further = TypeVar("_Further")

_DISPLAY: Final = "rich.live"
_LIMIT_S: Final = 300.0
"""A copy that sends no result for so long hangs. No piece of work takes a tenth of that."""
_LEAST_PIECES: Final = 4
_NUMBER_BYTES: Final = 4
_MOST_PIECES: Final = 4096 // _NUMBER_BYTES
"""Their numbers fit into any pipe, so that writing them never waits."""
_PLACE: Final = struct.Struct("<QQQ")
"""The number of a result, and the first byte and the length of its text in the file of results."""

_Send = Callable[[int, Any], None]


def can_share() -> bool:
    """Whether this process may be copied, and a second CPU would run the copy.

    A copy has no threads but the one that asks for it. What another thread holds locked stays locked there for ever.
    That of a progress display holds nothing but the terminal, and a copy never writes to that.
    """
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    return len(os.sched_getaffinity(0)) > 1 and all(type(thread).__module__ == _DISPLAY for thread in others)


def shared_out(count: int, work: Callable[[int], _Result], *, limit_s: float = _LIMIT_S) -> list[_Result]:
    """``work(0)``, ``work(1)``, ... up to ``count``, as this process alone would make them, with the help of a copy.

    The copy sees what this process has in memory now, and only its results come back. What it did not finish, because
    it failed, hung or was killed, is done here. So an error is raised here as well.

    Args:
        work: its results can be pickled, and do not depend on what other pieces of work leave behind.
        limit_s: a copy that is waited for, and sends no result for so long, is killed.
    """
    return list(shared_in_order(count, work, limit_s=limit_s))


def shared_in_order(
    count: int, work: Callable[[int], _Result], *, limit_s: float = _LIMIT_S
) -> Generator[_Result, None, None]:
    """As ``shared_out``, one result after another: each as soon as it and those before it are there.

    To close it ends the copy.
    """
    found: dict[int, _Result] = {}
    done = 0
    with _helped(count, lambda numbers, send: _work_off(numbers, work, send), limit_s) as (numbers, results):
        for number in numbers:
            found[number] = work(number)
            found |= results.come()
            while done in found:
                yield found.pop(done)
                done += 1
        found |= results.all()
    for number in range(done, count):
        yield found.pop(number) if number in found else work(number)


class Stages(Generic[_Result, _Further]):
    """Work in two stages, which a copy of this process has begun; see ``shared_stages``."""

    def __init__(
        self,
        count: int,
        stages: tuple[Callable[[int], _Result], Callable[[int], _Further]],
        numbers: Iterator[int],
        results: _Results,
    ) -> None:
        self._count = count
        self._first, self._second = stages
        self._numbers = numbers
        self._results = results
        self._mine: list[int] = []
        self._found: dict[int, Any] = {}

    def first(self) -> list[_Result]:
        """The results of the first stage. To be called once, and before ``second``."""
        for number in self._numbers:
            self._mine.append(number)
            self._found[number] = self._first(number)
        # The copy sends nothing of its second stage before all of its first.
        while not all(number in self._found for number in range(self._count)) and (more := self._results.next()):
            self._found |= more
        for number in range(self._count):
            if number not in self._found:
                self._mine.append(number)
                self._found[number] = self._first(number)
        return [self._found[number] for number in range(self._count)]

    def second(self) -> list[_Further]:
        """The results of the second stage."""
        for number in self._mine:
            self._found[self._count + number] = self._second(number)
        self._found |= self._results.all()
        return [self._further(number) for number in range(self._count)]

    def _further(self, number: int) -> _Further:
        if self._count + number not in self._found:
            self._first(number)
            self._found[self._count + number] = self._second(number)
        further: _Further = self._found[self._count + number]
        return further


@contextmanager
def shared_stages(
    count: int, first: Callable[[int], _Result], second: Callable[[int], _Further], *, limit_s: float = _LIMIT_S
) -> Iterator[Stages[_Result, _Further]]:
    """As ``shared_out`` for two stages, of which the copy begins the first at once, while this process does other work.

    Args:
        second: uses what ``first`` left in memory for the same number.
    """

    def both(numbers: Iterator[int], send: _Send) -> None:
        mine = []
        for number in numbers:
            mine.append(number)
            send(number, first(number))
        for number in mine:
            send(count + number, second(number))

    with _helped(count, both, limit_s) as (numbers, results):
        yield Stages(count, (first, second), numbers, results)


def _work_off(numbers: Iterator[int], work: Callable[[int], Any], send: _Send) -> None:
    for number in numbers:
        send(number, work(number))


@contextmanager
def _helped(
    count: int, work: Callable[[Iterator[int], _Send], None], limit_s: float
) -> Iterator[tuple[Iterator[int], _Results]]:
    """The numbers below ``count``, which this process and a copy take one by one, and the copy's results.

    Without a copy, where it does not pay or the host has no room for it, all numbers are for this process.
    """
    alone = iter(range(count)), _Results(None, limit_s)
    if not _LEAST_PIECES <= count <= _MOST_PIECES or not can_share():
        yield alone
        return
    with _numbers(count) as pipe:
        if pipe is None:
            yield alone
            return
        with _copy(lambda send: work(_taken(pipe), send), limit_s) as results:
            yield _taken(pipe), results


@contextmanager
def _numbers(count: int) -> Iterator[int | None]:
    """A pipe that holds the numbers below ``count``. Each is read once, whoever reads it. None: there is no pipe."""
    try:
        reader, writer = os.pipe()
    except OSError:
        yield None
        return
    try:
        os.write(writer, b"".join(number.to_bytes(_NUMBER_BYTES, "little") for number in range(count)))
        os.close(writer)
        yield reader
    finally:
        os.close(reader)


def _taken(pipe: int) -> Iterator[int]:
    """Numbers, until there are none."""
    while number := os.read(pipe, _NUMBER_BYTES):
        yield int.from_bytes(number, "little")


class _Files(NamedTuple):
    """Where the results of a copy are: a pipe, whose ends are ``reader`` and ``writer``, and a file in memory."""

    reader: int
    writer: int
    file: int


def _files() -> _Files | None:
    """New ones; None: the host has none, which only costs time."""
    try:
        reader, writer = os.pipe()
    except OSError:
        return None
    try:
        return _Files(reader, writer, os.memfd_create("results"))
    except (OSError, AttributeError):  # a C library of before 2018 does not have it
        os.close(reader)
        os.close(writer)
        return None


class _Results:
    """What a copy has made: a pipe says where each result is in a file, so that the copy never waits for a reader."""

    def __init__(self, files: _Files | None, limit_s: float, process: int = 0) -> None:
        """None: there is no copy."""
        self._files = files
        self._limit_s = limit_s
        self._process = process

    def next(self) -> dict[int, Any]:
        """The next result by its number, once it is there; nothing when the copy has ended."""
        while place := self._place():
            if found := self._result(place):
                return found
        return {}

    def come(self) -> dict[int, Any]:
        """All that have come, by number."""
        found: dict[int, Any] = {}
        while self._has_come(0) and (place := self._place()):
            found |= self._result(place)
        return found

    def all(self) -> dict[int, Any]:
        """All that were not read, by number, once the copy has ended."""
        found: dict[int, Any] = {}
        while place := self._place():
            found |= self._result(place)
        return found

    def _has_come(self, limit_s: float) -> bool:
        return self._files is not None and bool(select.select([self._files.reader], [], [], limit_s)[0])

    def _place(self) -> bytes:
        """Where the next result is; empty when the copy has ended. One that hangs is ended."""
        if self._files is None:
            return b""
        if not self._has_come(self._limit_s):
            _kill(self._process)
        return os.read(self._files.reader, _PLACE.size)

    def _result(self, place: bytes) -> dict[int, Any]:
        """A result by its number; nothing where it cannot be read back."""
        assert self._files is not None
        number, start, length = _PLACE.unpack(place)
        try:
            # From our own copy, through a file that nobody else has.
            return {number: pickle.loads(_content(self._files.file, start, length))}
        except (EOFError, pickle.UnpicklingError):
            return {}


def _content(file: int, start: int, length: int) -> bytes:
    """One read gives at most 2 GiB."""
    content = bytearray()
    while len(content) < length and (part := os.pread(file, length - len(content), start + len(content))):
        content += part
    return bytes(content)


@contextmanager
def _copy(work: Callable[[_Send], None], limit_s: float) -> Iterator[_Results]:
    """A copy of this process that works meanwhile; gives its results. It is gone afterwards."""
    files = _files()
    if files is None:
        yield _Results(None, limit_s)
        return
    # A signal that came just now would run the original's handlers in the copy, and lose the copy in the original.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    process = 0
    try:
        process = _forked()
        if not process:
            _work_and_exit(work, files, before)
        os.close(files.writer)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield _Results(files, limit_s, process)
    finally:
        _kill(process)
        if process > 0:
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        os.close(files.reader)
        os.close(files.file)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kill(process: int) -> None:
    """End a copy, if there is one. It keeps its number until it is waited for."""
    if process > 0:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


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


def _work_and_exit(work: Callable[[_Send], None], files: _Files, mask: Iterable[int]) -> None:
    """In the copy. Nothing of the original may run on here: no handler at its end, no buffer that it would write."""
    # Another thread may have been writing to the terminal just now. A stream that nobody holds would be flushed.
    code, _held = 1, (sys.stdout, sys.stderr)
    try:
        os.close(files.reader)
        warnings.simplefilter("ignore")
        # The original reports errors, and removes what is to be removed after an interruption.
        for end in SIGNALS:
            if signal.getsignal(end) is not signal.SIG_IGN:
                signal.signal(end, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, os.fdopen(files.file, "wb") as results:
            sys.stdout = sys.stderr = nowhere

            def send(number: int, result: Any) -> None:
                start = results.tell()
                pickle.dump(result, results, protocol=pickle.HIGHEST_PROTOCOL)
                results.flush()
                os.write(files.writer, _PLACE.pack(number, start, results.tell() - start))

            work(send)
        code = 0
    finally:
        os._exit(code)
