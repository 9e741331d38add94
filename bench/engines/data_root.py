"""An engine's own directory in the cache: two engines on one destroy it, or wait for each other without a word."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.util.clock import MonotonicClock
from bench.util.errors import HostUnfitError

_POLL_S: Final = 0.02
# The private engine of `boxbench targets` or `doctor` lives some seconds.
NEIGHBOUR_PATIENCE_S: Final = 20.0


@contextmanager
def held(root: Path, engine: str) -> Iterator[None]:
    """Have an engine's directory for ourselves; made when missing.

    Raises:
        HostUnfitError: another one has it, and goes on having it.
    """
    root.mkdir(parents=True, exist_ok=True)
    # Beside the directory itself: a cache may hold no more than a link to another cache's.
    fd = os.open(root.resolve().with_name(f"{engine}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(fd, root, engine)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, root: Path, engine: str) -> None:
    clock = MonotonicClock()
    deadline_ns = clock.now_ns() + round(NEIGHBOUR_PATIENCE_S * 1e9)
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
