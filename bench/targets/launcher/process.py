"""The workload as a plain process in a chrooted tree, without isolation: the usual baseline of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import ClassVar

from bench.agent.boxconf import CHANNEL_IN_BOX
from bench.engines.lazy import Engines
from bench.host.cgroup import own_cgroup
from bench.scenario.options import Value, check_options
from bench.scenario.target_table import TARGETS
from bench.targets.base import Order
from bench.targets.launcher.launched import LaunchedBox
from bench.targets.overlay import Overlay
from bench.targets.rootfs_box import AGENT_ARGV, AGENT_AS_ROOT, RootfsTarget, open_channel


class ProcessTarget(RootfsTarget):
    """Agent and workload in a chroot. They have a control group of their own for accounting."""

    name: ClassVar[str] = "process"

    def __init__(self, options: Mapping[str, Value], engines: Engines, *, accel: str) -> None:
        del engines, accel
        check_options(self.name, options, TARGETS[self.name].options)

    def describe(self) -> dict[str, str]:
        """Isolation, writable layer and limits."""
        return {
            "isolation": "none: chroot into the image's tree, the host's network and process table; a workload that "
            "runs as root is root on the host, and can read the memory and environment of every process",
            "writable layer": "overlayfs, mounted before the request",
            "limits": "CPU affinity and a memory control group, as the containers have",
        }

    @contextmanager
    def provision(self, order: Order) -> Iterator[LaunchedBox]:
        """Mount the writable layer, make FIFOs and control group, and start the waiting launcher."""
        with ExitStack() as stack:
            overlay = Overlay(order)
            stack.callback(overlay.unmount)
            overlay.mount(nodev=True)
            overlay.mount_proc()
            overlay.mount_dev()
            overlay.bind_volumes()
            channel = overlay.inside(CHANNEL_IN_BOX)
            ends = stack.enter_context(open_channel(channel, order, agent=AGENT_AS_ROOT))
            group = stack.enter_context(own_cgroup(order.tag, memory_bytes=order.resources.memory))
            box = LaunchedBox(order, ends, overlay)
            # The agent enters the chroot by itself. It keeps the host's /sys open, where it reads the limits.
            agent, *arguments = AGENT_ARGV
            root = str(overlay.root)
            box.hold(self.name, [root + agent, "--chroot", root, *arguments], group, stack)
            yield box
