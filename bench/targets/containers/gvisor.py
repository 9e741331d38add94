"""gVisor: runsc starts a bundle whose system calls are answered by a kernel in user space, the sentry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from bench.agent.channel import Fifos
from bench.engines.runtimes import RUNSC_FLAGS
from bench.host.orphans import watch_ended, watch_ends
from bench.host.processes import children_of
from bench.records.component import Component
from bench.scenario.options import Value, path_option, with_defaults
from bench.scenario.target_table import TARGETS
from bench.targets.base import Order
from bench.targets.containers.oci_runtime import OciBox, OciRuntimeTarget, Runtime
from bench.targets.overlay import Overlay

RUNSC_PROCESS: Final = "exe"
"""The name of sentry and gofer: runsc executes itself through /proc/self/exe."""


class GvisorTarget(OciRuntimeTarget):
    """``runsc run --detach``."""

    name: ClassVar[str] = "gvisor"

    def make_runtime(self, options: Mapping[str, Value]) -> Runtime:
        """The installed runsc, or another build, on the chosen platform."""
        self._platform = with_defaults(options, TARGETS[self.name].options)["platform"]
        flags = (f"--platform={self._platform}", *RUNSC_FLAGS)
        return Runtime("runsc", "runsc", flags, chosen=path_option(options, "program"))

    def describe(self) -> dict[str, str]:
        """As for other runtimes, with platform and flags."""
        return {
            **super().describe(),
            "isolation": "gVisor: the sentry, a kernel in user space, in namespaces; no seccomp filter in the box",
            "platform": self._platform,
            "network": "none: the sentry's own loopback",
            "flags": " ".join(RUNSC_FLAGS),
        }

    def make_box(self, order: Order, ends: Fifos, overlay: Overlay) -> OciBox:
        """A box with gVisor's components."""
        return _GvisorBox(order, ends, overlay, self.runtime)


class _GvisorBox(OciBox):
    def remove(self) -> None:
        """Delete the container. runsc waits until sentry and gofer have vanished, which needs us as their parent."""
        # Of a box that failed early they were not announced before, and they may have ended.
        living = (*gofers_of(self.order.tag), self.main_pid())
        watch_ends(pid for pid in living if pid is not None)
        watch_ended(RUNSC_PROCESS)
        super().remove()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Sentry, workload and gofer."""
        sentry = self.main_pid()
        return {} if sentry is None else gvisor_processes(sentry, self.order.tag)


def gofers_of(name: str, *, proc_root: Path = Path("/proc")) -> tuple[int, ...]:
    """The pids of a container's gofers, which are runsc's file servers, found by their command lines.

    Args:
        name: a part of the bundle's path: the box's tag, or the engine's id of the container.
    """
    found = []
    for entry in proc_root.iterdir():
        if entry.name.isdigit():
            try:
                argv = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if argv[0] == "runsc-gofer" and any(word.startswith("--bundle=") and name in word for word in argv):
                found.append(int(entry.name))
    return tuple(sorted(found))


def gvisor_processes(sentry: int, name: str) -> dict[str, Sequence[int]]:
    """Pids by component. The sentry holds agent and workload. The gofer opens files for it.

    ``workload`` are the stubs, the processes in which the box's code runs.
    """
    found: dict[str, Sequence[int]] = {Component.SENTRY: (sentry,), Component.WORKLOAD: children_of(sentry)}
    gofers = gofers_of(name)
    return {**found, Component.GOFER: gofers} if gofers else found
