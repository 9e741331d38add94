"""Output directories that a user may fill, too: what we wrote is known, and nothing else is replaced or removed.

A hidden file lists what was written, with the digest of each file. A later output may replace and remove these files
only, and only as long as nobody has edited them.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.util.durable import sync_directory, sync_entry, write_durably
from bench.util.errors import UsageError

LISTING: Final = ".boxbench-files.json"
"""The hidden file: names relative to the directory, and the SHA-256 of each file."""
_LARGEST: Final = 1 << 20
_HINT: Final = "choose a new directory with -o, or move that file away"


def written_before(directory: Path) -> dict[str, str]:
    """The files that an earlier output wrote, with their digests; empty when there is no list that can be read."""
    try:
        fd = os.open(directory / LISTING, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return {}
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return {}
        raw = file.read(_LARGEST)
    try:
        listed = json.loads(raw)
    except ValueError:
        return {}
    if not isinstance(listed, dict):
        return {}
    return {name: text for name, text in listed.items() if isinstance(text, str) and _is_inside(name)}


def check_place(directory: Path, *, others: bool = False) -> None:
    """Refuse a directory that holds what we did not write, or what was edited since.

    Args:
        others: other files may be there. They stay.

    Raises:
        UsageError: it holds such a file, it is no directory, or it is not ours to write in.
    """
    try:
        present = sorted(_files(directory)) if directory.exists() else []
    except OSError as error:
        raise UsageError(f"-o {directory}: {error.strerror}", hint="choose another directory with -o") from None
    listed = written_before(directory)
    for name in present:
        if name not in listed:
            if not others:
                raise UsageError(f"-o {directory} holds files of something else, such as {name!r}", hint=_HINT)
        else:
            _check_unchanged(directory, name, listed)
    nearest = next((place for place in (directory, *directory.absolute().parents) if place.exists()), directory)
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"-o {directory}: {nearest} is no directory in which you can write", hint=_HINT)


def list_files(directory: Path, listed: Mapping[str, str] | None = None) -> None:
    """Write the list of a directory that holds nothing but ours, or the list that is given."""
    if listed is None:
        listed = {name: _digest(directory / name) for name in sorted(_files(directory))}
    write_durably(directory / LISTING, json.dumps(dict(sorted(listed.items())), indent=1) + "\n")


def install(stage: Path, final: Path, is_replaced: Callable[[str], bool]) -> None:
    """Move all files of ``stage`` into ``final``; all of them, or none.

    Args:
        is_replaced: whether a file of an earlier output goes when it is not made any more.

    Raises:
        UsageError: a file that we did not write, one that was edited since, or a link has the place of a new one or of
            one that goes. Nothing was changed.
        OSError: the disk fails. What was there before is there again.
    """
    listed = written_before(final)
    made = {name: _digest(stage / name) for name in sorted(_files(stage))}
    gone = [name for name in listed if name in made or is_replaced(name)]
    for name in dict.fromkeys((*made, *gone)):
        _check_target(final, name, listed)
    exchange(
        stage,
        lambda name: final / name,
        gone,
        then=lambda: list_files(final, {name: text for name, text in listed.items() if name not in gone} | made),
    )
    for name in gone:
        with suppress(OSError):  # a folder that is empty now
            if Path(name).parent != Path() and name not in made:
                (final / name).parent.rmdir()
    sync_directory(final)


def exchange(
    stage: Path, place_of: Callable[[str], Path], gone: Iterable[str], *, then: Callable[[], None] = lambda: None
) -> None:
    """Move all files of ``stage`` to their places, and remove files that are not made any more; all of it, or nothing.

    The caller has made sure that what is there may be replaced.

    Args:
        stage: a directory of the same file system, which the caller removes. Former files are kept in it meanwhile.
        place_of: where the file of a name goes.
        gone: names of files that are removed.
        then: the last step. When it fails, everything is as it was.

    Raises:
        OSError: the disk fails, or a directory has the name of a file. What was there before is there again.
    """
    aside = stage / ".former"
    made = sorted(_files(stage))
    for name in made:
        sync_entry(stage / name)
    former = [name for name in dict.fromkeys((*gone, *made)) if _is_replaceable(place_of(name))]
    try:
        for name in former:
            _move(place_of(name), aside / name)
        for name in made:
            _move(stage / name, place_of(name))
        for folder in {place_of(name).parent for name in made}:
            sync_directory(folder)
        then()
    except BaseException:
        # What has been moved is read from the disk: an interruption can come between a move and a note of it.
        for name in made:
            if not os.path.lexists(stage / name):
                place_of(name).unlink()
        for name in former:
            if os.path.lexists(aside / name):
                _move(aside / name, place_of(name))
        raise


def _check_target(final: Path, name: str, listed: Mapping[str, str]) -> None:
    for parent in Path(name).parents:
        if (final / parent).is_symlink():
            raise UsageError(f"-o {final}: {parent} is a link, which is not followed", hint=_HINT)
    if os.path.lexists(final / name) and (name not in listed or not _is_file(final / name)):
        raise UsageError(f"-o {final}: {name} is there, and was not written by boxbench", hint=_HINT)
    if name in listed and _is_file(final / name):
        _check_unchanged(final, name, listed)


def _check_unchanged(directory: Path, name: str, listed: Mapping[str, str]) -> None:
    if _digest(directory / name) != listed[name]:
        raise UsageError(f"-o {directory}: {name} was changed since it was written, and would be replaced", hint=_HINT)


def _move(old: Path, new: Path) -> None:
    if not new.parent.exists():
        new.parent.mkdir(parents=True)
    old.rename(new)


def _files(directory: Path) -> Iterator[str]:
    """Relative names of everything that is no directory, but for hidden names at the top. Links are not followed."""
    for place in directory.iterdir():
        if place.name.startswith("."):
            continue
        if place.is_dir() and not place.is_symlink():
            yield from (f"{place.name}/{name}" for name in _files(place))
        else:
            yield place.name


def _is_inside(name: str) -> bool:
    path = Path(name)
    return bool(name) and not path.is_absolute() and ".." not in path.parts


def _is_replaceable(place: Path) -> bool:
    """A file, or a link, which is replaced itself."""
    try:
        return not stat.S_ISDIR(place.lstat().st_mode)
    except OSError:
        return False


def _is_file(place: Path) -> bool:
    try:
        return stat.S_ISREG(place.lstat().st_mode)
    except OSError:
        return False


def _digest(place: Path) -> str:
    """Of a regular file; of anything else a text that no digest is equal to."""
    if not _is_file(place):
        return "no regular file"
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
