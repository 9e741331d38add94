"""OCI runtimes other than runc, for the configuration of a private Docker Engine."""

from __future__ import annotations

from typing import Any, Final

from bench.util import proc

RUNSC_FLAGS: Final = (
    "--network=none",
    # The agent's channel uses FIFOs of the host.
    "--host-fifo=open",
    # Writes go to the box's own overlay, as in other containers. By default runsc keeps them in memory.
    "--overlay2=none",
)

_EXTRA: Final[dict[str, tuple[str, ...]]] = {"crun": (), "runsc": RUNSC_FLAGS}


def engine_settings() -> dict[str, Any]:
    """The daemon.json of a private dockerd, with the runtimes that this host has. dockerd knows runc by itself."""
    found = {name: proc.find_tool(name) for name in _EXTRA}
    runtimes = {
        name: {"path": path, **({"runtimeArgs": list(_EXTRA[name])} if _EXTRA[name] else {})}
        for name, path in found.items()
        if path is not None
    }
    return {"runtimes": runtimes} if runtimes else {}
