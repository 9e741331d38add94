"""Control groups: those below our parent, and those that an engine named with a tag."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bench.host.cgroup import PARENT, remove_groups
from bench.host.mounts import read_mounts
from bench.run.cleanup.leftover import Leftover, Wanted
from bench.run.cleanup.places import tag_of_group
from bench.util.clock import MonotonicClock
from bench.util.errors import TeardownError

# Enough for machine.slice/<domain>/libvirt/emulator.
_DEPTH: Final = 5


def find_cgroups(wanted: Wanted) -> Iterator[Leftover]:
    """Groups of boxes, without those in them; with everything also our parent, where nothing else is in it."""
    groups = set(_groups(wanted))
    outermost = sorted(group for group in groups if group.parent not in groups)
    for path in outermost:
        yield Leftover("cgroup", str(path), partial(_remove, path))
    if wanted.includes_shared:
        for parent in (point / PARENT for point in _points()):
            if parent.is_dir() and groups.issuperset(parent.glob("*/")):
                yield Leftover("cgroup", str(parent), partial(_remove, parent))


def find_groups(tag: str) -> list[Path]:
    """The directories of all control groups, in any hierarchy, of a box or campaign."""
    return sorted(_groups(Wanted(tag)))


def _groups(wanted: Wanted) -> Iterator[Path]:
    for point in _points():
        for directory, folders, _ in os.walk(point):
            parts = Path(directory).relative_to(point).parts
            if len(parts) >= _DEPTH:
                folders.clear()
            if wanted(tag_of_group(parts)):
                yield Path(directory)


def _points() -> list[Path]:
    return sorted({Path(mount.point) for mount in read_mounts() if mount.kind in ("cgroup", "cgroup2")})


def _remove(path: Path) -> None:
    if remove_groups((path,), MonotonicClock()):
        raise TeardownError(f"the control group {path} stays", hint="its cgroup.procs names the processes in it")
