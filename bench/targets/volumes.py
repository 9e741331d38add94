"""A box's volumes where no engine makes them: directories of the box, filled from the image, to be bound into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.host.disk import allocated_bytes
from bench.image.tree import ensure_tree_dir
from bench.targets.base import Order
from bench.util import proc

FILL_LIMIT_S = 600.0
VOLUMES: Final = "volumes"
"""The directory in a box's storage."""


def make_volumes(order: Order) -> dict[Path, str]:
    """Make the directories of the image's volumes in the box's storage; they go with it.

    Engines do the same when they create a container. A box without an engine has its volumes before it is requested.
    Where the tree comes after the request, ``fill_volumes`` has to follow it.

    Returns:
        The place in the box by directory, outer places first.

    Raises:
        ProcessError: as ``fill_volumes``.
    """
    if not order.image.volumes:  # the boxes of containerd need no unpacked tree then
        return {}
    if order.image.arrived is None or order.image.arrived.tree is None:
        fill_volumes(order)
    return _places(order)


def fill_volumes(order: Order) -> int:
    """Make the directories and copy into them what the image's tree has there.

    Returns:
        CPU time, ns, of the programs.

    Raises:
        ProcessError: the image's content cannot be copied; the disk may be full.
    """
    tree, spent_ns = ensure_tree_dir(order.image), 0
    for directory, place in _places(order).items():
        directory.parent.mkdir(exist_ok=True)
        # With owner, mode and attributes. The place is a directory, and no part of it is a link.
        words: list[str | Path] = ["cp", "-a", "--", tree / place.lstrip("/"), directory]
        spent_ns += proc.run(words, timeout_s=FILL_LIMIT_S, keep=proc.NO_VARIABLES).cpu_ns or 0
    return spent_ns


def _places(order: Order) -> dict[Path, str]:
    return {order.storage / VOLUMES / str(number): place for number, place in enumerate(order.image.volumes)}


def volumes_bytes(volumes: Mapping[Path, str]) -> int:
    """Bytes that the volumes occupy on the host's disk."""
    return sum(allocated_bytes(directory) for directory in volumes)
