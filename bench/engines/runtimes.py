"""OCI runtimes beside runc that a private engine is told of, where this host has them."""

from __future__ import annotations

import shutil
from typing import Any, Final

RUNSC_FLAGS: Final = (
    "--network=none",
    # The agent's channel is a pair of host FIFOs.
    "--host-fifo=open",
    # Writes go to the box's own overlay, as in every other container; runsc's default keeps them to itself.
    "--overlay2=none",
)

_EXTRA: Final[dict[str, tuple[str, ...]]] = {"crun": (), "runsc": RUNSC_FLAGS}
_SBIN: Final = "/usr/sbin:/sbin:/usr/local/sbin"


def engine_settings() -> dict[str, Any]:
    """A dockerd's daemon.json that names them; runc is built in."""
    found = {name: shutil.which(name) or shutil.which(name, path=_SBIN) for name in _EXTRA}
    runtimes = {
        name: {"path": path, **({"runtimeArgs": list(_EXTRA[name])} if _EXTRA[name] else {})}
        for name, path in found.items()
        if path is not None
    }
    return {"runtimes": runtimes} if runtimes else {}
