"""A cache on disk of what takes long to make: trees, disks, kernels, programs, and answers about this host.

Entries are named by their content. An entry is published with one rename, so readers never see a partial one, and a
lock makes sure that only one process makes it. The lock file's time is when the entry was last used: the first use in a
process sets it, which preparation makes before the first trial, so nothing is written between trials.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from bench.util import lease
from bench.util.durable import sync_directory, sync_entry
from bench.util.errors import HostUnfitError
from bench.util.locks import is_locked, wait_for_lock
from bench.util.private import plain_path, private_directory
from bench.util.steps import measured_by, note_use, step
from bench.util.tree import remove_tree

NEGATIVE_LIFETIME_S: Final = 3600.0
"""How long ``cached_probe`` keeps a negative answer."""
LOCK_LIMIT_S: Final = 3600.0
"""How long to wait for another process that makes an entry. A kernel or an image takes many minutes to make."""
_SETTLED_NS: Final = 2 * 10**9
"""A file that changed so recently can change again with the same size and time: file systems have coarse clocks."""
_MOST_COUNTED: Final = 5000
"""Files of an entry whose sizes are added. Counting them takes some 20 ms."""
_PROBE_TRIES: Final = 5
"""How often another process may remove an answer before this one has read it."""
_SIGNS: Final = ("agent", "boxes", "scratch")
"""Entries by which a directory is known as a cache of ours, also of earlier versions."""

_used: Final[set[Path]] = set()
_PARTIAL: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}")


def cache_dir() -> Path:
    """The cache directory, created when missing. Nobody but this user and root can enter it.

    It is $BOXBENCH_CACHE, else $XDG_CACHE_HOME/boxbench, else ~/.cache/boxbench. Programs of the cache are executed and
    its images are run, so a directory that another user owns or could replace is refused.

    Raises:
        HostUnfitError: the directory cannot be created, or another user could change its entries, or it is open to
            others and has content of other programs.
    """
    own = os.environ.get("BOXBENCH_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME")
    path = Path(own) if own else (Path(shared) if shared else Path.home() / ".cache") / "boxbench"
    path = plain_path(path, variable="BOXBENCH_CACHE")
    if own:
        _refuse_shared(path)
    return private_directory(path)


def _refuse_shared(path: Path) -> None:
    """Raise HostUnfitError for a directory of the host, such as /tmp or /var/lib: to close it would break the host."""
    try:
        found = path.lstat()
        is_open = stat.S_ISDIR(found.st_mode) and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        names = {entry.name for entry in path.iterdir()} if is_open else set()
    except OSError:
        return  # it is missing, or private_directory refuses it
    if not is_open or found.st_uid != os.geteuid():
        return
    if found.st_mode & stat.S_ISVTX or (names and names.isdisjoint(_SIGNS)):
        raise HostUnfitError(
            f"the cache {path} would be closed to other users, and it has content of other programs",
            hint=f"set BOXBENCH_CACHE to a directory for boxbench alone, such as {path / 'boxbench'}",
        )


def content_key(*parts: str | bytes) -> str:
    """A cache key for what ``parts`` determine: 20 hexadecimal digits of a SHA-256.

    The length of each part goes into the hash, so ("ab", "c") and ("a", "bc") have different keys.
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()[:20]


def file_digest(path: Path) -> str:
    """The first 16 hexadecimal digits of a file's SHA-256. Raises OSError."""
    found = path.stat()
    if abs(time.time_ns() - found.st_ctime_ns) < _SETTLED_NS:
        return _read_digest(path)
    return _file_digest(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


# Targets ask for the digest of a 20 MB program between trials. Reading it each time would evict pages of the next box
# from the page cache.
@lru_cache(maxsize=64)
def _file_digest(path: Path, *_identity: int) -> str:
    return _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def describe_file(path: Path) -> str:
    """The path and digest of a program, for records and reports. Raises OSError.

    Two builds of a program can report the same version; their digests differ.
    """
    return f"{path}, sha256 {file_digest(path)}"


def ensure(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The path of the cache entry ``kind/key``, which is made when missing.

    Args:
        kind: a subdirectory of the cache, such as ``agent`` or ``disk``.
        key: the entry's name: a content key, with a suffix if a tool requires one.
        make: creates a file or directory at the path it is given, which is in the entry's own directory. Renaming
            it publishes the entry.

    Raises:
        HostUnfitError: the cache cannot be written, another user has made the entry, or another process has not
            finished making it after LOCK_LIMIT_S.
        Exception: whatever ``make`` raises. What it had written is removed.
    """
    directory = cache_dir() / kind
    # A cache may link to the entries of another cache, which is then the one in use.
    lease.join(private_directory(directory.resolve()).parent)
    final = directory / key
    if not _is_ours(final):
        _make(final, make)
    _note_use(final)
    note_use(_entry_name(final), lambda: _allocated_bytes(final))
    return final


def _entry_name(final: Path) -> str:
    return f"{final.parent.name}/{final.name}"


def _allocated_bytes(entry: Path) -> int | None:
    """What an entry takes on the disk; None for a directory with so many files that counting would take long."""
    blocks, files = 0, 0
    try:
        waiting = [entry]
        while waiting:
            path = waiting.pop()
            found = path.lstat()
            blocks += found.st_blocks
            if stat.S_ISDIR(found.st_mode):
                waiting += path.iterdir()
            files += 1
            if files + len(waiting) > _MOST_COUNTED:
                return None
    except OSError:
        return None
    return blocks * 512


def _make(final: Path, make: Callable[[Path], None]) -> None:
    with _lock(final):
        if _is_ours(final):  # another process made it while this one waited
            return
        partial = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        try:
            with step(final.parent.name, entry=_entry_name(final)):
                measured_by(lambda: _file_bytes(partial))
                make(partial)
                # After a power cut the rename could survive while the content is lost, and the entry would be used
                # for ever.
                sync_entry(partial)
            partial.rename(final)
            sync_directory(final.parent)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            name = _entry_name(final)
            raise HostUnfitError(
                f"the disk of the cache {final.parent.parent} became full while {name} was made",
                hint="free space on it, see `boxbench cache`, or set BOXBENCH_CACHE to a directory on a larger disk",
            ) from None
        finally:
            remove_tree(partial)


def _file_bytes(path: Path) -> int:
    """The size of a file. Raises OSError, also for a directory."""
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(path)
    return found.st_size


def _note_use(entry: Path) -> None:
    if entry not in _used:
        _used.add(entry)
        with suppress(OSError):  # a full disk; the entry then looks older than it is
            lock_of(entry).touch(0o600)


def used() -> frozenset[Path]:
    """The entries that this process has used."""
    return frozenset(_used)


def lock_of(entry: Path) -> Path:
    """The lock file of an entry. The time of its last change is when the entry was last used."""
    return entry.with_name(f".{entry.name}.lock")


def _is_ours(entry: Path) -> bool:
    """Whether the entry exists. Raises HostUnfitError: another user made it while the cache was open to others."""
    try:
        owner = entry.lstat().st_uid
    except FileNotFoundError:
        return False
    if owner != os.geteuid():
        raise HostUnfitError(f"the cache entry {entry} belongs to the user with uid {owner}", hint=start_over())
    return True


def half_made() -> tuple[Path, ...]:
    """What killed processes had written of entries, or not yet removed of them: their locks are free."""
    found = []
    for path in sorted(cache_dir().glob("*/.*")):
        match = _PARTIAL.fullmatch(path.name)
        lock = lock_of(path.with_name(match["name"])) if match else path
        if match and lock.is_file() and not is_locked(lock):
            found.append(path)
    return tuple(found)


def start_over() -> str:
    """The hint for an error that a damaged cache entry can cause."""
    return f"delete the directory {cache_dir()} and run again; everything in it is made again"


def cached_probe(kind: str, key: str, probe: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The cached answer to a question about this host; ``probe`` runs when there is none.

    A positive answer does not expire: the key must name the host and every program that it depends on. A negative
    answer expires after an hour (NEGATIVE_LIFETIME_S), since load or a starting daemon may have caused it. A damaged
    file counts as no answer.

    Args:
        kind: a subdirectory of the cache.
        key: a content key.
        probe: returns a JSON object whose ``reason`` is None in a positive answer and says what failed in a
            negative one.

    Raises:
        HostUnfitError: the cache cannot be written.
        Exception: whatever ``probe`` raises.
    """
    name = f"{key}.json"
    for _ in range(_PROBE_TRIES):
        _remove_expired(cache_dir() / kind / name)
        path = ensure(kind, name, lambda partial: _write_json(partial, probe()))
        answer = _read_answer(path)
        if answer is not None:
            return answer
    raise HostUnfitError(f"the cache entry {path} cannot be read after it was written", hint=start_over())


def _remove_expired(path: Path) -> None:
    try:
        age_s = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return
    answer = _read_answer(path)
    # The age is negative after the clock was set back.
    if answer is None or (answer["reason"] is not None and not 0 <= age_s < NEGATIVE_LIFETIME_S):
        path.unlink(missing_ok=True)


def _read_answer(path: Path) -> dict[str, Any] | None:
    """The answer in a file; None when the file is damaged, or another process has removed it as expired."""
    try:
        answer = json.loads(path.read_bytes())
    except (FileNotFoundError, RecursionError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "reason" in answer else None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


@contextmanager
def _lock(final: Path) -> Iterator[None]:
    # The lock file is not removed: a third process could then lock a new file of the same name.
    descriptor = os.open(lock_of(final), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        wait_for_lock(descriptor, f"the cache entry {final}", limit_s=LOCK_LIMIT_S)
        yield
    finally:
        os.close(descriptor)
