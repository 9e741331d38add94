"""Mounts: in the directories of boxes, in the data of a private engine that has ended, and the kernel's trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from bench.engines.containerd_api import NAMESPACE
from bench.engines.data_root import free_data_roots
from bench.host.mounts import Mount, read_mounts, unmount
from bench.host.processes import own_uids
from bench.host.run_directory import Tag, parse_tag
from bench.host.tracefs import is_our_mount
from bench.run.cleanup.leftover import Leftover, Wanted
from bench.run.cleanup.places import Places

_BUNDLES: Final = ("io.containerd.runtime.v2.task", NAMESPACE)


def find_mounts(wanted: Wanted) -> Iterator[Leftover]:
    """Mounts to be removed, the latest first."""
    places = Places.here()
    free = free_data_roots().values() if wanted.everything else ()
    for mount in reversed(read_mounts()):
        shared = (wanted.includes_shared and is_our_mount(mount)) or any(
            PurePosixPath(mount.point).is_relative_to(root) for root in free
        )
        if shared or (wanted(tag_of_mount(mount, places)) and _is_ours(mount.point, places)):
            # An engine that ends unmounts its own mounts: earlier, or at this very moment.
            yield Leftover("mount", mount.point, partial(unmount, mount.point))


def tag_of_mount(mount: Mount, places: Places) -> Tag | None:
    """The tag of the box or campaign whose mount it is; None for a mount of other people."""
    parts = PurePosixPath(mount.point).parts
    # The root of a container in our namespace of a containerd: .../io.containerd.runtime.v2.task/boxbench/TAG/rootfs
    if len(parts) > 4 and parts[-4:-2] == _BUNDLES and parts[-1] == "rootfs":
        return parse_tag(parts[-2])
    return places.tag_of_path(mount.point)


def _is_ours(point: str, places: Places) -> bool:
    """Whether only this user and root can have made a mount point, so that nobody can put a link in its place.

    Any user may mount FUSE in a directory of their own, whose name they choose.
    """
    if places.tag_of_path(point) is not None:
        return True
    with suppress(OSError):
        return all(parent.lstat().st_uid in own_uids() for parent in Path(point).parents)
    return False
