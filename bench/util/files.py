"""Files that users name, opened so that nothing of another kind makes the reader wait."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading. A device such as /dev/null is one; a FIFO, in which a reader waits for ever, is not.

    Raises:
        OSError: it cannot be opened, or it is no file; ``strerror`` says why.
        ValueError: the name has a null byte.
    """
    # With O_NONBLOCK the opening of a FIFO without a writer comes back at once.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(descriptor, "rb") as content:  # noqa: PTH123 - it is open
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            raise OSError(errno.EINVAL, "it is a FIFO, not a file")
        yield content
