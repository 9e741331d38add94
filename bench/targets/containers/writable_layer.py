"""The size of what is a container's alone on the host's disk, from what its engine says of the container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.host.disk import allocated_bytes


def writable_layer_bytes(inspected: Mapping[str, Any]) -> dict[str, int]:
    """``box.allocated``, the layer and the container's volumes.

    Empty when the storage driver keeps the layer in no directory that this user can read.

    The directories of an engine that runs as root are closed to other users.

    Args:
        inspected: the answer of ``docker inspect`` or ``podman inspect``.
    """
    upper = ((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    volumes = [found["Source"] for found in inspected.get("Mounts") or () if found.get("Type") == "volume"]
    try:
        if not upper or not Path(upper).is_dir():
            return {}
        return {"box.allocated": sum(allocated_bytes(Path(own)) for own in (upper, *volumes))}
    except PermissionError:
        return {}
