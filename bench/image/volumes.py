"""The places that an image declares as volumes (``VOLUME`` in its Dockerfile).

Every box gets a volume of its own at each of them. It begins with what the image has there, belongs to the box and is
removed with it, as an anonymous volume of an engine.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

from bench.agent.boxconf import DIRECTORY_IN_BOX
from bench.image.archive import MOUNT_PLACES, TreeIndex, parent_of_name
from bench.image.etc_files import ETC_FILES
from bench.util.errors import BuildError


def volume_places(image: str, declared: Iterable[str], index: TreeIndex) -> tuple[str, ...]:
    """The volumes' paths in a box, absolute, links followed, outer ones first.

    Args:
        image: its name, for error messages.
        declared: the keys of ``Config.Volumes``, as the engine reports them.

    Raises:
        BuildError: a path is relative, or is no directory that can be mounted on.
    """
    return tuple(sorted({f"/{_place(image, path, index)}" for path in declared}))


def missing_places(image: str, declared: Iterable[str], index: TreeIndex) -> Iterator[tarfile.TarInfo]:
    """The directories that a tree lacks for the places of volumes. Engines make them at a start.

    Raises:
        BuildError: as ``volume_places``.
    """
    missing = [name for path in declared for name in _upwards(_place(image, path, index)) if name not in index.members]
    for name in sorted(set(missing)):
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        yield member


def _place(image: str, path: str, index: TreeIndex) -> str:
    """The path without links and leading slash."""
    found = index.walk(path)
    if not path.startswith("/") or found is None or ".." in found[1]:
        raise _unusable(image, path, "is not an absolute path without loops")
    existing, missing = found
    if existing and not index.members[existing].isdir():
        raise _unusable(image, path, f"leads to /{existing}, which is not a directory")
    place = "/".join([existing, *missing]).lstrip("/")
    taken = (*MOUNT_PLACES, *ETC_FILES, DIRECTORY_IN_BOX.lstrip("/"))
    if not place or any(place == name or place.startswith(f"{name}/") for name in taken):
        raise _unusable(image, path, "is where every box has something else")
    return place


def _upwards(name: str) -> Iterator[str]:
    while name:
        yield name
        name = parent_of_name(name)


def _unusable(image: str, path: str, why: str) -> BuildError:
    return BuildError(
        f"image {image}: VOLUME {path!r} {why}", hint="correct VOLUME in the Dockerfile, or workload.volumes"
    )
