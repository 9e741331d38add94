"""Bounded copies of output. A box may write gigabytes; of a long stream only the beginning and the end are kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 2**20
TAIL_BYTES: Final = 2**20
"""Head and tail together hold the longest output of an exercise (``bench.scenario.exercise.MOST_OUTPUT_BYTES``)."""
MOST_READ_BYTES: Final = 16 * 2**20
"""How much to read of a log that can only be read from its beginning. Of a longer log, request the last lines."""
LAST_LINES: Final = 1000
"""How many last lines to request. Engines store lines of at most 16 KiB, so they fit into MOST_READ_BYTES."""


@dataclass(frozen=True)
class Clipped:
    """The kept part of one stream."""

    data: bytes
    """The bytes. Where some were left out, a line of its own says how many."""
    whole: bool
    """Whether nothing was left out."""

    def __add__(self, other: Clipped) -> Clipped:
        """The concatenation of two streams."""
        return Clipped(self.data + other.data, self.whole and other.whole)


NOTHING: Final = Clipped(b"", whole=True)


class Clip:
    """Reads a stream piece by piece and keeps its first HEAD_BYTES and its last TAIL_BYTES."""

    def __init__(self) -> None:
        self._seen_bytes = 0
        self._head, self._tail = bytearray(), bytearray()
        self._left_out: int | None = None

    def add(self, data: bytes | memoryview) -> None:
        """Add the next piece of the stream."""
        self._seen_bytes += len(data)
        room = 0 if self._left_out is not None else HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        # Deleting moves the whole tail, so it is not done for every piece.
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def take(self, pieces: Iterable[bytes]) -> bool:
        """Add pieces until the stream ends or is too long. True if it ended."""
        for piece in pieces:
            self.add(piece)
            if self.too_much:
                return False
        return True

    @property
    def too_much(self) -> bool:
        """Whether the stream is longer than MOST_READ_BYTES, so that its last lines should be requested instead."""
        return self._seen_bytes > MOST_READ_BYTES

    def skip(self) -> None:
        """Declare that the next pieces are the end of the stream, after a gap of unknown length."""
        # The end may overlap with the bytes that were added before.
        self._left_out = max(0, self._seen_bytes - len(self._head) - TAIL_BYTES)
        self._seen_bytes = 0
        self._tail.clear()

    def clipped(self) -> Clipped:
        """The kept part of what was added so far."""
        head, tail = bytes(self._head), bytes(self._tail[-TAIL_BYTES:])
        if self._left_out is not None:
            return _joined(head, f"at least {self._left_out} bytes are" if self._left_out else "what was here is", tail)
        left_out = self._seen_bytes - len(head) - len(tail)
        if left_out:
            return _joined(head, f"{left_out} bytes are", tail)
        return Clipped(head + tail, whole=True)


def clip_file(path: Path | None) -> Clipped:
    """The kept part of a file. NOTHING if ``path`` is None or does not exist. Raises OSError."""
    try:
        if path is None:
            return NOTHING
        with path.open("rb") as stream:
            # The box may still write. Only what the file holds now is read.
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(min(size, HEAD_BYTES))
            left_out = max(0, size - HEAD_BYTES - TAIL_BYTES)
            stream.seek(left_out, os.SEEK_CUR)
            tail = stream.read(min(size - len(head), TAIL_BYTES))
    except FileNotFoundError:
        return NOTHING
    return _joined(head, f"{left_out} bytes are", tail) if left_out else Clipped(head + tail, whole=True)


def file_end(path: Path, size: int) -> bytes:
    """The last ``size`` bytes of a file, or the whole file if it is shorter. Raises OSError."""
    with path.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - size))
        return stream.read(size)


def _joined(head: bytes, what: str, tail: bytes) -> Clipped:
    line = f"--- boxbench: {what} left out ---\n".encode("ascii")
    return Clipped(head + (b"" if head.endswith(b"\n") or not head else b"\n") + line + tail, whole=False)
