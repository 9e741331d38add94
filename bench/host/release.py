"""The fields of os-release: which distribution this host has."""

from __future__ import annotations

from pathlib import Path
from typing import Final

OS_RELEASE: Final = Path("/etc/os-release")


def os_release(file: Path = OS_RELEASE) -> dict[str, str]:
    """The fields of os-release; empty when there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("'\"") for key, value in pairs}
