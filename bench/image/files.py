"""Files of the host that a scenario copies into its image (``workload.files``)."""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol, cast

from bench.agent.boxconf import DIRECTORY_IN_BOX
from bench.image.archive import MOUNT_PLACES
from bench.image.etc_files import ETC_FILES
from bench.image.stores.base import StoreError
from bench.records.results import results_below
from bench.util.text import plain
from bench.util.units import format_bytes

MOST_BYTES: Final = 8 * 2**30
MOST_ENTRIES: Final = 500_000
_PERMISSIONS: Final = 0o1777
"""What is kept of a mode. The owner becomes root, so a file that runs as its owner would run as root."""
_HINT: Final = "name a directory with only what the workload reads"


class Digest(Protocol):
    """As those of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""


@dataclass(frozen=True)
class _Found:
    """A file, directory or link of the host, and its place in the image without a leading slash."""

    path: Path
    place: str


def add_files(
    archive: tarfile.TarFile,
    directory: Path,
    files: Mapping[str, str],
    volumes: Sequence[str] = (),
    results: Sequence[Path] = (),
) -> str:
    """Write files and directories of the host into a layer, as root's, with their modes and times.

    The named path may be a link. Links inside a directory stay links and are never followed. What lies at a volume
    inside a directory is left out: the volume begins with what the image has there, as it would hide a mount. So are
    directories of results, which would make another image of a project each time that it was measured.

    Args:
        directory: of the scenario; relative paths of the host begin there.
        files: by absolute path in the box, the paths of the host.
        volumes: absolute paths in the box.
        results: directories that results will be written to.

    Returns:
        SHA-256 of all that was written, without times, as a file that was only touched makes no other image.

    Raises:
        StoreError: a path of the host cannot be read or is neither file, directory nor link; a place in the box is
            taken; all files together are too large or too many.
    """
    hidden = tuple(_place(volume) for volume in volumes)
    size = count = 0
    digest = hashlib.sha256()
    for target, source in files.items():
        place = _place(target)
        if _is_taken(place):
            raise StoreError(
                f"workload.files: {plain(target)!r} is where every box has something else",
                hint="copy the file to another place",
            )
        top = directory / source
        resolved = _resolved(top)
        for found in _walk(resolved, place, hidden, frozenset(results_below(resolved, results))):
            count += 1
            # A sparse file can have any size, so nothing is written that does not fit.
            added = _add(archive, found, digest, MOST_BYTES - size, named=found.place == place)
            if added is None or count > MOST_ENTRIES:
                raise StoreError(
                    f"workload.files: {top} has more than {format_bytes(MOST_BYTES)} or {MOST_ENTRIES} files",
                    hint=_HINT,
                )
            size += added
    return digest.hexdigest()


def _place(path: str) -> str:
    """A path in the box without a leading slash, dots and doubled slashes."""
    return posixpath.normpath(f"/{path.lstrip('/')}").lstrip("/")


def _is_taken(place: str) -> bool:
    taken = (*MOUNT_PLACES, *ETC_FILES, DIRECTORY_IN_BOX.lstrip("/"))
    return not place or any(place == name or place.startswith(f"{name}/") for name in taken)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "it is a circle of links"
        raise StoreError(f"workload.files: {path}: {why}", hint="paths are relative to the scenario file") from None


def _walk(path: Path, place: str, hidden: Sequence[str], left_out: frozenset[Path]) -> Iterator[_Found]:
    """The path and everything below it, parents first, in the order of names.

    Args:
        hidden: places that are left out.
        left_out: likewise, paths of the host.
    """
    left = [_Found(path, place)]
    while left:
        found = left.pop()
        yield found
        if found.path.is_symlink() or not found.path.is_dir():
            continue
        try:
            names = sorted(os.listdir(found.path), reverse=True)  # noqa: PTH208 - names alone
        except OSError as error:
            raise _unreadable(found.path, error) from None
        inner = (_Found(found.path / name, f"{found.place}/{name}") for name in names)
        left += [one for one in inner if one.place not in hidden and one.path not in left_out]


def _add(archive: tarfile.TarFile, found: _Found, digest: Digest, room_bytes: int, *, named: bool) -> int | None:
    """Write one entry; returns the bytes of its content. None: it has more than ``room_bytes``, and is not written."""
    try:
        # A file may be replaced by a link or a FIFO meanwhile, so what was opened is what is looked at.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        about = found.path.lstat()
        member = _member(found.place, about)
        if stat.S_ISLNK(about.st_mode) and not named:
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(found.path)  # noqa: PTH115 - as it stands
            _write(archive, member, digest)
        elif stat.S_ISDIR(about.st_mode):
            member.type = tarfile.DIRTYPE
            _write(archive, member, digest)
        elif stat.S_ISREG(about.st_mode):
            with open(os.open(found.path, flags), "rb") as content:  # noqa: PTH123 - opened without following links
                member = _member(found.place, about := os.fstat(content.fileno()))
                if not stat.S_ISREG(about.st_mode):
                    raise _special(found.path)
                member.size = about.st_size
                if member.size > room_bytes:
                    return None
                _write(archive, member, digest, content)
            return member.size
        else:
            raise _special(found.path)
    except OSError as error:
        raise _unreadable(found.path, error) from None
    return 0


class _Hashed:
    """A file whose content goes into a digest as it is read."""

    def __init__(self, content: IO[bytes], digest: Digest) -> None:
        self._content = content
        self._digest = digest

    def read(self, size: int) -> bytes:
        found = self._content.read(size)
        self._digest.update(found)
        return found


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, digest: Digest, content: IO[bytes] | None = None) -> None:
    about = (member.name, member.type, member.mode, member.linkname, member.size)
    digest.update(f"{about!a}\n".encode("ascii"))
    archive.addfile(member, None if content is None else cast(IO[bytes], _Hashed(content, digest)))


def _member(place: str, about: os.stat_result) -> tarfile.TarInfo:
    member = tarfile.TarInfo(place)
    member.mode, member.mtime = about.st_mode & _PERMISSIONS, int(about.st_mtime)
    return member


def _special(path: Path) -> StoreError:
    return StoreError(f"workload.files: {path} is neither a file, a directory nor a link", hint=_HINT)


def _unreadable(path: Path, error: OSError) -> StoreError:
    hint = "check that this user can read it"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "it is copied into boxbench's cache: set BOXBENCH_CACHE to a directory on a larger disk"
    return StoreError(f"workload.files: {path}: {error.strerror or error}", hint=hint)
