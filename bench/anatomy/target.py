"""A target whose boxes are traced: the trace is on from the end of provisioning until the box is ready."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.anatomy.processes import KnownProcess, snapshot
from bench.host.tracefs import TraceInstance
from bench.targets.base import Box, BoxProxy, Order, Target, TargetProxy
from bench.util.cache import cache_dir
from bench.util.clock import Clock

# Each takes some milliseconds. Daemons seldom start threads, so a few suffice.
_SNAPSHOTS: Final = 5


@dataclass
class StartTrace:
    """The trace instance, and the data of the start that it recorded last."""

    instance: TraceInstance
    clock: Clock
    known: tuple[KnownProcess, ...] = ()
    begin_ns: int | None = None
    requested_ns: int | None = None
    end_ns: int | None = None

    def arm(self, daemons: Mapping[str, int]) -> None:
        """Start to record the harness, the daemons, and all processes that they will start."""
        own = os.getpid()
        self.requested_ns = self.end_ns = None
        self.known = self._followed(own, daemons)
        self.instance.restart()
        self.begin_ns = self.clock.now_ns()

    def _followed(self, own: int, daemons: Mapping[str, int]) -> tuple[KnownProcess, ...]:
        """Follow every thread of harness and daemons. Repeated, since new threads may start meanwhile."""
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
        """Stop recording. Only the first call has an effect."""
        if self.end_ns is None:
            self.instance.stop()
            self.end_ns = self.clock.now_ns()


class TracedTarget(TargetProxy):
    """A target whose boxes are traced from the end of provisioning until they are ready."""

    def __init__(self, inner: Target, trace: StartTrace) -> None:
        super().__init__(inner)
        self._trace = trace

    @contextmanager
    def provision(self, order: Order) -> Iterator[Box]:
        """Provision a box, then start the trace."""
        with self.inner.provision(order) as box:
            self._trace.arm(self.inner.daemons())
            try:
                yield TracedBox(box, self._trace)
            finally:
                self._trace.disarm()


class TracedBox(BoxProxy):
    """A box that records when its start was requested, and ends the trace once it is ready."""

    def __init__(self, inner: Box, trace: StartTrace) -> None:
        super().__init__(inner)
        self._trace = trace

    def start(self) -> None:
        """Record the time and start the box. The harness took its own stamp about a microsecond before."""
        self._trace.requested_ns = self._trace.clock.now_ns()
        self.inner.start()

    def processes(self) -> Mapping[str, Sequence[int]]:
        """End the trace. The observer calls this first when the box is ready; ``main_pid`` is called before that."""
        self._trace.disarm()
        return self.inner.processes()

    def stop(self) -> None:
        """End the trace if it still runs, and stop the box."""
        self._trace.disarm()
        self.inner.stop()

    def kill(self) -> None:
        """End the trace if it still runs, and kill the box."""
        self._trace.disarm()
        self.inner.kill()
