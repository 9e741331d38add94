"""A box's volumes where no engine makes them: directories of the box, filled from the image, to be bound into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.host.disk import allocated_bytes
from bench.image.tree import ensure_tree_dir
from bench.targets.base import Order
from bench.util import proc

FILL_LIMIT_S = 600.0


def make_volumes(order: Order) -> dict[Path, str]:
    """Make the directories of the image's volumes in the box's storage; they go with it.

    Engines do the same when they create a container. A box without an engine has its volumes before it is requested.

    Returns:
        The place in the box by directory, outer places first.

    Raises:
        ProcessError: the image's content cannot be copied; the disk may be full.
    """
    if not order.image.volumes:
        return {}
    tree, parent = ensure_tree_dir(order.image), order.storage / "volumes"
    parent.mkdir()
    found = {}
    for number, place in enumerate(order.image.volumes):
        directory = parent / str(number)
        # With owner, mode and attributes. The place is a directory, and no part of it is a link.
        source = tree / place.lstrip("/")
        proc.run(["cp", "-a", "--", source, directory], timeout_s=FILL_LIMIT_S, keep=proc.NO_VARIABLES)
        found[directory] = place
    return found


def volumes_bytes(volumes: Mapping[Path, str]) -> int:
    """Bytes that the volumes occupy on the host's disk."""
    return sum(allocated_bytes(directory) for directory in volumes)
