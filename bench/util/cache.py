"""Things that cost time to make, kept by content: a half-made entry is never seen, and nobody makes one twice."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from bench.util.errors import HostUnfitError


def cache_dir() -> Path:
    """$BOXBENCH_CACHE, else $XDG_CACHE_HOME/boxbench, else ~/.cache/boxbench; made when missing.

    Raises:
        HostUnfitError: it cannot be made.
    """
    own = os.environ.get("BOXBENCH_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    path = Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "boxbench"
    _make(path)
    return path.absolute()


def content_key(*parts: str | bytes) -> str:
    """A name for what ``parts`` determine: 20 hexadecimal digits of a SHA-256, each part fenced by its length."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:20]


def file_digest(path: Path) -> str:
    """Sixteen hexadecimal digits of a file's SHA-256. Raises OSError."""
    found = path.stat()
    return _file_digest(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


# A program of 20 MB is asked for between trials: read it once, and not where it would push the box out of the caches.
@lru_cache(maxsize=64)
def _file_digest(path: Path, *_as_it_was: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def file_words(path: Path) -> str:
    """Path and content, for people: two builds of one version say the same of themselves. Raises OSError."""
    return f"{path}, sha256 {file_digest(path)}"


def ensure(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The cache entry ``kind/key``, made first when missing.

    Args:
        kind: a directory of the cache: ``agent``, ``disk``.
        key: the entry's name: a content key, with a suffix where a tool wants one.
        make: writes a file, or makes a directory, at the path it gets; it is beside the final place, so that
            the rename that publishes it is atomic.

    Raises:
        HostUnfitError: the cache cannot be written; and whatever ``make`` raises, after its remains are removed.
    """
    final = cache_dir() / kind / key
    if final.exists():
        return final
    _make(final.parent)
    with _lock(final):
        if final.exists():  # another process made it while we waited
            return final
        partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        try:
            make(partial)
            # A name that outlives a power cut while its content does not would be trusted for ever.
            os.sync()
            partial.rename(final)
        finally:
            remove(partial)
    return final


def start_over() -> str:
    """The next step where what is cached must be wrong, for an error's hint."""
    return f"delete the directory {cache_dir()}, all of which is made anew, and run again"


def remove(path: Path) -> None:
    """Delete a file or a tree; what is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _lock(final: Path) -> Iterator[None]:
    # The lock file stays: removing it would let a third process lock a new file of the same name.
    descriptor = os.open(final.with_name(f".{final.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostUnfitError(
            f"the cache directory {path} cannot be made: {error.strerror}",
            hint="set BOXBENCH_CACHE to a directory with a few hundred MiB of room",
        ) from None
