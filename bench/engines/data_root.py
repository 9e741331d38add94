"""The data root of a private engine in the cache, used by one engine at a time.

Two engines on one data root would destroy it, or one would wait for the other without saying so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.util.cache import cache_dir
from bench.util.locks import is_locked, wait_for_lock
from bench.util.private import private_directory

WAIT_TIMEOUT_S: Final = 20.0
"""How long to wait for another engine to end. That of `boxbench targets` or `doctor` runs for a few seconds."""


ENGINES: Final = {"dockerd": "docker", "containerd": "containerd"}
"""The private engines, and the names of their data roots in the cache."""
_IN_USE: Final = b"in use\n"


@dataclass(frozen=True)
class DataRoot:
    """A locked data root."""

    path: Path
    abandoned: bool
    """The last engine ended before it removed its containers."""
    _lock: int

    def note_empty(self) -> None:
        """Its engine has removed the containers, so no other has to do it."""
        os.ftruncate(self._lock, 0)


@contextmanager
def exclusive_data_root(engine: str) -> Iterator[DataRoot]:
    """Lock the data root of a private engine, which is created when missing.

    Args:
        engine: one of ``ENGINES``.

    Raises:
        HostUnfitError: another engine still uses it after WAIT_TIMEOUT_S.
    """
    root = cache_dir() / ENGINES[engine]
    private_directory(root.resolve())
    fd = os.open(_lock_file(engine), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        wait_for_lock(fd, f"the data root {root} of the private {engine}", limit_s=WAIT_TIMEOUT_S)
        abandoned = os.fstat(fd).st_size > 0
        os.pwrite(fd, _IN_USE, 0)
        yield DataRoot(root, abandoned, fd)
    finally:
        os.close(fd)


def free_data_roots() -> dict[str, Path]:
    """The data roots, resolved, that no living process has locked, by engine.

    A directory of the same name without a lock file was never one.
    """
    locks = {engine: _lock_file(engine) for engine in ENGINES}
    free = [engine for engine, lock in locks.items() if lock.is_file() and not is_locked(lock)]
    roots = {engine: (cache_dir() / ENGINES[engine]).resolve() for engine in free}
    return {engine: root for engine, root in roots.items() if root.is_dir()}


def abandoned_data_roots() -> dict[str, Path]:
    """Those of them in which a killed engine may have left containers."""

    def is_marked(file: Path) -> bool:
        return file.is_file() and file.stat().st_size > 0

    return {engine: root for engine, root in free_data_roots().items() if is_marked(_lock_file(engine))}


def _lock_file(engine: str) -> Path:
    # A cache may link to the data root of another cache. The lock is beside the directory that the link leads to.
    return (cache_dir() / ENGINES[engine]).resolve().with_name(f"{engine}.lock")
