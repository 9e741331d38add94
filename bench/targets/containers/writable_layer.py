"""The size of a container's writable layer, from what its engine says of the container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.host.disk import allocated_bytes


def writable_layer_bytes(inspected: Mapping[str, Any]) -> dict[str, int]:
    """``box.allocated``; empty when the storage driver keeps the layer in no directory that this user can read.

    The directories of an engine that runs as root are closed to other users.

    Args:
        inspected: the answer of ``docker inspect`` or ``podman inspect``.
    """
    upper = ((inspected.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    try:
        return {"box.allocated": allocated_bytes(Path(upper))} if upper and Path(upper).is_dir() else {}
    except PermissionError:
        return {}
