"""Inputs as words of a command line, and one input checked again."""

from __future__ import annotations

import base64
import tempfile
import traceback
import zlib
from pathlib import Path
from typing import Final

from tests.fuzz.reader import Reader, try_input

LONGEST: Final = 16_000
"""The longest coded input that is printed. A longer one is found again by its seed."""


def coded(data: bytes) -> str:
    """An input as one word."""
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode("ascii")


def decoded(word: str) -> bytes:
    """The input of a word that ``coded`` returned."""
    return zlib.decompress(base64.urlsafe_b64decode(word))


def replay(reader: Reader, data: bytes) -> int:
    """Check one input and print what happened. Returns the exit code: 1 for a finding."""
    print(f"{len(data)} bytes: {data[:2000]!r}")
    with tempfile.TemporaryDirectory(prefix="boxbench-fuzz-") as scratch:
        try:
            outcome, kind = try_input(reader, data, Path(scratch))
        except Exception:  # every exception is what is looked for
            traceback.print_exc()
            return 1
    print(outcome, kind)
    return 0
