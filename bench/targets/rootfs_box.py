"""The parts shared by targets that run a box from the image's unpacked tree.

These are the event channel, the output files, the writable layer and the agent's command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.boxconf import AGENT_IN_BOX, CHANNEL_IN_BOX, render_boxconf
from bench.agent.channel import Fifos, hand_over
from bench.host.processes import await_output_drained
from bench.image.model import Image
from bench.image.tree import ensure_tree_dir
from bench.scenario.model import Ready, Resources
from bench.targets.base import Box, Order, Output
from bench.targets.overlay import Overlay
from bench.util.clip import clip_file

AGENT_ARGV: Final = (AGENT_IN_BOX, "run", CHANNEL_IN_BOX)
"""The agent's command line where it sets environment, directory and user itself. It then runs as root."""
AGENT_AS_ROOT: Final = 0
"""The agent's uid in that case."""
INHERITING_AGENT_ARGV: Final = (AGENT_IN_BOX, "run", "--inherit", CHANNEL_IN_BOX)
"""The agent's command line where the engine has set them."""


def agent_user(order: Order, *, maps_users: bool = False) -> int | None:
    """The uid on this host of an agent that an engine or runtime starts as the workload's user; None: not known.

    Args:
        maps_users: the engine gives the box's users other uids on this host.
    """
    return None if maps_users or os.geteuid() != 0 else order.image.config.uid


@contextmanager
def open_channel(directory: Path, order: Order, *, agent: int | None) -> Iterator[Fifos]:
    """Make the channel's directory with the agent's box.conf and the FIFOs, which only the agent and root can open.

    Args:
        agent: the agent's uid on this host; None: it is not known.
    """
    directory.mkdir(exist_ok=True)
    # The agent opens the files by name, and may be any user of the box.
    directory.chmod(0o711)
    conf = directory / "box.conf"
    conf.touch(mode=0o600, exist_ok=False)
    conf.write_bytes(render_boxconf(order.image.config, order.ready))
    hand_over(conf, agent, everybody=0o644)
    ends = Fifos(directory, agent)
    try:
        yield ends
    finally:
        ends.close()


class RootfsTarget:
    """A target without a daemon. Root runs its boxes from the unpacked tree."""

    name: ClassVar[str]
    accel = "native"

    def why_unavailable(self) -> str | None:
        """Needs root for the overlay mount and the control group."""
        if os.geteuid() != 0:
            return f"{self.name}: only root can mount the writable layer and make the control group"
        return None

    def daemons(self) -> dict[str, int]:
        """It has none."""
        return {}

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Unpack the image's tree."""
        del resources, ready
        ensure_tree_dir(image)
        return {}


class RootfsBox(Box):
    """A box whose writable layer, channel and output are files of ours."""

    channel: Fifos

    def __init__(self, order: Order, ends: Fifos, overlay: Overlay) -> None:
        self.channel = ends
        self.order = order
        self.overlay = overlay
        self.stdout = order.storage / "stdout"
        self.stderr = order.storage / "stderr"
        for file in (self.stdout, self.stderr):
            file.touch()

    def disk_bytes(self) -> Mapping[str, int]:
        """The size of the overlay's upper directory."""
        return self.overlay.disk_bytes()

    def output(self, *, ended: bool) -> Output:
        """The content of the output files."""
        if ended:
            await_output_drained(self.main_pid())
        return Output.of(clip_file(self.stdout), clip_file(self.stderr))


@contextmanager
def rootfs_parts(order: Order, *, agent: int | None) -> Iterator[tuple[Fifos, Overlay]]:
    """The channel in the box's run directory, for a bind mount, and the overlay, which is not mounted yet."""
    with ExitStack() as stack:
        ends = stack.enter_context(open_channel(order.directory / "ch", order, agent=agent))
        overlay = Overlay(order)
        stack.callback(overlay.unmount)
        yield ends, overlay
