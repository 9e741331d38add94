"""The layer that is added to an image, as a tar."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path


def rest_of_layer(layer: Path, directories: Sequence[str], rest: Path) -> bool:
    """Write what a layer has outside of some directories to another tar.

    Args:
        directories: absolute paths in the box.
        rest: is written only if there is anything.

    Returns:
        Whether there is.
    """
    places = tuple(place.strip("/") for place in directories)
    with tarfile.open(layer) as whole:
        others = [member for member in whole if not _is_in(member.name.strip("/"), places)]
        if not others:
            return False
        with tarfile.open(rest, "w", format=tarfile.PAX_FORMAT) as archive:
            for member in others:
                archive.addfile(member, whole.extractfile(member) if member.isreg() else None)
    return True


def _is_in(name: str, places: Sequence[str]) -> bool:
    return any(name == place or name.startswith(f"{place}/") for place in places)
