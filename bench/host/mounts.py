"""The mount table: which cgroup hierarchy is where, and which file system a path is on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

CgroupMode = Literal["v1", "hybrid", "v2"]


@dataclass(frozen=True)
class Mount:
    """One line of /proc/PID/mountinfo."""

    root: str
    """The directory of the file system that is mounted: ``/`` unless it is a bind mount or in a namespace."""
    point: str
    kind: str
    """The file system type."""
    options: tuple[str, ...]
    """The super block's options: for cgroup v1 the controllers."""


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts of a mountinfo text, in its order; lines of another form are left out."""
    mounts = []
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        first, last = left.split(" "), right.split(" ")
        if separator and len(first) >= 6 and len(last) >= 3:
            mounts.append(Mount(_unescape(first[3]), _unescape(first[4]), last[0], tuple(last[2].split(","))))
    return tuple(mounts)


def _unescape(path: str) -> str:
    # The kernel writes space, tab, newline and backslash as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def cgroup_mode(mounts: Sequence[Mount]) -> CgroupMode | None:
    """``v2`` alone, ``v1`` alone, ``hybrid`` when both hierarchies are mounted, None when neither is."""
    v2 = any(mount.kind == "cgroup2" for mount in mounts)
    # A v1 mount without controllers (systemd's own, name=systemd) accounts nothing but still refuses v2-only tools.
    v1 = any(mount.kind == "cgroup" for mount in mounts)
    if v1 and v2:
        return "hybrid"
    return "v1" if v1 else ("v2" if v2 else None)


def filesystem_of(mounts: Sequence[Mount], path: Path) -> str | None:
    """The file system type that ``path`` (which need not exist yet) is on; None when the table does not tell."""
    target = PurePosixPath(path.resolve())
    best: Mount | None = None
    for mount in mounts:
        # Later lines cover earlier ones, so equal depth takes the later.
        if target.is_relative_to(mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best.kind if best else None
