"""Directories that are nested deeper than a path can name, as a workload can make them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DEPTH: Final = 1500
"""More levels than a function that calls itself can reach."""


@contextmanager
def nested(top: Path, *, depth: int = DEPTH, name: str = "d") -> Iterator[int]:
    """Make ``depth`` directories of the same name, one in the other, in ``top``. Yields a descriptor of the lowest."""
    lowest = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for _ in range(depth):
            os.mkdir(name, dir_fd=lowest)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=lowest)
            os.close(lowest)
            lowest = inner
        yield lowest
    finally:
        os.close(lowest)
