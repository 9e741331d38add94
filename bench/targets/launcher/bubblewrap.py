"""bubblewrap, the launcher of Flatpak. It uses the same primitives as our `namespaces` target.

bwrap makes no control group. As for `namespaces`, our launcher waits in the box's control group and executes it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.boxconf import CHANNEL_IN_BOX, HOSTNAME
from bench.engines.lazy import Engines
from bench.host.cgroup import OwnCgroup, own_cgroup
from bench.host.processes import children_of, parent_of
from bench.records.component import Component
from bench.scenario.options import Value, check_options
from bench.scenario.target_table import TARGETS
from bench.targets import smoke_test
from bench.targets.base import Order
from bench.targets.launcher.launched import LaunchedBox
from bench.targets.overlay import Overlay
from bench.targets.rootfs_box import AGENT_ARGV, AGENT_AS_ROOT, RootfsTarget, rootfs_parts
from bench.util import proc
from bench.util.errors import BoxbenchError

ISOLATION: Final = (
    "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-ipc", "--unshare-cgroup",
    "--as-pid-1", "--die-with-parent", "--hostname", HOSTNAME,
    # The agent switches to the image's user by itself.
    "--cap-add", "ALL",
)  # fmt: skip
_TRY_TIMEOUT_S: Final = 20.0


class BubblewrapTarget(RootfsTarget):
    """``bwrap`` with an overlay, all its namespaces except the user namespace, and our agent as PID 1."""

    name: ClassVar[str] = "bubblewrap"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)

    def why_unavailable(self) -> str | None:
        """Needs root, the program with overlay support (version 0.11), and a smoke test that passes."""
        reason = super().why_unavailable()
        if reason is not None:
            return reason
        try:
            return smoke_test.why_refused(self.name, _version(), attempt=_attempt)
        except BoxbenchError as error:
            return f"{self.name}: {error.message}"

    def describe(self) -> dict[str, str]:
        """Version, isolation, network, writable layer, limits and request."""
        return {
            "runtime": _version(),
            "isolation": "namespaces: mount, pid, uts, ipc, net, cgroup; pivot_root; no capability dropped, no seccomp",
            "network": "a namespace with loopback only",
            "writable layer": "overlayfs, mounted by bwrap, after the request",
            "limits": "CPU affinity and a memory control group, joined before the request",
            "request": "one process: bwrap",
        }

    @contextmanager
    def provision(self, order: Order) -> Iterator[LaunchedBox]:
        """Make FIFOs and control group, and start the waiting launcher."""
        with ExitStack() as stack:
            ends, overlay = stack.enter_context(rootfs_parts(order, agent=AGENT_AS_ROOT))
            group = stack.enter_context(own_cgroup(order.tag, memory_bytes=order.resources.memory))
            box = _BwrapBox(order, ends, overlay)
            box.hold(self.name, command(overlay, group, ends.directory), group, stack)
            yield box


class _BwrapBox(LaunchedBox):
    def processes(self) -> Mapping[str, Sequence[int]]:
        """bwrap, the agent and the workload. bwrap waits in the box's control group, so its CPU time is the box's."""
        outer = self.main_pid()
        if outer is None:
            return {}
        inside = children_of(outer)
        agents = tuple(pid for pid in inside if parent_of(pid) == outer)
        workload = tuple(pid for pid in inside if pid not in agents)
        return {Component.BWRAP: (outer,), Component.AGENT: agents, Component.WORKLOAD: workload}

    def stop(self) -> None:
        """Send SIGTERM to the agent, since bwrap does not forward signals."""
        for pid in self.processes().get(Component.AGENT, ()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def command(overlay: Overlay, group: OwnCgroup, channel: Path) -> list[str]:
    """A box's command line. Raises HostUnfitError: bwrap is not installed."""
    mounts = [*_tree_mounts(overlay), *_cgroup_mounts(group), "--bind", str(channel), CHANNEL_IN_BOX]
    for directory, place in overlay.volumes.items():
        mounts += ["--bind", str(directory), place]
    return [_program(), *mounts, *ISOLATION, *AGENT_ARGV]


def _program() -> str:
    return proc.require_tool("bwrap", package="bubblewrap")


def _version() -> str:
    return proc.run([_program(), "--version"], timeout_s=10).text.strip()


def _tree_mounts(overlay: Overlay) -> list[str]:
    layers = ["--overlay-src", str(overlay.lower), "--overlay", str(overlay.upper), str(overlay.work), "/"]
    # Only root can write to bwrap's own /dev/shm. The size is Docker's default.
    shared_memory = ("--perms", "1777", "--size", str(64 * 2**20), "--tmpfs", "/dev/shm")
    dev = ("--dev", "/dev", *shared_memory, "--mqueue", "/dev/mqueue")
    return [*layers, "--proc", "/proc", *dev, "--ro-bind", "/sys", "/sys"]


def _cgroup_mounts(group: OwnCgroup) -> list[str]:
    """Show the box its control group as the root of its control group namespace, where it reads the limits."""
    if group.version == "v2":
        (directory,) = set(group.directories.values())
        return ["--ro-bind", str(directory), "/sys/fs/cgroup"]
    # The group is boxbench/TAG, two levels below the hierarchy's root.
    return [
        argument
        for directory in sorted(set(group.directories.values()))
        for argument in ("--ro-bind", str(directory), str(directory.parent.parent))
    ]


def _attempt(directory: Path, name: str) -> proc.Result:
    del name
    upper, work = directory / "upper", directory / "work"
    for layer in (upper, work):
        layer.mkdir()
    argv = [_program(), "--overlay-src", str(directory / "rootfs"), "--overlay", str(upper), str(work), "/"]
    return proc.run(
        [*argv, *ISOLATION, *smoke_test.ARGV], timeout_s=_TRY_TIMEOUT_S, check=False, keep=proc.NO_VARIABLES
    )
