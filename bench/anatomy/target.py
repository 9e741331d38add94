"""A target whose boxes are traced: the same verbs, with the trace switched on around the start."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

from bench.agent.channel import Endpoints
from bench.anatomy.processes import Known, snapshot
from bench.host.tracefs import TraceInstance
from bench.image.model import Image
from bench.scenario.model import Scenario
from bench.targets.base import Box, Order, Output, RunsBefore, Target
from bench.util.cache import cache_dir
from bench.util.clock import Clock

# Each takes some milliseconds, and daemons seldom start a thread.
_SNAPSHOTS: Final = 5


@dataclass
class Watch:
    """The trace instance, and what has to be known about the start that it saw last."""

    instance: TraceInstance
    clock: Clock
    known: tuple[Known, ...] = ()
    begin_ns: int | None = None
    requested_ns: int | None = None
    end_ns: int | None = None

    def arm(self, daemons: Mapping[str, int]) -> None:
        """Follow ourselves, the daemons and all they will start; record from now on."""
        own = os.getpid()
        self.requested_ns = self.end_ns = None
        self.known = self._followed(own, daemons)
        self.instance.restart()
        self.begin_ns = self.clock.now_ns()

    def _followed(self, own: int, daemons: Mapping[str, int]) -> tuple[Known, ...]:
        """What is known of us and the daemons, each of whose threads is followed: a new one may start meanwhile."""
        agents = (cache_dir() / "agent").resolve()
        seen: set[int] = set()
        for _ in range(_SNAPSHOTS):
            known = snapshot(own, daemons, agents)
            threads = {thread for process in known for thread in process.threads}
            if threads <= seen:
                break
            self.instance.follow(threads)
            seen = threads
        return known

    def disarm(self) -> None:
        """Record no more; the first call counts."""
        if self.end_ns is None:
            self.instance.stop()
            self.end_ns = self.clock.now_ns()


def traced(inner: Target, watch: Watch) -> Target:
    """The same target with its starts traced; its name stays, since what a box has depends on it."""

    class Named(_TracedTarget):
        name: ClassVar[str] = inner.name

    return Named(inner, watch)


class _TracedTarget:
    """Another target, traced from the end of provisioning to the first question after ready."""

    def __init__(self, inner: Target, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    @property
    def accel(self) -> str:
        """The inner target's."""
        return self._inner.accel

    def why_unavailable(self) -> str | None:
        """The inner target's."""
        return self._inner.why_unavailable()

    def describe(self) -> dict[str, str]:
        """The inner target's."""
        return self._inner.describe()

    def daemons(self) -> dict[str, int]:
        """The inner target's."""
        return self._inner.daemons()

    def prepare(self, image: Image, scenario: Scenario) -> dict[str, int]:
        """The inner target's."""
        return self._inner.prepare(image, scenario)

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """The inner target's; nothing of provisioning is in the trace."""
        with self._inner.provision(order) as box:
            self._watch.arm(self._inner.daemons())
            try:
                yield (
                    _StandingBox(box, box, self._watch) if isinstance(box, RunsBefore) else _TracedBox(box, self._watch)
                )
            finally:
                self._watch.disarm()


class _TracedBox:
    """Everything passes through; ``start`` is stamped, and what comes after ready ends the trace."""

    def __init__(self, inner: Box, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    @property
    def channel(self) -> Endpoints:
        """The inner box's."""
        return self._inner.channel

    def start(self) -> None:
        """The harness has stamped the request just before: about a microsecond lies between the two stamps."""
        self._watch.requested_ns = self._watch.clock.now_ns()
        self._inner.start()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """Asked first when the box is ready: the end of the trace."""
        self._watch.disarm()
        return self._inner.processes()

    def main_pid(self) -> int | None:
        """Also asked while the box starts, so the trace goes on."""
        return self._inner.main_pid()

    def stop(self) -> None:
        """Ends the trace if nothing did before."""
        self._watch.disarm()
        self._inner.stop()

    def kill(self) -> None:
        """Ends the trace if nothing did before."""
        self._watch.disarm()
        self._inner.kill()

    def disk_bytes(self) -> Mapping[str, int]:
        """The inner box's."""
        return self._inner.disk_bytes()

    def output(self, *, ended: bool) -> Output:
        """The inner box's."""
        return self._inner.output(ended=ended)


class _StandingBox(_TracedBox):
    """A traced box that stands on something that runs before."""

    def __init__(self, inner: Box, before: RunsBefore, watch: Watch) -> None:
        super().__init__(inner, watch)
        self._before = before

    def running_before(self) -> Mapping[str, Sequence[int]]:
        """The inner box's."""
        return self._before.running_before()
