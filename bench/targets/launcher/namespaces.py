"""The kernel's primitives alone: clone into namespaces, mounts, pivot_root, exec. No runtime, no bundle, no daemon.

``boxlaunch`` waits in the box's control group and does this work in the measured part. Each primitive can be left
out, so the difference of two cells is the cost of one primitive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar

from bench.agent.boxconf import CHANNEL_IN_BOX, HOSTNAME
from bench.engines.lazy import Engines
from bench.host.cgroup import own_cgroup
from bench.host.mounts import hierarchies
from bench.host.read import HOST_ROOT
from bench.scenario.options import Value, check_options
from bench.scenario.target_table import NAMESPACES, TARGETS
from bench.targets.base import Order
from bench.targets.launcher.launched import LaunchedBox
from bench.targets.overlay import Overlay
from bench.targets.rootfs_box import AGENT_ARGV, AGENT_AS_ROOT, RootfsTarget, rootfs_parts
from bench.util.errors import UsageError


class NamespacesTarget(RootfsTarget):
    """The agent as PID 1 in namespaces of its own."""

    name: ClassVar[str] = "namespaces"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)
        self._on = {name: bool(options.get(name, name in NAMESPACES)) for name in (*NAMESPACES, "user")}
        default_root = "pivot" if self._on["mount"] else "chroot"
        self._root = str(options.get("root", default_root))
        _check_together(self._on, self._root)

    def describe(self) -> dict[str, str]:
        """Isolation, mounts, network, writable layer and limits."""
        on = [name for name, is_on in self._on.items() if is_on]
        return {
            "isolation": f"namespaces: {', '.join(on) or 'none'}; {self._root}; no capability dropped, no seccomp",
            "mounts": "overlay, /proc, /sys (read-only), control groups (read-only), a minimal /dev",
            "network": "a namespace with loopback only" if self._on["net"] else "the host's",
            "writable layer": "overlayfs, mounted after the request",
            "limits": "CPU affinity and a memory control group, joined before the request",
            "request": "our own launcher, which waits in the control group: clone3, mounts, exec",
        }

    @contextmanager
    def provision(self, order: Order) -> Iterator[LaunchedBox]:
        """Make FIFOs and control group, and start the waiting launcher."""
        with ExitStack() as stack:
            ends, overlay = stack.enter_context(rootfs_parts(order, agent=AGENT_AS_ROOT))
            group = stack.enter_context(own_cgroup(order.tag, memory_bytes=order.resources.memory))
            box = LaunchedBox(order, ends, overlay)
            box.hold(self.name, AGENT_ARGV, group, stack, flags=self._flags(overlay, ends.directory))
            yield box

    def _flags(self, overlay: Overlay, channel: Path) -> list[str]:
        # In a user namespace overlayfs may not use attributes that only the host's root may set.
        options = overlay.options + (",userxattr" if self._on["user"] else "")
        flags = ["--isolate", str(overlay.root), "--overlay", options, "--hostname", HOSTNAME, "--enter", self._root]
        flags += ["--bind", f"{channel}:{CHANNEL_IN_BOX.lstrip('/')}"]
        for directory, place in overlay.volumes.items():
            flags += ["--volume", f"{directory}:{place.lstrip('/')}"]
        for name, is_on in self._on.items():
            flags += ["--new", name] if is_on else []
        for pair in cgroup_mounts():
            flags += ["--cgroupfs", pair]
        return flags


def _check_together(on: Mapping[str, bool], root: str) -> None:
    if root == "pivot" and not on["mount"]:
        raise UsageError(
            "target 'namespaces': root=pivot without a mount namespace would replace the host's root",
            hint="leave out root, or use root: chroot",
        )
    if on["user"] and not all(on.values()):
        missing = ", ".join(name for name, is_on in on.items() if not is_on)
        raise UsageError(
            f"target 'namespaces': user needs all other namespaces, but {missing} is off",
            hint="the kernel lets a user namespace mount /proc, /sys and control groups only where it owns all of them",
        )


def cgroup_mounts(root: Path = HOST_ROOT) -> list[str]:
    """``NAME:OPTIONS`` for each version 1 hierarchy of the host; ``.:`` where the host has version 2 only."""
    mounts = hierarchies(root)
    v1 = [mount for mount in mounts if mount.kind == "cgroup"]
    if not v1:
        return [".:"] if any(mount.kind == "cgroup2" for mount in mounts) else []
    return [f"{Path(mount.point).name}:{','.join(o for o in mount.options if o not in ('rw', 'ro'))}" for mount in v1]
