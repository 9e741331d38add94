"""What every target offers: a few verbs. It says why it cannot run; it never times itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from bench.agent.channel import Endpoints
from bench.image.model import Image
from bench.records.record import Endpoint
from bench.scenario.model import Scenario
from bench.util.clip import Clipped

Mark = Callable[[Endpoint], object]
"""Called by a box at the instant an endpoint is passed; the clock is the caller's."""

CHANNEL_IN_BOX = "/.boxbench/ch"
"""Where the directory with the agent's FIFOs appears inside a container."""
AGENT_IN_BOX = "/.boxbench/boxinit"


@dataclass(frozen=True)
class Order:
    """One box to be made."""

    tag: str
    """``boxbench-<campaign>-<trial>``: in the name of everything that belongs to the box."""
    directory: Path
    """The box's own run directory, empty: sockets, FIFOs, mount points. Its name is the tag."""
    storage: Path
    """The box's own directory on a disk, empty: writable layers, overlays, output. Its name is the tag."""
    image: Image
    scenario: Scenario
    cpus: tuple[int, ...]
    """Host CPUs the workload may use."""
    mark: Mark


@dataclass(frozen=True)
class Output:
    """What the workload wrote, apart from the agent's events."""

    stdout: bytes
    stderr: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Whatever else is kept of a trial, by name: what its exercise wrote."""

    whole: bool = True
    """Whether ``stdout`` and ``stderr`` are all that was written, and not the beginning and the end of it."""

    @classmethod
    def of(cls, stdout: Clipped, stderr: Clipped) -> Output:
        """From what is kept of the two."""
        return cls(stdout.data, stderr.data, whole=stdout.whole and stderr.whole)

    def contents(self) -> dict[str, bytes]:
        """What is stored of it, by name: of a trial that went well only what its exercise wrote."""
        streams = {"stdout": self.stdout, "stderr": self.stderr}
        return {name: content for name, content in {**streams, **self.files}.items() if content or not self.files}


class Box(Protocol):
    """One box, provisioned; nothing of it runs before ``start``."""

    @property
    def channel(self) -> Endpoints:
        """The host's end of the event channel, open since the box was provisioned."""

    def start(self) -> None:
        """Ask for the box; marks what the caller cannot see (created). Raises LaunchError."""

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Host pids by component: ``workload``, ``agent``, ``shim``, ``vmm``. Asked when the box is ready."""

    def main_pid(self) -> int | None:
        """The host process whose end is the end of the box; None when it has ended already."""

    def stop(self) -> None:
        """Ask the box to stop, as its users do; may return before it has."""

    def kill(self) -> None:
        """End the box now; no error when it has ended already."""

    def disk_bytes(self) -> Mapping[str, int]:
        """``box.allocated``: bytes on the host's disk that only this box has; absent when the host cannot tell."""

    def output(self, *, ended: bool) -> Output:
        """What the workload wrote so far; of gigabytes only the beginning and the end.

        Args:
            ended: the agent has said that the workload has: what is still on its way to a log is waited for.
        """


@runtime_checkable
class RunsBefore(Protocol):
    """A box that stands on something of its own that runs before the request, such as a VM that is up already."""

    def running_before(self) -> Mapping[str, Sequence[int]]:
        """As ``Box.processes``, before the start."""


@runtime_checkable
class Spends(Protocol):
    """A box whose request is a program of its own that runs and ends: a runtime, a client."""

    def spent_ns(self) -> Mapping[str, int]:
        """CPU time of such programs that have ended by now, ns, by name."""


@runtime_checkable
class HasDisk(Protocol):
    """A box with a disk of its own, which its VMM counts."""

    def guest_disk(self) -> Mapping[str, int]:
        """What the guest asked of its disks so far: ``read``, ``written`` (bytes), ``flushes``; empty when untold."""


class Target(Protocol):
    """A way to box a workload."""

    name: ClassVar[str]

    @property
    def accel(self) -> str:
        """``native``, ``kvm``, ``tcg`` or ``icount``."""

    def why_unavailable(self) -> str | None:
        """None when this host can run the target, else the reason, for people."""

    def describe(self) -> dict[str, str]:
        """What exactly this target is here: versions, machine type, disk format, cache mode."""

    def daemons(self) -> dict[str, int]:
        """Host pids, by name, of what serves all boxes of this target and is counted once per host."""

    def prepare(self, image: Image, scenario: Scenario) -> dict[str, int]:
        """Make what all boxes of an image share, before anything is timed; returns sizes, bytes. Raises BuildError."""

    def provision(self, order: Order) -> AbstractContextManager[Box]:
        """Enter: all is in place that users have in place before they start a box, and nothing runs.

        Leave: nothing of the box is left on the host. Raises TeardownError when something is.
        """
