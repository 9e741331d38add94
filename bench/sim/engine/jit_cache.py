"""Where the machine code of kernels is kept between processes.

Each module's kernels have a directory that only this user can enter, below ``cache_dir()/jit`` or ``NUMBA_CACHE_DIR``.
Its name is a digest of the module and of all modules of ``bench`` that it imports, directly or not: numba itself only
looks at the kernel's own file. So other sources have other directories, and those of former sources are removed when a
new one is made: all that no process has opened for 30 days, and beyond 200 those that were opened least recently, if
not within the last day. A process whose directory is removed has its code in memory, and compiles what it still lacks.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Final

from bench.util.errors import TeardownError
from bench.util.locks import SHORT_WAIT_S, wait_for_lock
from bench.util.private import private_directory
from bench.util.retire import retire

KEPT_S: Final = 30 * 86400.0
"""A directory that was opened within this time before the newest one is kept, up to ``KEPT`` of them."""
KEPT: Final = 200
RECENT_S: Final = 86400.0
"""One that was opened within this time is kept in any case."""

_PREFIX: Final = "bench."
_MAKERS: Final = ("bench.sim.engine.jit",)
"""It makes machine code. Its text counts; what it imports is no part of any kernel."""
_NAME: Final = re.compile(r"[0-9a-f]{20}")
LOCK: Final = ".lock"
"""In a directory: a process that writes to it holds the lock."""
_GONE: Final = ".gone-"


@cache
def opened(module: str, base: Path) -> Path:
    """The directory for a module's machine code. Raises HostUnfitError, OSError: there is no private one."""
    place = base / digest(module)
    new = not place.exists()
    private_directory(place)
    if new:
        with suppress(OSError):
            prune(base, newest=place)
    else:
        os.utime(place)
    return place


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Only one process at a time writes to a directory: numba's index would be wrong after two at once.

    Raises HostUnfitError, OSError: another one has it for too long, or there is no such directory.
    """
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        wait_for_lock(descriptor, f"the cache of compiled kernels {directory}", limit_s=SHORT_WAIT_S)
        yield
    finally:
        os.close(descriptor)


# What a directory is for


@cache
def digest(module: str) -> str:
    """20 hexadecimal digits for the text of a module and of everything of ``bench`` that it imports."""
    found = hashlib.sha256()
    for name in sorted(imported(module)):
        found.update(name.encode())
        found.update(_text(name))
    return found.hexdigest()[:20]


def imported(module: str) -> set[str]:
    """The module and all loaded modules of ``bench`` that it imports, directly or not."""
    found = {module}
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if one not in _MAKERS:
            new = _imports(one) - found
            found |= new
            waiting += sorted(new)
    return found


@cache
def _imports(module: str) -> frozenset[str]:
    """The loaded modules of ``bench`` that a module's own text imports, and the packages that they are in."""
    package = module if hasattr(sys.modules.get(module), "__path__") else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(_text(module))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            # A name that is imported from a package may be a module of its own.
            names.update([source, *(f"{source}.{alias.name}" for alias in node.names)])
    names |= {name.rpartition(".")[0] for name in (*names, module)}
    return frozenset(name for name in names if name.startswith(_PREFIX) and name in sys.modules)


def _text(module: str) -> bytes:
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    return Path(file).read_bytes() if file else b""


# What is removed


def prune(base: Path, *, newest: Path) -> None:
    """Remove the directories of former sources. Raises OSError: the directory cannot be read."""
    for place in base.glob(f"{_GONE}*"):
        if _is_ours(place.lstat()):  # a process that was killed had begun to remove it
            shutil.rmtree(place, ignore_errors=True)
    now = newest.stat().st_mtime
    ages = sorted((now - used, place) for place, used in _directories(base) if place != newest)
    for rank, (age, place) in enumerate(ages, start=2):
        if age > KEPT_S or (rank > KEPT and age > RECENT_S):
            with suppress(OSError, TeardownError):
                _remove(place)


def _directories(base: Path) -> Iterator[tuple[Path, float]]:
    """This user's directories of machine code, and when each was last opened. No links: they may lead anywhere."""
    for place in base.iterdir():
        if _NAME.fullmatch(place.name):
            with suppress(FileNotFoundError):  # another process may be pruning
                found = place.lstat()
                if _is_ours(found):
                    yield place, found.st_mtime


def _is_ours(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _remove(place: Path) -> None:
    """Remove a directory, unless a process is writing to it. Raises OSError, TeardownError."""
    retire(place, lock=place / LOCK, gone=place.with_name(f"{_GONE}{os.getpid()}-{place.name}"))
