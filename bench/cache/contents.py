"""What is in the cache: every entry with its size on the disk and its last use. Nothing is changed or started."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.cache.kinds import KERNELS, KINDS, LOCKS, PODMAN, STORES
from bench.cache.model import Contents, Entry, Thing
from bench.host.disk import Counter
from bench.util.cache import half_made, lock_of

_COUNTED: Final = frozenset((*KINDS, KERNELS.name))
_LOCK: Final = ".lock"
_KERNELS: Final = re.compile(r"[0-9a-f]{20}")
_MADE: Final = re.compile(r"(?:cpu-)?[0-9a-f]{16}|linux-image-")
"""How names of entries begin."""


def read_contents(root: Path) -> Contents:
    """Read a cache directory. Raises OSError: it cannot be read."""
    counter = Counter()
    names = sorted(path.name for path in root.iterdir())
    linked = tuple(name for name in names if (root / name).is_symlink())
    own = [name for name in names if name not in linked]
    entries = tuple(entry for name in own for entry in _entries(root / name, counter))
    partial = tuple(path for path in half_made() if path.parent.name not in linked)
    half_made_bytes = sum(_size(path, counter) for path in partial)
    others = [name for name in own if name not in (*STORES, *_COUNTED, PODMAN.name) and not name.endswith(_LOCK)]
    others += [f"{name}/{path.name}" for name in own if name in _COUNTED for path in _foreign(root / name)]
    hidden = [root / name for name in own if name.endswith(_LOCK)]
    hidden += [path for name in own if name in _COUNTED for path in _hidden(root / name)]
    return Contents(
        root=root,
        entries=entries,
        stores={name: _size(root / name, counter) for name in own if name in STORES},
        rest={name: _size(root / name, counter) for name in others}
        | {LOCKS: sum(_size(path, counter) for path in hidden if path not in partial)},
        half_made=partial,
        half_made_bytes=half_made_bytes,
        linked=linked,
    )


def _entries(directory: Path, counter: Counter) -> Iterator[Entry]:
    if directory.name == PODMAN.name:
        found = directory.lstat()
        # podman writes this file when it loads an image.
        used_ns = _changed_ns(directory / "overlay-images" / "images.lock") or found.st_mtime_ns
        yield Entry(Thing(PODMAN.name, "images", counter.add(directory), used_ns), directory, found.st_uid)
    if directory.name not in _COUNTED or not directory.is_dir():
        return
    kernels = directory.name == KERNELS.name
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or (kernels and not _KERNELS.fullmatch(path.name)) or not _is_made(path):
            continue
        try:
            found = path.lstat()
            used_ns = found.st_mtime_ns if kernels else _used_ns(path, found)
            yield Entry(Thing(directory.name, path.name, counter.add(path), used_ns), path, found.st_uid)
        except FileNotFoundError:
            continue  # another process has removed it


def _is_made(path: Path) -> bool:
    """Whether Boxbench made the entry. The cache may be a directory in which the user has an ``image``."""
    return os.path.lexists(lock_of(path)) or _MADE.match(path.name) is not None


def _foreign(directory: Path) -> Iterator[Path]:
    if directory.name == KERNELS.name or not directory.is_dir():
        return iter(())
    return (path for path in sorted(directory.iterdir()) if not path.name.startswith(".") and not _is_made(path))


def _hidden(directory: Path) -> Iterator[Path]:
    return (path for path in directory.iterdir() if path.name.startswith(".")) if directory.is_dir() else iter(())


def _used_ns(path: Path, found: os.stat_result) -> int:
    # Without a lock file it was copied from another cache. Other dates may be those of an image's content.
    return _changed_ns(lock_of(path)) or found.st_ctime_ns


def _changed_ns(path: Path) -> int | None:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return None


def _size(path: Path, counter: Counter) -> int:
    try:
        return counter.add(path)
    except (FileNotFoundError, PermissionError):
        return 0
