"""Files that are whole or absent, also after a full disk, a kill or a power cut."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.util.paths import descriptor_at

_TOKEN_BYTES: Final = 4
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def write_durably(path: Path, data: bytes | str) -> None:
    """Write a file so that readers see the old content or the new one, and never a part.

    The data goes to a temporary file beside ``path``, reaches the disk, and takes the name with a rename. A link stays:
    the file that it leads to is replaced. What is not a regular file, such as a pipe, is written directly, and so is
    what this process has open, such as ``/dev/stdout``: a shell may have opened it to append to it.

    Raises:
        OSError: the disk is full or fails. ``path`` is as before, and the temporary file is removed.
    """
    raw = _encode(data)
    descriptor = descriptor_at(path)
    if descriptor is not None:
        with os.fdopen(os.dup(descriptor), "wb") as stream:
            stream.write(raw)
        return
    if path.exists() and not path.is_file():
        path.write_bytes(raw)
        return
    final = path.resolve()
    with _temporary(final, raw) as temporary:
        if final.exists():
            temporary.chmod(stat.S_IMODE(final.stat().st_mode))
        temporary.rename(final)
    sync_directory(final.parent)


def replace_durably(path: Path, data: bytes | str) -> None:
    """Write a file as ``write_durably``, and follow no link: what has the name, a link too, is replaced.

    For directories that others may have filled. Raises OSError.
    """
    with _temporary(path, _encode(data)) as temporary:
        temporary.rename(path)
    sync_directory(path.parent)


def replace_file(path: Path, data: bytes | str) -> None:
    """Write a file as ``replace_durably`` without waiting for the disk: for many files that can be made again."""
    with _temporary(path, _encode(data), sync=False) as temporary:
        temporary.rename(path)


def create_durably(path: Path, data: bytes | str) -> None:
    """Write a new file, as ``write_durably``.

    Raises:
        FileExistsError: the file is there already; it is not changed.
        OSError: the disk is full or fails. There is no file, and the temporary file is removed.
    """
    with _temporary(path, _encode(data)) as temporary:
        try:
            os.link(temporary, path)
        except PermissionError:  # some file systems have no hard links
            if os.path.lexists(path):
                raise FileExistsError(path) from None
            temporary.rename(path)
    sync_directory(path.parent)


def append_durably(path: Path, data: bytes) -> None:
    """Append to a file, which is created when missing, and push it to the disk.

    Raises:
        OSError: the disk is full or fails. The file has its former length, so no part of ``data`` counts.
    """
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        length = os.fstat(fd).st_size
        if length == 0:
            # Before the data: when this fails, nothing has been added.
            sync_directory(path.parent)
        try:
            _write_all(fd, data)
            os.fsync(fd)
        except OSError:
            # After a failed fsync the kernel may drop the page: data that stays would be a line today and zeros later.
            with contextlib.suppress(OSError):
                os.ftruncate(fd, length)
                os.fsync(fd)
            raise
    finally:
        os.close(fd)


def make_directories_durably(path: Path) -> None:
    """Make a directory and its missing parents, and push their names to the disk. Raises OSError."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in missing:
        sync_directory(directory.parent)


def remove_temporaries(path: Path) -> None:
    """Remove what a kill during a write of ``path`` left beside it. Nobody may be writing it now. Raises OSError."""
    for left in path.parent.iterdir():
        name, _, suffix = left.name.rpartition(".")
        if name == _stem(path) and len(suffix) == 2 * _TOKEN_BYTES:
            left.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Push the names in a directory to the disk. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_entry(path: Path) -> None:
    """Push a file, or a directory with everything below it, to the disk; other file systems are left alone.

    Raises:
        OSError: the disk is full or fails.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # A call for each file of a tree would write the file system's journal as often.
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            _sync_file_system(fd)
        else:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync_file_system(fd: int) -> None:
    if _LIBC.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _stem(path: Path) -> str:
    """How the names of temporary files of ``path`` begin."""
    return f".{path.name[:200]}"


def _encode(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


@contextlib.contextmanager
def _temporary(final: Path, raw: bytes, *, sync: bool = True) -> Iterator[Path]:
    """A file beside ``final``, which is gone after the context, unless it was renamed.

    Args:
        sync: its content is on the disk.
    """
    path = final.with_name(f"{_stem(final)}.{secrets.token_hex(_TOKEN_BYTES)}")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        try:
            _write_all(fd, raw)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        yield path
    finally:
        path.unlink(missing_ok=True)


def _write_all(fd: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(fd, view) :]
