"""The interface of targets and boxes.

A target says why this host cannot run it, and it provisions boxes. It never takes times itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench.agent.channel import ChannelEnds
from bench.image.model import Image
from bench.records.record import Endpoint
from bench.scenario.model import Ready, Resources
from bench.util.clip import Clipped


class MarkEndpoint(Protocol):
    """A box calls this at the instant at which it passes an endpoint. The caller owns the clock."""

    def __call__(self, endpoint: Endpoint, /, *, at_ns: int | None = None) -> object:
        """Args: ``at_ns``: when it passed, on CLOCK_MONOTONIC, where that shows only afterwards; None: now."""


def no_mark(endpoint: Endpoint, /, *, at_ns: int | None = None) -> None:
    """For boxes whose endpoints nobody asks for."""
    del endpoint, at_ns


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A box's part of the host: its name, its directories and its CPUs."""

    tag: str
    """``boxbench-<campaign>-<trial>``: part of the name of everything that belongs to the box."""
    directory: Path
    """The box's own run directory, empty: sockets, FIFOs, mount points. Its name is the tag."""
    storage: Path
    """The box's own directory on a disk, empty: writable layers, overlays, output. Its name is the tag."""
    cpus: tuple[int, ...]
    """Host CPUs that the workload may use."""
    mark: MarkEndpoint


@dataclass(frozen=True, kw_only=True)
class Order(Slot):
    """Everything that a target needs to make one box."""

    image: Image
    resources: Resources
    ready: Ready
    keep_output: bool = False
    """Whether the output is read after the box has stopped. A box whose output goes away with it keeps a copy."""


@dataclass(frozen=True)
class Output:
    """What the workload wrote, apart from the agent's events."""

    stdout: bytes
    stderr: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Other files that are stored with a trial, by name: the output of its exercise."""

    whole: bool = True
    """Whether ``stdout`` and ``stderr`` are complete; if not, only their beginning and end are here."""

    @classmethod
    def of(cls, stdout: Clipped, stderr: Clipped) -> Output:
        """The output of a box from its two clipped streams."""
        return cls(stdout.data, stderr.data, whole=stdout.whole and stderr.whole)

    def contents(self) -> dict[str, bytes]:
        """The files to store, by name. Empty streams are left out when an exercise wrote files."""
        streams = {"stdout": self.stdout, "stderr": self.stderr}
        return {name: content for name, content in {**streams, **self.files}.items() if content or not self.files}


class Box(ABC):
    """One provisioned box. Nothing of the workload runs before ``start``."""

    channel: ChannelEnds
    """The host's end of the event channel. It is open from provisioning on."""

    @abstractmethod
    def start(self) -> None:
        """Request the box. Marks the endpoints that only the box sees, such as ``created``. Raises LaunchError."""

    @abstractmethod
    def processes(self) -> Mapping[str, Sequence[int]]:
        """Host pids by component, such as ``workload``, ``agent``, ``shim`` or ``vmm``; read when the box is ready."""

    @abstractmethod
    def main_pid(self) -> int | None:
        """The host process that ends when the box ends; None when it has ended."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the box to stop in the way its users do. May return before the box has stopped."""

    @abstractmethod
    def kill(self) -> None:
        """End the box now. A box that has ended already is no error."""

    @abstractmethod
    def disk_bytes(self) -> Mapping[str, int]:
        """``box.allocated``: bytes on the host's disk that belong to this box alone; empty when they are unknown."""

    @abstractmethod
    def output(self, *, ended: bool) -> Output:
        """What the workload has written so far. Long output is clipped to its beginning and its end.

        Args:
            ended: the workload has exited. Output that is still on its way to a log is waited for.
        """

    def running_before(self) -> Mapping[str, Sequence[int]]:
        """Host pids, as ``processes``, of what belongs to the box and runs before ``start``.

        Empty for most boxes. A VM that is up before its container is requested is one that is not.
        """
        return {}

    def spent_ns(self) -> Mapping[str, int]:
        """CPU time so far, ns, of programs that were run for the box and have exited, by component.

        ``runtime`` or ``client``: those that started it, and once it is stopped and removed, those that did that.
        """
        return {}

    def cpu_clock_ns(self) -> int | None:
        """CPU time, ns, that the box's own processes have used since its request; None where this is not cheap.

        It is read by the thread that receives the marks of a start, so an implementation takes some 10 us at most and
        asks nobody.
        """
        return None

    def guest_disk(self) -> Mapping[str, int]:
        """What a guest has asked of its disks so far: ``read`` and ``written``, bytes, and ``flushes``, a count.

        Empty for a box without a disk of its own, and when the VMM does not answer.
        """
        return {}

    def arrived_bytes(self) -> Mapping[str, int]:
        """Of a box whose image came to the host after its request; empty for every other box.

        ``travelled``: bytes that came over the link, headers included. ``kept``: bytes that what came occupies on the
        host's disk.
        """
        return {}


class BoxProxy(Box):
    """Passes every call on to another box. Wrappers derive from it and override what they change."""

    def __init__(self, inner: Box) -> None:
        self.inner = inner
        self.channel = inner.channel

    def start(self) -> None:
        """See ``Box``."""
        self.inner.start()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """See ``Box``."""
        return self.inner.processes()

    def main_pid(self) -> int | None:
        """See ``Box``."""
        return self.inner.main_pid()

    def stop(self) -> None:
        """See ``Box``."""
        self.inner.stop()

    def kill(self) -> None:
        """See ``Box``."""
        self.inner.kill()

    def disk_bytes(self) -> Mapping[str, int]:
        """See ``Box``."""
        return self.inner.disk_bytes()

    def output(self, *, ended: bool) -> Output:
        """See ``Box``."""
        return self.inner.output(ended=ended)

    def running_before(self) -> Mapping[str, Sequence[int]]:
        """See ``Box``."""
        return self.inner.running_before()

    def spent_ns(self) -> Mapping[str, int]:
        """See ``Box``."""
        return self.inner.spent_ns()

    def cpu_clock_ns(self) -> int | None:
        """See ``Box``."""
        return self.inner.cpu_clock_ns()

    def guest_disk(self) -> Mapping[str, int]:
        """See ``Box``."""
        return self.inner.guest_disk()

    def arrived_bytes(self) -> Mapping[str, int]:
        """See ``Box``."""
        return self.inner.arrived_bytes()


class Target(Protocol):
    """A way to box a workload."""

    @property
    def name(self) -> str:
        """The target's name in a scenario."""

    @property
    def accel(self) -> str:
        """The accelerator: ``native``, ``kvm``, ``tcg`` or ``icount``."""

    def why_unavailable(self) -> str | None:
        """None when this host can run the target, else the reason as a sentence."""

    def describe(self) -> dict[str, str]:
        """The target's properties on this host: versions, machine type, disk format, cache mode."""

    def daemons(self) -> dict[str, int]:
        """Host pids, by name, of daemons that serve all boxes of this target and are counted once per host."""

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """Make what all boxes of an image share. Not timed. Returns sizes in bytes. Raises BuildError."""

    def provision(self, order: Order) -> AbstractContextManager[Box]:
        """Enter: everything that users have before they start a box is in place. Nothing of the box runs.

        Leave: nothing of the box is left on the host. Raises TeardownError when something remains.
        """


class TargetProxy:
    """Passes every call on to another target. Wrappers derive from it and override what they change."""

    def __init__(self, inner: Target) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner target's name, since what a box has depends on it."""
        return self.inner.name

    @property
    def accel(self) -> str:
        """See ``Target``."""
        return self.inner.accel

    def why_unavailable(self) -> str | None:
        """See ``Target``."""
        return self.inner.why_unavailable()

    def describe(self) -> dict[str, str]:
        """See ``Target``."""
        return self.inner.describe()

    def daemons(self) -> dict[str, int]:
        """See ``Target``."""
        return self.inner.daemons()

    def prepare(self, image: Image, resources: Resources, ready: Ready) -> dict[str, int]:
        """See ``Target``."""
        return self.inner.prepare(image, resources, ready)

    def provision(self, order: Order) -> AbstractContextManager[Box]:
        """See ``Target``."""
        return self.inner.provision(order)
