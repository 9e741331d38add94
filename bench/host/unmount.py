"""Unmounting what is ours, beside engines that may do the same at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.host.mounts import parse_mounts
from bench.util import proc
from bench.util.errors import TeardownError

_TIMEOUT_S: Final = 10.0


def mount_points() -> list[str]:
    """All that this process sees, in the order in which they were mounted."""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return [mount.point for mount in parse_mounts(text)]


def unmount(point: str) -> None:
    """Unmount; fine when nothing is mounted there, or somebody else is quicker. Raises TeardownError."""
    if point not in mount_points():
        return
    result = proc.run(["umount", point], timeout_s=_TIMEOUT_S, check=False)
    if result.returncode != 0 and point in mount_points():
        raise TeardownError(
            f"{point} cannot be unmounted: {proc.tail(result.stderr)}", hint="a process still uses it; look at `lsof`"
        )
