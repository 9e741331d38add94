"""Finding the control groups of a process that belong to its box alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from bench.host.cgroup.group import UNIFIED, BoxCgroup
from bench.host.mounts import Mount, hierarchies
from bench.host.read import HOST_ROOT, read_text
from bench.util.paths import is_directory

CPU_ACCOUNT: Final = "cpuacct"
"""The v1 controller that counts CPU time."""
CONTROLLERS: Final = ("memory", "cpu", CPU_ACCOUNT, "blkio")

# libvirt puts the threads of a domain into groups below the one that accounts its memory.
_INNER: Final = re.compile(r"emulator|libvirt|vcpu\d+|iothread\d+")


def cgroup_of(pid: int, *, root: Path = HOST_ROOT, ours: int | None = None) -> BoxCgroup | None:
    """The control group of a box, which it shares with no other process of the host.

    Args:
        pid: a process of the box, on the host.
        ours: a process whose groups, and those above them, do not count; None means this process.

    Returns:
        None if the process has ended or shares all its groups with ``ours`` or with the whole host, so that no
        counter belongs to the box alone.
    """
    own, mounts = _own_paths(pid, root, ours), hierarchies(root)
    v1 = _directories(root, own, {name: mount for name in CONTROLLERS if (mount := _v1_mount(mounts, name))})
    if v1:
        return BoxCgroup("v1", v1)
    unified = _directories(root, own, _v2_mount(mounts))
    # The v2 tree of a hybrid host has no controllers; a group in it would read as a box without memory.
    if unified and (read_text(unified[UNIFIED], "cgroup.controllers") or "").strip():
        return BoxCgroup("v2", unified)
    return None


def cpu_group_of(pid: int, *, root: Path = HOST_ROOT, ours: int | None = None) -> BoxCgroup | None:
    """The control group of a process, for its CPU time alone: that of v1, else that of v2, which needs no controller.

    Args:
        pid: a process of this host.
        ours: as for ``cgroup_of``.

    Returns:
        None if the process has ended, or if no group with an account of CPU time holds it without ``ours``.
    """
    own, mounts = _own_paths(pid, root, ours), hierarchies(root)
    v1 = _v1_mount(mounts, CPU_ACCOUNT)
    counted = _directories(root, own, {} if v1 is None else {CPU_ACCOUNT: v1})
    if counted:
        return BoxCgroup("v1", counted)
    unified = _directories(root, own, _v2_mount(mounts))
    return BoxCgroup("v2", unified) if unified else None


def _own_paths(pid: int, root: Path, ours: int | None) -> dict[str, str]:
    """The path of each group of a process that ``ours`` is not in."""
    theirs = parse_membership(read_text(root, f"proc/{pid}/cgroup") or "")
    mine = parse_membership(read_text(root, f"proc/{os.getpid() if ours is None else ours}/cgroup") or "")
    return {name: box_level(path) for name, path in theirs.items() if _is_own(box_level(path), mine.get(name))}


def parse_membership(text: str) -> dict[str, str]:
    """The path of each controller in /proc/PID/cgroup. The v2 path has the key ``unified``."""
    paths = {}
    for line in text.split("\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = [UNIFIED] if number == "0" and not controllers else controllers.split(",")
        # The kernel appends this to the path of a group that was removed.
        paths.update({name: path.removesuffix(" (deleted)") for name in names})
    return paths


def box_level(path: str) -> str:
    """The path of the group of the whole box. For a libvirt domain it is above its emulator and vcpu groups."""
    parts = PurePosixPath(path)
    while _INNER.fullmatch(parts.name):
        parts = parts.parent
    return str(parts)


def _is_own(path: str, ours: str | None) -> bool:
    if path == "/" or path.startswith("/.."):
        return False
    # A group above ours contains Boxbench too.
    return ours is None or not PurePosixPath(ours).is_relative_to(path)


def _v1_mount(mounts: Sequence[Mount], controller: str) -> Mount | None:
    return next((mount for mount in mounts if mount.kind == "cgroup" and controller in mount.options), None)


def _v2_mount(mounts: Sequence[Mount]) -> dict[str, Mount]:
    v2 = next((mount for mount in mounts if mount.kind == "cgroup2"), None)
    return {} if v2 is None else {UNIFIED: v2}


def _directories(root: Path, own: Mapping[str, str], mounts: Mapping[str, Mount]) -> dict[str, Path]:
    found = {}
    for name, mount in mounts.items():
        path = own.get(name)
        # In a cgroup namespace or a bind mount only the groups below the mounted directory are visible.
        if path is None or not PurePosixPath(path).is_relative_to(mount.root):
            continue
        directory = root / mount.point.lstrip("/") / PurePosixPath(path).relative_to(mount.root)
        if is_directory(directory):
            found[name] = directory
    return found
