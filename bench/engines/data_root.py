"""The data root of a private engine in the cache, used by one engine at a time.

Two engines on one data root would destroy it, or one would wait for the other without saying so.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError
from bench.util.private import private_directory

_POLL_S: Final = 0.02
WAIT_TIMEOUT_S: Final = 20.0
"""How long to wait for another engine to end. That of `boxbench targets` or `doctor` runs for a few seconds."""


@contextmanager
def exclusive_data_root(root: Path, engine: str) -> Iterator[None]:
    """Lock an engine's data root, which is created when missing.

    Args:
        engine: names the lock file and appears in the error.

    Raises:
        HostUnfitError: another engine still uses it after WAIT_TIMEOUT_S.
    """
    # A cache may link to the data root of another cache. The lock is beside the directory that the link leads to.
    place = private_directory(root.resolve())
    fd = os.open(place.with_name(f"{engine}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd, root, engine)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, root: Path, engine: str) -> None:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(WAIT_TIMEOUT_S * 1e9)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if clock.now_ns() > deadline_ns:
                raise HostUnfitError(
                    f"another private {engine} is using {root}", hint="wait until the other boxbench ends"
                ) from None
            clock.sleep(_POLL_S)
