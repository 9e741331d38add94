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
from typing import Any, Final, Generic, TypeVar

from bench.util.prctl import end_with

_Result = TypeVar("_Result")
_Further = TypeVar("_Further")

_DISPLAY: Final = "rich.live"
_ENDS: Final = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a command."""
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


def shared_out(count: int, work: Callable[[int], _Result]) -> list[_Result]:
    """``work(0)``, ``work(1)``, ... up to ``count``, as this process alone would make them, with the help of a copy.

    The copy sees what this process has in memory now, and only its results come back. What it did not finish, because
    it failed or was killed, is done here. So an error is raised here as well.

    Args:
        work: its results can be pickled, and do not depend on what other pieces of work leave behind.
    """
    return list(shared_in_order(count, work))


def shared_in_order(count: int, work: Callable[[int], _Result]) -> Generator[_Result, None, None]:
    """As ``shared_out``, one result after another: each as soon as it and those before it are there.

    To close it ends the copy.
    """
    found: dict[int, _Result] = {}
    done = 0
    with _helped(count, lambda numbers, send: _work_off(numbers, work, send)) as (numbers, results):
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
    count: int, first: Callable[[int], _Result], second: Callable[[int], _Further]
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

    with _helped(count, both) as (numbers, results):
        yield Stages(count, (first, second), numbers, results)


def _work_off(numbers: Iterator[int], work: Callable[[int], Any], send: _Send) -> None:
    for number in numbers:
        send(number, work(number))


@contextmanager
def _helped(count: int, work: Callable[[Iterator[int], _Send], None]) -> Iterator[tuple[Iterator[int], _Results]]:
    """The numbers below ``count``, which this process and a copy take one by one, and the copy's results.

    Without a copy, where it does not pay, all numbers are for this process.
    """
    if not _LEAST_PIECES <= count <= _MOST_PIECES or not can_share():
        yield iter(range(count)), _Results(None, None)
        return
    with _numbers(count) as pipe, _copy(lambda send: work(_taken(pipe), send)) as results:
        yield _taken(pipe), results


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


def _taken(pipe: int) -> Iterator[int]:
    """Numbers, until there are none."""
    while number := os.read(pipe, _NUMBER_BYTES):
        yield int.from_bytes(number, "little")


class _Results:
    """What a copy has made: a pipe says where each result is in a file, so that the copy never waits for a reader."""

    def __init__(self, pipe: int | None, file: int | None) -> None:
        """None, None: there is no copy."""
        self._pipe = pipe
        self._file = file

    def next(self) -> dict[int, Any]:
        """The next result by its number, once it is there; nothing when the copy has ended."""
        if self._pipe is None or self._file is None:
            return {}
        place = os.read(self._pipe, _PLACE.size)
        if not place:
            return {}
        number, start, length = _PLACE.unpack(place)
        # From our own copy, through a file that nobody else has.
        return {number: pickle.loads(os.pread(self._file, length, start))}

    def come(self) -> dict[int, Any]:
        """All that have come, by number."""
        found: dict[int, Any] = {}
        while self._pipe is not None and select.select([self._pipe], [], [], 0)[0] and (more := self.next()):
            found |= more
        return found

    def all(self) -> dict[int, Any]:
        """All that were not read, by number, once the copy has ended."""
        found: dict[int, Any] = {}
        while more := self.next():
            found |= more
        return found


@contextmanager
def _copy(work: Callable[[_Send], None]) -> Iterator[_Results]:
    """A copy of this process that works meanwhile; gives its results. It is gone afterwards."""
    reader, writer = os.pipe()
    file = os.memfd_create("results")
    # A signal that came just now would run the original's handlers in the copy, and lose the copy in the original.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    process = 0
    try:
        process = _forked()
        if not process:
            _work_and_exit(work, (reader, writer, file), before)
        os.close(writer)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield _Results(reader, file)
    finally:
        if process > 0:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
        os.close(reader)
        os.close(file)
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


def _work_and_exit(work: Callable[[_Send], None], files: tuple[int, int, int], mask: Iterable[int]) -> None:
    """In the copy. Nothing of the original may run on here: no handler at its end, no buffer that it would write."""
    # Another thread may have been writing to the terminal just now. A stream that nobody holds would be flushed.
    code, _held = 1, (sys.stdout, sys.stderr)
    try:
        reader, pipe, file = files
        os.close(reader)
        warnings.simplefilter("ignore")
        # The original reports errors, and removes what is to be removed after an interruption.
        for end in _ENDS:
            signal.signal(end, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, os.fdopen(file, "wb") as results:
            sys.stdout = sys.stderr = nowhere

            def send(number: int, result: Any) -> None:
                start = results.tell()
                pickle.dump(result, results, protocol=pickle.HIGHEST_PROTOCOL)
                results.flush()
                os.write(pipe, _PLACE.pack(number, start, results.tell() - start))

            work(send)
        code = 0
    finally:
        os._exit(code)
