"""Bytes that files occupy on the host's disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

# The unit of st_blocks, whatever the file system's own block size is (stat(2)).
_BLOCK_BYTES: Final = 512


def allocated_bytes(path: Path) -> int:
    """Bytes that a file occupies, or a directory with everything in it.

    Hard links count once, and holes not at all.

    Raises:
        FileNotFoundError: ``path`` does not exist.
    """
    top = path.lstat()
    seen = {(top.st_dev, top.st_ino)}
    total = top.st_blocks * _BLOCK_BYTES
    if not path.is_dir() or path.is_symlink():
        return total
    for directory, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                found = os.lstat(os.path.join(directory, name))  # noqa: PTH118 - a box may hold very many files
            except FileNotFoundError:
                continue  # a running box may remove its files at any time
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * _BLOCK_BYTES
    return total
