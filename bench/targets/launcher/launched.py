"""A box that ``boxlaunch`` starts. It waits in its control group and on its CPUs until the request."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from bench.host.cgroup import OwnCgroup
from bench.host.processes import children_of
from bench.records.component import Component
from bench.targets.launcher.held_process import HeldProcess
from bench.targets.rootfs_box import RootfsBox


class LaunchedBox(RootfsBox):
    """A box whose launched program is the agent, or becomes it."""

    _held: HeldProcess | None = None

    def hold(
        self, what: str, argv: Sequence[str], group: OwnCgroup, stack: ExitStack, *, flags: Sequence[str] = ()
    ) -> None:
        """Start the launcher, which waits for ``start``. ``stack`` ends it. Raises LaunchError."""
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
        """Let the launcher execute the program. Returns after the exec. Raises LaunchError."""
        if self._held is not None:
            self._held.go()

    def cpu_clock_ns(self) -> int | None:
        """The counter of the box's control group: one small file."""
        return None if self._held is None else self._held.cpu_ns()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """The agent and the workload. The launcher belongs to the harness."""
        agent = self.main_pid()
        return {} if agent is None else {Component.AGENT: (agent,), Component.WORKLOAD: children_of(agent)}

    def main_pid(self) -> int | None:
        """The agent's pid."""
        return self._held.pid if self._held is not None and self._held.alive() else None

    def stop(self) -> None:
        """Send SIGTERM to the agent, which sends the image's stop signal to the workload."""
        pid = self.main_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill every process of the control group, then the launcher."""
        if self._held is not None:
            self._held.kill()
