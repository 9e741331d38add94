"""The parent group for the containers of a private engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.host.cgroup.own import remove_groups
from bench.host.mounts import cgroup_mode, read_mounts
from bench.host.read import HOST_ROOT
from bench.util.clock import MonotonicClock

_SYSTEMD: Path = Path("run/systemd/system")


@contextmanager
def engine_parent(name: str, *, root: Path = HOST_ROOT) -> Iterator[str | None]:
    """The path of the parent group, for the engine's option. At the end it is removed with the groups below it.

    It takes the place of ``/docker`` and is as deep. Groups of a killed engine are known by its name.

    Args:
        name: the tag of the engine's run directory.

    Returns:
        None on a host where dockerd lets systemd make the groups: systemd removes those of a killed engine.
    """
    mounts = read_mounts(root)
    if cgroup_mode(mounts) == "v2" and (root / _SYSTEMD).is_dir():
        yield None
        return
    try:
        yield f"/{name}"
    finally:
        parents = [root / m.point.lstrip("/") / name for m in mounts if m.kind in ("cgroup", "cgroup2")]
        remove_groups(parents, MonotonicClock())
