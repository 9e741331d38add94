"""Layers that Docker forgets: they occupy the disk for ever and keep those below them from being removed.

Docker before 27.4 does not give up the writable layer of a container that was exported (moby issue 48516), so it stays
when the container is removed. Its image's layers then stay when the image is removed. Every image that Boxbench
prepares is exported.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bench.util.tree import remove_tree

_DRIVER: Final = "overlay2"
_CONTAINER: Final = re.compile(r"[0-9a-f]{64}")
_LAYER: Final = re.compile(r"[0-9a-f]{64}(-init)?")
_SHORT: Final = re.compile(r"[A-Z0-9]{26}")


def remove_orphan_layers(data_root: Path) -> int:
    """Remove the writable layers of containers that no longer exist from the data root of an engine that is stopped.

    Returns:
        How many there were.

    Raises:
        TeardownError, OSError: one cannot be removed.
    """
    mounts = data_root / "image" / _DRIVER / "layerdb" / "mounts"
    if not mounts.is_dir():
        return 0
    # BuildKit's layers are there too; their names are shorter.
    noted = [path for path in mounts.iterdir() if _CONTAINER.fullmatch(path.name)]
    orphans = [path for path in noted if not (data_root / "containers" / path.name).exists()]
    for orphan in orphans:
        for layer in filter(None, (_layer(orphan / name) for name in ("init-id", "mount-id"))):
            _remove_layer(data_root / _DRIVER, layer)
        # Last, so that one whose removal was broken off is found again.
        remove_tree(orphan)
    return len(orphans)


def _layer(file: Path) -> str | None:
    try:
        name = file.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return name if _LAYER.fullmatch(name) else None


def _remove_layer(layers: Path, name: str) -> None:
    try:
        short = (layers / name / "link").read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        short = ""
    remove_tree(layers / name)
    if _SHORT.fullmatch(short):
        (layers / "l" / short).unlink(missing_ok=True)
