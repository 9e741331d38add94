"""A box's writable layer: an overlay on the image's tree. Like the engines, we mount it by the system call."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Final

from bench.host.disk import allocated_bytes
from bench.host.mounts import read_mounts
from bench.image.tree import ensure_tree_dir, fill_dev
from bench.targets.base import Order
from bench.targets.volumes import make_volumes, volumes_bytes
from bench.util.errors import LaunchError, TeardownError

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_MS_NOSUID: Final = 2
_MS_NODEV: Final = 4
_MS_NOEXEC: Final = 8
_MS_BIND: Final = 4096


class Overlay:
    """``root`` shows the image's tree, and ``upper`` receives the box's changes. A new overlay is not mounted."""

    def __init__(self, order: Order) -> None:
        self.root = order.directory / "root"
        self.upper = order.storage / "upper"
        self.work = order.storage / "work"
        self.lower = ensure_tree_dir(order.image)
        self.volumes = make_volumes(order)
        """The place in the box by directory. Whoever mounts the overlay binds them into it."""
        self._source = order.tag
        for directory in (self.root, self.upper, self.work):
            directory.mkdir()
        # It becomes the box's `/`, which every user of the box may enter, whatever our umask is.
        self.upper.chmod(0o755)

    @property
    def options(self) -> str:
        """The mount options for mount(2)."""
        return f"lowerdir={self.lower},upperdir={self.upper},workdir={self.work}"

    def mount(self, *, nodev: bool) -> None:
        """Mount the overlay at ``root``. Raises LaunchError.

        Args:
            nodev: device nodes in it do not work. For boxes that mount a /dev of their own: an image can contain the
                node of the host's disk, which a user of the host with the workload's uid can reach through /proc.
        """
        self._mount(self.root, "overlay", self.options, _MS_NODEV if nodev else 0)

    def mount_proc(self) -> None:
        """Mount the host's /proc in the mounted tree, and make a directory for /sys. Raises LaunchError."""
        for name in ("proc", "sys"):
            self.inside(name).mkdir(exist_ok=True)
        self._mount(self.root / "proc", "proc", "", 0)

    def mount_dev(self) -> None:
        """Mount a /dev in the mounted tree, with what that of every container has. Raises LaunchError."""
        place = self.inside("dev")
        place.mkdir(exist_ok=True)
        self._mount(place, "tmpfs", "mode=755,size=65536k", _MS_NOSUID)
        fill_dev(place)
        for name in ("pts", "shm", "mqueue"):
            (place / name).mkdir()
        self._mount(place / "pts", "devpts", "newinstance,ptmxmode=0666,mode=0620", _MS_NOSUID | _MS_NOEXEC)
        (place / "ptmx").symlink_to("pts/ptmx")
        # The size is Docker's default. A workload that needs more would run in one target and fail in another.
        self._mount(place / "shm", "tmpfs", "mode=1777,size=65536k", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        self._mount(place / "mqueue", "mqueue", "", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)

    def bind_volumes(self) -> None:
        """Bind the volumes into the mounted tree. Raises LaunchError."""
        for directory, place in self.volumes.items():
            self._mount(self.inside(place), "none", "", _MS_BIND, source=str(directory))

    def inside(self, path: str) -> Path:
        """A path of the mounted tree, for use from outside. Nothing may run in the box yet.

        Raises:
            LaunchError: the image has a symbolic link on the way. It would lead out of the tree, to the host.
        """
        found = self.root
        for name in Path(path.lstrip("/")).parts:
            found = found / name
            if found.is_symlink():
                raise LaunchError(
                    f"{found.relative_to(self.root)} in the image is a symbolic link, to {str(found.readlink())!r}",
                    hint="make it a directory in the Dockerfile: boxbench uses it as root from outside of the box",
                )
        return found

    def _mount(self, point: Path, kind: str, options: str, flags: int, *, source: str | None = None) -> None:
        origin = os.fsencode(source or self._source)
        if _LIBC.mount(origin, os.fsencode(point), kind.encode(), ctypes.c_ulong(flags), options.encode()) != 0:
            raise LaunchError(
                f"{kind} cannot be mounted on {point}: {os.strerror(ctypes.get_errno())}",
                hint="check that the kernel has overlayfs and that the cache's file system supports upper layers",
            )

    def unmount(self) -> None:
        """Unmount the overlay and everything mounted in it. Not being mounted is no error. Raises TeardownError."""
        for point in reversed(_mounted_at_or_below(self.root)):
            if _LIBC.umount2(os.fsencode(point), 0) != 0:
                raise TeardownError(
                    f"{point} cannot be unmounted: {os.strerror(ctypes.get_errno())}",
                    hint="a process still uses it; `boxbench clean` tries again",
                )

    def disk_bytes(self) -> dict[str, int]:
        """``box.allocated``: bytes on disk that the box has written, and its volumes."""
        return {"box.allocated": allocated_bytes(self.upper) + volumes_bytes(self.volumes)}


def _mounted_at_or_below(top: Path) -> list[str]:
    return [mount.point for mount in read_mounts() if Path(mount.point).is_relative_to(top)]
