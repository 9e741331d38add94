"""Locks on files, which end with the process that holds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_locked(file: Path) -> bool:
    """Whether a process holds an exclusive lock on a file; False when the file is missing or cannot be opened."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
