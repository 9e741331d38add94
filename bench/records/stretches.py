"""Stretches of a file of records, so that several processes can read one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bench.records.record import Record, parse_record
from bench.util.nofollow import regular_file

_LEAST_BYTES: Final = 2**20
_MOST: Final = 512


class Stretch(NamedTuple):
    """Whole lines of a file, by their first byte and the byte after the last."""

    start: int
    end: int


def stretches(file: Path) -> list[Stretch]:
    """The whole lines of a regular file in stretches of a MiB or more, in order; empty if it is none, or unreadable.

    What follows the last newline is left out: it was being written when boxbench died.
    """
    try:
        with regular_file(file) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as stream:
            size = os.fstat(descriptor).st_size
            step = max(_LEAST_BYTES, size // _MOST)
            found, start = list[Stretch](), 0
            while start < size:
                stream.seek(min(start + step, size) - 1)
                line = stream.readline()
                end = stream.tell()
                if not line.endswith(b"\n"):
                    return found + _last(descriptor, start, end)
                found.append(Stretch(start, end))
                start = end
            return found
    except OSError:
        return []


def _last(descriptor: int, start: int, end: int) -> list[Stretch]:
    """The whole lines before a last line that has no end."""
    whole = os.pread(descriptor, end - start, start).rfind(b"\n") + 1
    return [Stretch(start, start + whole)] if whole else []


def records_in(file: Path, stretch: Stretch) -> Iterator[Record]:
    """The records of a stretch. Raises OSError as ``regular_file``, and RecordError: a line is no record."""
    with regular_file(file) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as stream:
        stream.seek(stretch.start)
        content = stream.read(stretch.end - stretch.start)
    for line in content.removesuffix(b"\n").split(b"\n"):
        yield parse_record(line, where=file.name)
