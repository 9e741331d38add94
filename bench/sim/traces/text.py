"""Lines of text files, also compressed ones, with errors that name file, line and value."""

from __future__ import annotations

import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from bench.sim.traces.trace import TraceError
from bench.util.text import plain

_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = "the file is damaged or was not copied whole; get it again"
_MOST_SHOWN: Final = 60


@contextmanager
def opened_text(file: Path) -> Iterator[IO[str]]:
    """A text file for reading; gzip is recognised by its first bytes. Raises TraceError: missing, damaged, not text."""
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


def read_rows(file: Path, head: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines behind the head, each with its number from 1 and without its end.

    Args:
        head: the names of the columns, which the file must have in this order.

    Raises:
        TraceError: as ``opened_text``; another head; nothing behind the head.
    """
    with opened_text(file) as text:
        check_head(file, _bare(next(text, "")).split(","), head)
        empty = True
        for number, line in enumerate(text, start=2):
            bare = _bare(line)
            if bare:
                empty = False
                yield number, bare
        if empty:
            raise TraceError(f"{file}: no line behind the head", hint="name a file with invocations")


def _bare(line: str) -> str:
    return line.rstrip("\r\n")


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
        raise TraceError(
            f"{file}:{number}: {len(fields)} columns, the head has {len(head)}", hint="correct or remove the line"
        )
    return fields


MOST: Final = 1e8
"""The largest number in a trace: three years of seconds. Larger times leave 64 bits as sums of ns."""


def number_of(file: Path, number: int, column: str, text: str, *, least: float = 0.0) -> float:
    """A finite number of at least ``least`` and at most MOST. Raises TraceError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TraceError(
            f"{file}:{number}: {column} is {_short(text)!r}, not a number", hint="correct or remove the line"
        )
    if value < least:
        raise TraceError(
            f"{file}:{number}: {column} is {_short(text)}, less than {least:g}", hint="correct or remove the line"
        )
    if value > MOST:
        raise TraceError(
            f"{file}:{number}: {column} is {_short(text)}, more than {MOST:g}",
            hint="correct or remove the line; times count from the beginning of the trace",
        )
    return value
