"""Lines of text files, also compressed ones, with errors that name file, line and value."""

from __future__ import annotations

import gzip
import io
import stat
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from bench.sim.traces.trace import TraceError
from bench.util.numbers import plain_number
from bench.util.text import plain
from bench.util.units import format_bytes

MOST_LINE: Final = 2**17
"""Characters of a line. A line of 1,440 counts has some 10,000."""
MOST_TEXT: Final = 2**33
"""Characters of a file, unpacked."""
MOST: Final = 1e8
"""The largest number of most columns: three years of seconds. Larger times leave 64 bits as sums of ns."""

_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = "the file is damaged or was not copied whole; get it again"
_CORRECT: Final = "correct or remove the line"
_MOST_SHOWN: Final = 60


def check_regular(file: Path, *, hint: str = "name a trace file that can be read") -> None:
    """Refuse what is no regular file. Raises TraceError: missing, a directory, a device, a pipe."""
    try:
        mode = file.stat().st_mode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise TraceError(f"{file}: {why}", hint=hint) from None
    if not stat.S_ISREG(mode):
        raise TraceError(
            f"{file} is a {_kind(mode)}, not a file", hint="traces are read several times: save this one as a file"
        )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


@contextmanager
def opened_text(file: Path) -> Iterator[IO[str]]:
    """A text file for reading; gzip is known by its first bytes. Raises TraceError: no regular file, or not text."""
    check_regular(file)
    try:
        with file.open("rb") as raw:
            packed = raw.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
            # A mark of the byte order at the beginning is no part of the first column.
            with io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
                yield text
    except UnicodeDecodeError as error:
        raise TraceError(f"{file}: not UTF-8 text: {error.reason}", hint=_DAMAGED) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{file}: cannot be unpacked: {error}", hint=_DAMAGED) from None
    except OSError as error:
        raise TraceError(f"{file}: {error.strerror or error}", hint="name a trace file that can be read") from None


def read_head(file: Path) -> list[str]:
    """The columns of the first line. Raises TraceError: as ``read_rows``, but for the head itself."""
    with opened_text(file) as text:
        return next(_lines(file, text), "").split(",")


def read_rows(file: Path, head: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines behind the head, each with its number from 1 and without its end.

    Args:
        head: the names of the columns, which the file must have in this order.

    Raises:
        TraceError: as ``opened_text``; another head; nothing behind the head; a line of more than ``MOST_LINE``
            characters or with a NUL; more than ``MOST_TEXT`` characters in all.
    """
    with opened_text(file) as text:
        lines = _lines(file, text)
        check_head(file, next(lines, "").split(","), head)
        empty = True
        for number, bare in enumerate(lines, start=2):
            if bare:
                empty = False
                yield number, bare
        if empty:
            raise TraceError(f"{file}: no line behind the head", hint="name a file with invocations")


def _lines(file: Path, text: IO[str]) -> Iterator[str]:
    """All lines without their ends. Raises TraceError: a line or the file is too long, or has a NUL."""
    number = size = 0
    while line := text.readline(MOST_LINE + 1):
        number += 1
        size += len(line)
        if len(line) > MOST_LINE:
            raise TraceError(f"{file}:{number}: the line has more than {MOST_LINE} characters", hint=_DAMAGED)
        if size > MOST_TEXT:
            raise TraceError(
                f"{file}: more than {format_bytes(MOST_TEXT)} of text", hint="cut the trace into parts, and name one"
            )
        if "\0" in line:
            raise TraceError(f"{file}:{number}: the line has a NUL character", hint=_DAMAGED)
        yield line.rstrip("\r\n")


def check_head(file: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    """Refuse another head. Raises TraceError, which names the first column that differs and both heads."""
    if list(found) == list(expected):
        return
    place = next(
        (number for number, (one, other) in enumerate(zip(found, expected, strict=False)) if one != other),
        min(len(found), len(expected)),
    )
    one = repr(_short(found[place])) if place < len(found) else "no such column"
    other = repr(expected[place]) if place < len(expected) else "no such column"
    raise TraceError(
        f"{file}:1: column {place + 1} is {one}, expected {other}; found {_listed(found)}; "
        f"expected {_listed(expected)}",
        hint="name a file of this format, with its head as it was published",
    )


def _listed(names: Sequence[str]) -> str:
    shown = [_short(name) for name in names]
    return ",".join(shown) if len(shown) <= 16 else f"{','.join(shown[:8])},...,{shown[-1]} ({len(shown)} columns)"


def _short(text: str) -> str:
    text = plain(text)
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def fields_of(file: Path, number: int, line: str, head: Sequence[str]) -> list[str]:
    """The columns of a line. Raises TraceError: too few or too many."""
    fields = line.split(",")
    if len(fields) != len(head):
        raise TraceError(f"{file}:{number}: {len(fields)} columns, the head has {len(head)}", hint=_CORRECT)
    return fields


def number_of(
    file: Path, number: int, column: str, text: str, *, least: float = 0.0, most: float = MOST, hint: str = _CORRECT
) -> float:
    """A number from ``least`` to ``most``, in ASCII digits. Raises TraceError, which names the limit."""
    where = f"{file}:{number}: {column} is"
    value = plain_number(text.strip(" "))
    if value is None:
        raise TraceError(f"{where} {_short(text)!r}, not a number", hint=hint)
    if value < least:
        raise TraceError(f"{where} {_short(text)}, less than {least:g}", hint=hint)
    if value > most:
        raise TraceError(f"{where} {_short(text)}, more than {most:.12g}", hint=hint)
    return value
