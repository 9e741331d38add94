"""Files and directories that may come from elsewhere: a link in them would lead to other files of this host."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def regular_file(path: Path) -> Iterator[int]:
    """A descriptor from which a regular file is read.

    Raises:
        OSError: there is none, it cannot be read, or it is a link or something else, such as a FIFO, which would block.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link: put a copy of the file in its place", str(path)) from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def read_regular(path: Path) -> bytes:
    """The content of a regular file. Raises OSError: as ``regular_file``."""
    with regular_file(path) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as content:
        return content.read()


@contextmanager
def real_directory(path: Path) -> Iterator[Path]:
    """A directory, which is made when it is missing: a path to it that stays, whatever takes its name meanwhile.

    Raises:
        OSError: it cannot be made or opened, or it is a link or no directory.
    """
    if not os.path.lexists(path):
        path.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise OSError(error.errno, f"{path.name} is a link, or no directory", str(path)) from None
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
