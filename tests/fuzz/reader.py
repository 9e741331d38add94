"""What a fuzzed reader is, and what happens to one input."""

from __future__ import annotations

import re
import resource
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final, Literal, TypeVar

from bench.util.errors import BoxbenchError

MOST_CPU_S: Final = 20.0
"""CPU time of one input. The slowest valid input takes some tenths of a second."""
MOST_WAIT_S: Final = 300.0
"""Time of one input on the clock, for a reader that waits instead of computing."""
MOST_MEMORY_KIB: Final = 512 * 1024
"""By how much one input may raise the largest memory use of the process."""
MOST_MESSAGE: Final = 20_000
"""The longest message of an error, in characters, beside what it quotes of the input."""

Mutate = Callable[[Random, Sequence[bytes]], bytes]
"""Makes one input from a source of chance and valid inputs."""
Found = TypeVar("Found")
Outcome = Literal["accepted", "refused"]


@dataclass(frozen=True)
class Reader:
    """One fuzzed reader.

    Attributes:
        seeds: valid inputs, each of which ``check`` accepts.
        mutate: makes an input from them.
        check: reads one input in a scratch directory that keeps its files between inputs. It returns when the input is
            valid, raises BoxbenchError when it is refused, and anything else is a finding.
        share: how many inputs it gets in a long run, relative to the others. Slow readers get fewer.
        host: it starts processes.
        why_not: the reason why this host cannot run it; None when it can.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    mutate: Mutate
    check: Callable[[bytes, Path], object]
    share: int = 100
    host: bool = False
    why_not: Callable[[], str | None] = lambda: None


class RefusedError(BoxbenchError):
    """Stands for an exception of another type that a reader's docstring promises."""


class ResourceError(Exception):
    """An input took too long or too much memory."""


@contextmanager
def promised(*kinds: type[Exception]) -> Iterator[None]:
    """Treat exceptions that a docstring promises as a refusal."""
    try:
        yield
    except kinds as error:
        raise RefusedError(f"{type(error).__name__}: {error}", hint="promised by the docstring") from None


def again(read: Callable[[], Found]) -> Found:
    """Read what we have written ourselves: a refusal is a finding."""
    try:
        return read()
    except BoxbenchError as error:
        raise AssertionError(f"what was written cannot be read again: {error.code}: {error.message}") from error


def same(one: object, other: object) -> None:
    """Fail unless two values are equal. NaN is not expected anywhere."""
    if one != other:
        raise AssertionError(f"not the same after a round trip: {one!r:.2000} and {other!r:.2000}")


def try_input(reader: Reader, data: bytes, scratch: Path) -> tuple[Outcome, str]:
    """Check one input. Returns the outcome, and a text that is the same for inputs with the same kind of outcome.

    Raises:
        Exception: a finding.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _limited_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.check(data, scratch)
        outcome: tuple[Outcome, str] = "accepted", ""
    except BoxbenchError as error:
        _check_error(error, MOST_MESSAGE + 12 * len(data))
        outcome = "refused", _kind(error)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > MOST_MEMORY_KIB:
        raise ResourceError(f"{reader.name}: one input took {grown} KiB of memory")
    return outcome


def _check_error(error: BoxbenchError, most: int) -> None:
    """An error has a message and a hint that can be printed and stored, of a bearable length."""
    for name, text in (("message", error.message), ("hint", error.hint)):
        if not text.strip():
            raise AssertionError(f"{error.code} without a {name}") from error
        if len(text) > most:
            raise AssertionError(f"{error.code} with a {name} of {len(text)} characters") from error


def _kind(error: BoxbenchError) -> str:
    """The error without the values in it."""
    return error.code + re.sub(r"'[^']*'|\"[^\"]*\"|[^A-Za-z ]+", "", error.message)[-120:]


@contextmanager
def _limited_time() -> Iterator[None]:
    signal.signal(signal.SIGVTALRM, _expire)
    signal.signal(signal.SIGALRM, _expire)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, MOST_WAIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _expire(number: int, _frame: FrameType | None) -> None:
    limit = f"{MOST_CPU_S:g} s of CPU time" if number == signal.SIGVTALRM else f"{MOST_WAIT_S:g} s"
    raise ResourceError(f"an input took more than {limit}")
