"""Directory trees that a stranger has made: any depth, any name, with links and mounts in them.

The functions keep two descriptors open, follow no link and stay on the mount of the directory that they begin in. The
standard library's functions recurse, so that a thousand nested directories end them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from bench.util.errors import TeardownError

_FDINFO_BYTES: Final = 4096
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# ioctl numbers of inode flags on 64-bit Linux, and the flags that forbid removal.
_GET_FLAGS: Final = 0x80086601
_SET_FLAGS: Final = 0x40086602
_IMMUTABLE: Final = 0x10
_APPEND_ONLY: Final = 0x20


def walk_tree(path: Path) -> Iterator[os.stat_result]:
    """The status of a directory and of everything below it, each entry once per name, links not followed.

    Entries that vanish or are moved during the walk may be left out, and so are the insides of directories on other
    mounts.

    Raises:
        OSError: ``path`` cannot be opened, or has been removed.
    """
    with _Cursor(path) as cursor:
        yield os.fstat(cursor.fd)
        while True:
            for name in cursor.names():
                try:
                    found = os.stat(name, dir_fd=cursor.fd, follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield found
                if stat.S_ISDIR(found.st_mode):
                    cursor.pending.append(name)
            if not _go_to_next(cursor):
                return


def walk_directories(path: Path) -> Iterator[tuple[int, Path]]:
    """A directory and all those below it, as open descriptors with their paths; as ``walk_tree`` otherwise.

    A descriptor is valid until the next one is asked for.
    """
    with _Cursor(path) as cursor:
        while True:
            yield cursor.fd, cursor.path
            cursor.pending.extend(cursor.directories())
            if not _go_to_next(cursor):
                return


def _go_to_next(cursor: _Cursor) -> bool:
    """Move to the next directory of a walk; False when there is none."""
    while True:
        while cursor.pending:
            try:
                if cursor.down(cursor.pending.pop()):
                    return True
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
        if cursor.depth == 0:
            return False
        try:
            cursor.up()
        except OSError:
            cursor.find_way()


def remove_tree(path: Path) -> None:
    """Remove a file, a link, or a directory with everything below it. A missing path is not an error.

    Modes and the inode flags "immutable" and "append only" of this user's files do not prevent the removal.

    Raises:
        TeardownError: ``path`` or something below it is a mount point, and nothing on that mount was removed; or
            something cannot be removed.
    """
    try:
        _remove_all(path)
    except OSError as error:
        raise TeardownError(
            f"{str(path)!r} cannot be removed: {error.strerror} ({error.filename!r})",
            hint="look at the file system and at processes that still write there, then run `boxbench clean`",
        ) from None


def _remove_all(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    with _Cursor(path.parent) as cursor:
        if not stat.S_ISDIR(found.st_mode):
            _remove(os.unlink, path.name, cursor, path)
            return
        _enter(cursor, path.name, path)
        while cursor.depth > 0:
            if cursor.pending:
                _enter(cursor, cursor.pending.pop(), path)
                continue
            name = cursor.up()
            _remove(os.rmdir, name, cursor, path)


def remove_directories(path: Path) -> None:
    """Remove a directory and the directories below it, without removing files: those of a control group go with it.

    A missing path is not an error. Raises OSError: a directory cannot be removed.
    """
    try:
        cursor = _Cursor(path.parent)
    except FileNotFoundError:
        return
    with cursor, contextlib.suppress(FileNotFoundError):
        cursor.pending.append(path.name)
        while cursor.pending or cursor.depth > 0:
            if not cursor.pending:
                os.rmdir(cursor.up(), dir_fd=cursor.fd)
            elif cursor.down(cursor.pending.pop()):
                cursor.pending.extend(cursor.directories())


def _enter(cursor: _Cursor, name: str, top: Path) -> None:
    """Move into a directory, remove its files, and note its directories as pending."""
    try:
        entered = cursor.down(name)
    except PermissionError:
        _open_to_owner(cursor.fd, name)
        entered = cursor.down(name)
    if not entered:
        raise _mounted(cursor.path_of(name), top)
    if os.fstat(cursor.fd).st_mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(cursor.fd, 0o700)
    for entry in cursor.names():
        if stat.S_ISDIR(os.stat(entry, dir_fd=cursor.fd, follow_symlinks=False).st_mode):
            cursor.pending.append(entry)
        else:
            _remove(os.unlink, entry, cursor, top)


def _mounted(point: str, top: Path) -> TeardownError:
    return TeardownError(
        f"{point!r} is a mount point, so {str(top)!r} is not removed",
        hint="unmount it (umount), then run `boxbench clean`",
    )


def _remove(remove: Callable[..., None], name: str, cursor: _Cursor, top: Path) -> None:
    """Remove an entry of the current directory; one that has vanished is not an error."""
    with contextlib.suppress(FileNotFoundError):
        try:
            remove(name, dir_fd=cursor.fd)
        except PermissionError:
            _allow_removal(cursor.fd)
            _open_to_owner(cursor.fd, name)
            remove(name, dir_fd=cursor.fd)
        except OSError as error:
            # A file, too, can be a mount point.
            if error.errno == errno.EBUSY:
                raise _mounted(cursor.path_of(name), top) from None
            raise


def _open_to_owner(fd: int, name: str) -> None:
    """Give the owner all rights to a directory, and clear the flags of a file or directory that forbid its removal."""
    # To open a device or a FIFO can have an effect, so the entry is opened as a path first.
    entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        found, path = os.fstat(entry), Path(f"/proc/self/fd/{entry}")
        if stat.S_ISDIR(found.st_mode):
            with contextlib.suppress(PermissionError):
                path.chmod(0o700)
        # A file with a second name may be one of the host.
        if stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
            _allow_removal_of(path)
    finally:
        os.close(entry)


def _allow_removal_of(path: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _allow_removal(fd)
        finally:
            os.close(fd)


def _allow_removal(fd: int) -> None:
    """Clear the inode flags that forbid removal, where the file system has them and this user may."""
    with contextlib.suppress(OSError):
        flags = int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8)), sys.byteorder)
        if flags & (_IMMUTABLE | _APPEND_ONLY):
            cleared = flags & ~(_IMMUTABLE | _APPEND_ONLY)
            fcntl.ioctl(fd, _SET_FLAGS, cleared.to_bytes(8, sys.byteorder))


@dataclass
class _Level:
    """A directory on the way from the beginning of a walk to its current directory."""

    name: str
    identity: tuple[int, int]
    """Device and inode."""
    pending: list[str] = field(default_factory=list)
    """Names of directories in it that are still to be entered."""


class _Cursor:
    """The current directory of a walk, as a descriptor; the way back is checked at each step."""

    def __init__(self, path: Path) -> None:
        self._top = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._levels = [_Level(str(path), _identity(self.fd))]
        self._mount = _mount_id(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @property
    def depth(self) -> int:
        """How many directories the current one is below the first."""
        return len(self._levels) - 1

    @property
    def path(self) -> Path:
        """The path of the current directory. It may be longer than the kernel accepts."""
        return Path(*(level.name for level in self._levels))

    @property
    def pending(self) -> list[str]:
        """Names of directories in the current one that are still to be entered."""
        return self._levels[-1].pending

    def names(self) -> list[str]:
        """The names of all entries of the current directory."""
        return [entry.name for entry in self._entries()]

    def directories(self) -> list[str]:
        """The names of all directories in the current directory. Links are none."""
        return [entry.name for entry in self._entries() if entry.is_dir(follow_symlinks=False)]

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.fd) as entries:
                return list(entries)
        except OSError as error:
            # Somebody has removed the directory; a control group says so by the second error.
            if error.errno in (errno.ENOENT, errno.ENODEV):
                return []
            raise

    def down(self, name: str) -> bool:
        """Move into a directory; False, without moving, when another mount covers it. Raises OSError."""
        fd = os.open(name, _OPEN, dir_fd=self.fd)
        if _mount_id(fd) != self._mount:
            os.close(fd)
            return False
        self._move_to(fd)
        self._levels.append(_Level(name, _identity(fd)))
        return True

    def up(self) -> str:
        """Move to the directory above and return the name of the one that was left. Raises OSError if it was moved."""
        fd = os.open("..", _OPEN, dir_fd=self.fd)
        if _identity(fd) != self._levels[-2].identity:
            os.close(fd)
            raise OSError(errno.ESTALE, "a directory was moved while its tree was read", str(self._top))
        self._move_to(fd)
        return self._levels.pop().name

    def find_way(self) -> None:
        """Move to the directory above by its path; when that was moved or removed, to the last one on the way to it.

        Raises OSError if the first directory has been removed.
        """
        self._move_to(os.open(self._top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        way, self._levels = self._levels[1:-1], self._levels[:1]
        for level in way:
            try:
                fd = os.open(level.name, _OPEN, dir_fd=self.fd)
            except OSError:
                return
            if _identity(fd) != level.identity:
                os.close(fd)
                return
            self._move_to(fd)
            self._levels.append(level)

    def _move_to(self, fd: int) -> None:
        os.close(self.fd)
        self.fd = fd

    def path_of(self, name: str) -> str:
        """The path of an entry of the current directory, for messages."""
        return "/".join([*(level.name for level in self._levels), name])


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _mount_id(fd: int) -> bytes:
    # The device is not enough: a bind mount has the device of the file system that it shows.
    # A tree has thousands of directories, and a Path or a text file would take half of the whole walk's time.
    information = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(information, _FDINFO_BYTES)
    finally:
        os.close(information)
    return next(line for line in text.splitlines() if line.startswith(b"mnt_id:"))
