"""Directories that no other user of the host can read, write or replace."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from bench.util.errors import HostUnfitError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
# Surrogates stand for bytes that are not UTF-8, which the engines' configuration files cannot hold.
# A foreign directory is not to be removed: it may be the home of a user who called sudo.
_ELSEWHERE: Final = (
    "use a directory of your own: set BOXBENCH_CACHE for the cache, or XDG_RUNTIME_DIR for the sockets of users other "
    "than root"
)
_SEPARATORS: Final = re.compile(r'[,:"\\\x00-\x1f\x7f\ud800-\udfff]')


def plain_path(path: Path, *, variable: str) -> Path:
    """The absolute path, which can be part of mount options, of QEMU's options and of engines' binds and files.

    Args:
        variable: the environment variable that can name another path, for the hint.

    Raises:
        HostUnfitError: the path has a character that ends or quotes a value in one of them.
    """
    path = path.absolute()
    found = _SEPARATORS.search(str(path))
    if found is not None:
        raise HostUnfitError(
            f"the path {str(path)!r} has the character {found[0]!r}, which separates options of mounts and of QEMU",
            hint=f"set {variable} to a path without commas, colons, quotes, backslashes and control characters",
        )
    return path


def private_directory(path: Path) -> Path:
    """Make a directory that only this user can enter, with mode 0700, and its missing parents likewise.

    An existing directory of this user that is open to others is closed to them.

    Returns:
        The absolute path.

    Raises:
        HostUnfitError: the path is a link, is not a directory, belongs to another user, lies in a directory in which
            another user can replace it, or cannot be made.
    """
    path = path.absolute()
    try:
        _make(path)
        _refuse_foreign_ancestors(path)
    except OSError as error:
        raise HostUnfitError(
            f"the directory {path} cannot be made: {error.strerror}",
            hint=f"check the owner, the mode and the free space of the directory that it lies in; or {_ELSEWHERE}",
        ) from None
    return path


def _make(path: Path) -> None:
    missing = []
    while not os.path.lexists(path):
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        # Another process of this user may make it at the same moment.
        directory.mkdir(mode=0o700, exist_ok=True)
    _close_to_others(missing[0] if missing else path)


def _close_to_others(path: Path) -> None:
    """Check a directory through a descriptor, so that what is checked is what is changed."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        raise HostUnfitError(
            f"{path} is {'a link' if stat.S_ISLNK(found.st_mode) else 'not a directory'}",
            hint=f"remove it; or {_ELSEWHERE}",
        )
    if found.st_uid != os.geteuid():
        raise _foreign(path, found.st_uid, path)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        opened = os.fstat(fd)
        if opened.st_uid != os.geteuid():
            raise _foreign(path, opened.st_uid, path)
        if opened.st_mode & _OTHERS:
            os.fchmod(fd, 0o700)
    finally:
        os.close(fd)


def _refuse_foreign_ancestors(path: Path) -> None:
    # A link on the way counts twice: who can replace the link, and who can replace what it leads to.
    for ancestor in {*path.parents, *path.resolve().parents}:
        found = ancestor.lstat()
        if found.st_uid not in (0, os.geteuid()):
            raise _foreign(ancestor, found.st_uid, path)
        if stat.S_ISDIR(found.st_mode) and _others_can_replace(found):
            raise HostUnfitError(
                f"other users can replace {path}, because they can write to {ancestor}",
                hint=f"take the write permission away (chmod go-w {ancestor}); or {_ELSEWHERE}",
            )


def _others_can_replace(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_ISVTX:
        return False
    # Many systems give every user a group of their own, which may write.
    own_group = found.st_gid in (0, os.getegid())
    return bool(found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not own_group))


def _foreign(path: Path, uid: int, wanted: Path) -> HostUnfitError:
    where = "" if path == wanted else f", and {wanted} lies in it"
    return HostUnfitError(f"{path} belongs to the user with uid {uid}{where}", hint=_ELSEWHERE)
