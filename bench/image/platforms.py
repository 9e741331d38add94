"""Platforms of images and of this host, in the words of registries: ``linux/amd64``."""

from __future__ import annotations

import platform
from typing import Final

_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
    "loongarch64": "loong64",
}
"""By what uname says; all others have the same name in both."""
_ALSO: Final = {"amd64": ("386",)}
"""Architectures whose programs run on another one, in containers and in VMs alike."""


def host_architecture() -> str:
    """This host's architecture in the words of registries."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def host_platform() -> str:
    """What images must be made for."""
    return f"linux/{host_architecture()}"


def runs_here(system: str, architecture: str) -> bool:
    """Whether an image's programs run on this host without emulation. Images that do not say it are taken."""
    here = host_architecture()
    return system in ("linux", "") and architecture in ("", here, *_ALSO.get(here, ()))
