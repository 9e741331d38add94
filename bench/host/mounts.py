"""The mount table: where the cgroup hierarchies are, which file system a path is on, and unmounting."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from bench.host.read import HOST_ROOT
from bench.host.run_directory import parse_tag
from bench.util import proc
from bench.util.errors import TeardownError

CgroupMode = Literal["v1", "hybrid", "v2"]

_UNMOUNT_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class Mount:
    """One line of /proc/PID/mountinfo."""

    root: str
    """The directory of the file system that is mounted; ``/`` except for bind mounts and in namespaces."""
    point: str
    kind: str
    """The file system type."""
    options: tuple[str, ...]
    """The options of the super block; for cgroup v1 they include the controllers."""
    source: str = ""
    """What was named as mounted: a device, or any word for a file system without one."""


def read_mounts(root: Path = HOST_ROOT) -> tuple[Mount, ...]:
    """The mounts that this process sees, in the order in which they were mounted; empty if they cannot be read."""
    try:
        # Names are bytes. Decoded like this, they are the same bytes again when they are used.
        return parse_mounts(os.fsdecode((root / "proc/self/mountinfo").read_bytes()))
    except OSError:
        return ()


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of a mountinfo file, in order. Lines that do not have its format are ignored."""
    mounts = []
    # A name may have other characters that str.splitlines() takes for the end of a line.
    for line in text.split("\n"):
        left, separator, right = line.partition(" - ")
        first, last = left.split(" "), right.split(" ")
        if separator and len(first) >= 6 and len(last) >= 3:
            root, point, source = map(_unescape, (first[3], first[4], last[1]))
            mounts.append(Mount(root, point, last[0], tuple(last[2].split(",")), source))
    return tuple(mounts)


def _unescape(path: str) -> str:
    # The kernel escapes space, tab, newline and backslash as three octal digits.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)


def hierarchies(root: Path = HOST_ROOT) -> tuple[Mount, ...]:
    """The mounts of the host's control group hierarchies, in the order in which they were mounted.

    A box that shares the host's mount namespace has hierarchies in its own root. They are in the same table, but they
    are the box's, read-only, and gone with it.
    """
    return tuple(
        mount
        for mount in read_mounts(root)
        if mount.kind in ("cgroup", "cgroup2") and not any(map(parse_tag, PurePosixPath(mount.point).parts))
    )


def cgroup_mode(mounts: Sequence[Mount]) -> CgroupMode | None:
    """``v1`` or ``v2`` if only that hierarchy is mounted, ``hybrid`` if both are, None if neither is."""
    v2 = any(mount.kind == "cgroup2" for mount in mounts)
    # This includes v1 mounts without controllers (name=systemd): tools that support only v2 refuse to run beside them.
    v1 = any(mount.kind == "cgroup" for mount in mounts)
    if v1 and v2:
        return "hybrid"
    return "v1" if v1 else ("v2" if v2 else None)


def filesystem_of(mounts: Sequence[Mount], path: Path) -> str | None:
    """The type of the file system that holds ``path``, which need not exist; None if no mount covers it."""
    target = PurePosixPath(path.resolve())
    best: Mount | None = None
    for mount in mounts:
        # A later mount on the same directory hides the earlier one.
        if target.is_relative_to(mount.point) and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best.kind if best else None


def unmount(point: str) -> None:
    """Unmount ``point``. It is not an error if nothing is mounted there or another process unmounts it first.

    Raises:
        TeardownError: the mount is still there.
    """
    if not _is_mounted(point):
        return
    result = proc.run(["umount", point], timeout_s=_UNMOUNT_TIMEOUT_S, check=False)
    if result.returncode != 0 and _is_mounted(point):
        raise TeardownError(
            f"{point} cannot be unmounted: {proc.tail(result.stderr)}",
            hint="a process still uses it; `lsof` names the process",
        )


def _is_mounted(point: str) -> bool:
    return any(mount.point == point for mount in read_mounts())
