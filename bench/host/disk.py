"""Bytes that files occupy on the host's disk."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from bench.util.tree import walk_tree

# The unit of st_blocks, whatever the file system's own block size is (stat(2)).
_BLOCK_BYTES: Final = 512


def allocated_bytes(path: Path) -> int:
    """Bytes that a file occupies, or a directory with everything in it.

    Hard links count once, holes not at all, and other file systems that are mounted in it not either.

    Raises:
        FileNotFoundError: ``path`` does not exist.
    """
    return Counter().add(path)


class Counter:
    """Counts several paths, and each file in them once."""

    def __init__(self) -> None:
        self._seen: set[tuple[int, int]] = set()

    def add(self, path: Path) -> int:
        """As ``allocated_bytes``, without the files that were counted before."""
        top = path.lstat()
        total = 0
        for found in walk_tree(path) if stat.S_ISDIR(top.st_mode) else (top,):
            if (found.st_dev, found.st_ino) not in self._seen:
                self._seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * _BLOCK_BYTES
        return total
