"""Programs that run only as the first process (PID 1) of their system, which in every box is the agent."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from bench.image.archive import TreeIndex
from bench.util.errors import BuildError

_S6: Final = "package/admin/s6-overlay"
_INITS: Final = {
    "usr/lib/systemd/systemd": "systemd",
    "lib/systemd/systemd": "systemd",
    "usr/sbin/init": "init",
    "sbin/init": "init",
    "usr/sbin/openrc-init": "OpenRC's init",
    "sbin/openrc-init": "OpenRC's init",
    "usr/sbin/runit-init": "runit's init",
    "sbin/runit-init": "runit's init",
}


def refuse_system_init(image: str, place: str, index: TreeIndex) -> None:
    """Refuse an image whose command would only say that it is not PID 1, and end.

    Args:
        image: its name, for error messages.
        place: where the command is, which may be a symbolic link.

    Raises:
        BuildError: the command is such a program.
    """
    name = _init_at(place, index)
    if name is not None:
        raise BuildError(
            f"image {image}: the command {place!r} is {name}, which must be PID 1; in every box the agent is that",
            hint="name the service's own program in workload.entrypoint; the target libvirt-full boots a system whose "
            "systemd starts that program as a unit",
        )


def _init_at(place: str, index: TreeIndex) -> str | None:
    name, missing = index.walk(place) or ("", [place])
    if missing:
        return None
    called = PurePosixPath(place).name
    if called == "init" and PurePosixPath(name).name == "busybox":
        return "busybox's init"
    if name == "init" and any(path.startswith(_S6) for path in index.members):
        return "s6-overlay's init"
    return _INITS.get(name)
