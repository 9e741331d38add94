"""The head and the tail of what a box wrote: a box may write gigabytes, and what is kept of it is bounded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 2**20
TAIL_BYTES: Final = 2**20
"""Together they hold any output that an exercise may have (``bench.scenario.exercise.MOST_OUTPUT_BYTES``) whole."""
MOST_READ_BYTES: Final = 16 * 2**20
"""Of a log that can only be read from its beginning; a longer one is asked for its last lines instead."""
LAST_LINES: Final = 1000
"""Engines keep lines of at most 16 KiB, so these are no more than MOST_READ_BYTES."""


@dataclass(frozen=True)
class Clipped:
    """What is kept of one stream."""

    data: bytes
    """With a line in it that says how much was left out, and where."""
    whole: bool
    """Whether nothing was."""

    def __add__(self, other: Clipped) -> Clipped:
        """One after the other."""
        return Clipped(self.data + other.data, self.whole and other.whole)


NOTHING: Final = Clipped(b"", whole=True)


class Clip:
    """Takes a stream piece by piece, and keeps its first and its last bytes."""

    def __init__(self) -> None:
        self._seen_bytes = 0
        self._head, self._tail = bytearray(), bytearray()
        self._left_out: int | None = None

    def add(self, data: bytes | memoryview) -> None:
        """The next piece."""
        self._seen_bytes += len(data)
        room = 0 if self._left_out is not None else HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        # Not at every piece: moving what is kept costs as much as it is long.
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def take(self, pieces: Iterable[bytes]) -> bool:
        """Add pieces until there are no more, or it is too much; whether the end was reached."""
        for piece in pieces:
            self.add(piece)
            if self.too_much:
                return False
        return True

    @property
    def too_much(self) -> bool:
        """Whether it is not worth while to read on."""
        return self._seen_bytes > MOST_READ_BYTES

    def skip(self) -> None:
        """What is added from now on is the stream's end; nobody has counted what lies between."""
        # Its end may be part of what was seen already.
        self._left_out = max(0, self._seen_bytes - len(self._head) - TAIL_BYTES)
        self._seen_bytes = 0
        self._tail.clear()

    def clipped(self) -> Clipped:
        """What is kept."""
        head, tail = bytes(self._head), bytes(self._tail[-TAIL_BYTES:])
        if self._left_out is not None:
            return _joined(head, f"at least {self._left_out} bytes are" if self._left_out else "what was here is", tail)
        left_out = self._seen_bytes - len(head) - len(tail)
        if left_out:
            return _joined(head, f"{left_out} bytes are", tail)
        return Clipped(head + tail, whole=True)


def clip_file(path: Path | None) -> Clipped:
    """A file's content, as much of it as is kept; nothing while nobody has made it."""
    try:
        if path is None:
            return NOTHING
        with path.open("rb") as stream:
            # A box that still writes makes it longer meanwhile: what is read is what is there now.
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(min(size, HEAD_BYTES))
            left_out = max(0, size - HEAD_BYTES - TAIL_BYTES)
            stream.seek(left_out, os.SEEK_CUR)
            tail = stream.read(min(size - len(head), TAIL_BYTES))
    except FileNotFoundError:
        return NOTHING
    return _joined(head, f"{left_out} bytes are", tail) if left_out else Clipped(head + tail, whole=True)


def file_end(path: Path, size: int) -> bytes:
    """The last ``size`` bytes of a file, or all of it. Raises OSError."""
    with path.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
        return stream.read(size)


def _joined(head: bytes, what: str, tail: bytes) -> Clipped:
    line = f"--- boxbench: {what} left out ---\n".encode("ascii")
    return Clipped(head + (b"" if head.endswith(b"\n") or not head else b"\n") + line + tail, whole=False)
