"""Who uses a directory: any number of processes at a time, or one that is alone with it and may tidy it up."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.util.errors import HostUnfitError
from bench.util.locks import holder_of, wait_for_lock

FILE: Final = "in-use.lock"
"""In the directory. A process that uses the directory holds a shared lock on it until the process ends."""
WAIT_LIMIT_S: Final = 3600.0
"""How long to wait for a process that tidies up. To remove many gigabytes takes minutes."""

_held: Final[dict[Path, int]] = {}
_guard: Final = threading.Lock()


def join(directory: Path) -> None:
    """Note that this process uses ``directory`` from now on until it ends. Wait while another process tidies it up.

    Raises:
        HostUnfitError: the other process has not finished after WAIT_LIMIT_S, or the directory cannot be written.
    """
    with _guard:
        if directory not in _held:
            _held[directory] = _joined(directory)


def _joined(directory: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(directory / FILE, flags, 0o600)
    except OSError as error:
        raise HostUnfitError(
            f"the directory {directory} cannot be written: {error.strerror}", hint="check its file system and mode"
        ) from None
    try:
        wait_for_lock(fd, f"the directory {directory}", limit_s=WAIT_LIMIT_S, shared=True)
    except BaseException:
        os.close(fd)
        raise
    return fd


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keep all other processes from using ``directory``. This one may go on to use it.

    Raises:
        HostUnfitError: another process uses it, or it cannot be written.
    """
    join(directory)
    fd = _held[directory]
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # flock(2) gives up the shared lock before it takes the exclusive one, so the holder is another process.
        holder = holder_of(fd)
        wait_for_lock(fd, f"the directory {directory}", limit_s=WAIT_LIMIT_S, shared=True)
        raise HostUnfitError(
            f"{directory} is in use by {holder}", hint="wait until that process ends; end it if it hangs"
        ) from None
    try:
        yield
    finally:
        wait_for_lock(fd, f"the directory {directory}", limit_s=WAIT_LIMIT_S, shared=True)


def leave_all() -> None:
    """Give up everything that this process has joined, for tests that use many directories."""
    with _guard:
        while _held:
            os.close(_held.popitem()[1])
