"""Removing what other processes may look for under its name: they find it whole or not at all."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bench.util.tree import remove_tree


def retire(path: Path, *, lock: Path, gone: Path) -> None:
    """Rename ``path`` to ``gone`` and remove it with everything in it, unless a process holds its lock.

    A process that is killed meanwhile leaves ``gone`` behind.

    Args:
        lock: the file that processes lock while they write; it is made when missing.
        gone: a free name in the same directory.

    Raises:
        BlockingIOError: a process holds the lock.
        OSError: there is no ``path``, or it cannot be renamed.
        TeardownError: something in it cannot be removed.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under its own name, a process could find it half empty.
        path.rename(gone)
        remove_tree(gone)
    finally:
        os.close(descriptor)
