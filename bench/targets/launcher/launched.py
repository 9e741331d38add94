"""A box that ``boxlaunch`` starts: parked in its control group and on its CPUs, the rest in the measured part."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from bench.host.cgroup import OwnCgroup
from bench.host.processes import children_of
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.rootfs_box import RootfsBox


class LaunchedBox(RootfsBox):
    """The program that is launched is the agent, or becomes it."""

    _held: HeldProcess | None = None

    def hold(
        self, what: str, argv: Sequence[str], group: OwnCgroup, stack: ExitStack, *, flags: Sequence[str] = ()
    ) -> None:
        """Let the launcher wait; ``stack`` ends it. Raises LaunchError."""
        self._held = HeldProcess(
            what,
            argv,
            group=group,
            cpus=self.order.cpus,
            log=self.stderr,
            stdout=self.stdout,
            flags=flags,
        )
        stack.callback(self.kill)

    def start(self) -> None:
        """Tell the launcher to go; back when the program has been executed. Raises LaunchError."""
        if self._held is not None:
            self._held.go()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent and what it runs; the launcher is ours, not the box's."""
        agent = self.main_pid()
        return {} if agent is None else {"agent": (agent,), "workload": children_of(agent)}

    def main_pid(self) -> int | None:
        """The agent."""
        return self._held.pid if self._held is not None and self._held.alive() else None

    def stop(self) -> None:
        """SIGTERM to the agent, which passes the image's stop signal on."""
        pid = self.main_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to everything in the control group, then the launcher."""
        if self._held is not None:
            self._held.kill()
