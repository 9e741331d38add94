"""What a run of a fleet has shown, in integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.fleet.histogram import quantile
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.state import State
from bench.sim.fleet.windows import Window

Integers = NDArray[np.int64]


_COUNTERS: Final[Mapping[str, int]] = {
    "arrivals": c.ARRIVALS,
    "completed": c.COMPLETED,
    "warm": c.WARM,
    "cold": c.COLD,
    "cold_begun": c.COLD_BEGUN,
    "waited": c.QUEUED,
    "rejected": c.REJECTED,
    "lost": c.LOST,
    "lost_boxes": c.LOST_BOXES,
    "starts": c.STARTS,
    "refills": c.REFILLS,
    "refills_refused": c.REFILLS_REFUSED,
    "expired": c.EXPIRED,
    "evicted": c.EVICTED,
    "steps": c.STEPS,
    "peak_hosts": c.PEAK_HOSTS,
    "peak_on": c.PEAK_ON,
    "peak_boxes": c.PEAK_BOXES,
    "peak_queue": c.PEAK_QUEUE,
    "peak_on_host": c.PEAK_ON_HOST,
    "peak_starts": c.PEAK_STARTS,
}
"""By field, where the step loop counts it."""


@dataclass(frozen=True, kw_only=True)
class FleetResult:
    """Counts, sums over time, and histograms of one run. Products of memory and time are in bytes times ns."""

    ended_ns: int
    """When the run ended: after the trace's end, when nothing was in the system, or nothing could help what was."""
    arrivals: int
    completed: int
    unfinished: int
    """Invocations that were in the system at the end: no host could take them, or none in time."""
    warm: int
    """Times that an idle box took an invocation."""
    cold: int
    """Times that a box was started for an invocation; one that was lost with its host starts again."""
    cold_begun: int
    """Those of them in which the invocation began to compute."""
    waited: int
    """Arrivals for which no host had room, so that they waited."""
    rejected: int
    lost: int
    """Times that an invocation was lost with its host and came back."""
    lost_boxes: int
    starts: int
    """Boxes that were started, with refills of the pre-warmed pool."""
    refills: int
    refills_refused: int
    """Times that a pre-warmed box was due and no host had room."""
    expired: int
    """Idle boxes that ended with their keep-alive."""
    evicted: int
    """Idle boxes that were removed to make room."""
    steps: int
    """Events."""
    hosts: int
    together: int
    """So many of them are VMs on one real host."""
    peak_hosts: int
    """The most real hosts with boxes at one instant."""
    peak_on: int
    peak_boxes: int
    peak_queue: int
    peak_bytes: int
    capacity_bytes: int
    """Of a host, for boxes."""
    peak_on_host: int
    """The most boxes of one host at one instant."""
    peak_starts: int
    """The most boxes that were starting on one host at one instant."""
    least_free_bytes: int
    """The least free memory of any host at any instant; never below zero."""
    system_ns: int
    """Invocations in the system, summed over time."""
    sojourn_ns: int
    """Time in the system, summed over invocations: equal to ``system_ns`` (Little's law)."""
    host_ns: int
    """Real hosts with boxes, summed over time."""
    on_ns: int
    """Hosts that are on or booting, summed over time: what is paid."""
    byte_ns: int
    """Memory of boxes, summed over time."""
    lives_byte_ns: int
    """The same, summed over boxes: equal to ``byte_ns``."""
    idle_byte_ns: int
    """Memory of idle boxes, summed over time: wasted."""
    cpu_ns: int
    """CPU time that starts have used."""
    work_ns: int
    """CPU time that they needed without inflation."""
    lock_wait_ns: int
    room_wait_ns: int
    """Waits for a host with room, summed over invocations."""
    waiting_ns: int
    """Start delays, summed over invocations."""
    cold_delay_ns: int
    """Start delays of cold beginnings alone, with the wait for a host with room."""
    cold_start_ns: int
    """Of them, the time from the making of the box on."""
    cold_lock_ns: int
    """Of that, waits for the lock."""
    delay: Integers
    """(buckets,) Counts of start delays: from the arrival until the box computes; 0 of warm ones."""
    response: Integers
    """(buckets,) Counts of times from arrival to completion."""
    restart: Integers
    """(buckets,) Counts of delays from the loss of a box until its invocation computes again."""
    windows: tuple[Window, ...] = ()
    """Over the time of the trace; empty when none were asked for."""

    @property
    def served(self) -> int:
        """Times that an invocation began to compute."""
        return self.warm + self.cold

    @property
    def cold_share(self) -> float:
        """Share of cold starts among all beginnings of invocations; 0 when there were none."""
        return self.cold / self.served if self.served else 0.0

    @property
    def no_room_share(self) -> float:
        """Share of arrivals that had to wait for a host with room, or were rejected."""
        return (self.waited + self.rejected) / self.arrivals if self.arrivals else 0.0

    @property
    def stranded_byte_ns(self) -> int:
        """Free memory of hosts that have boxes, summed over time."""
        return self.host_ns * self.together * self.capacity_bytes - self.byte_ns

    def delay_ns(self, share: float) -> float:
        """The start delay that ``share`` of all invocations do not exceed; inf: it is among those that never began."""
        return quantile(self.delay, share, self.arrivals)

    def response_ns(self, share: float) -> float:
        """The response time that ``share`` of all do not exceed; inf: it is among those that were never complete."""
        return quantile(self.response, share, self.arrivals)


def read_result(state: State, spec: FleetSpec, windows: tuple[Window, ...] = ()) -> FleetResult:
    """The result of a run that is done, with what still lives at its end.

    Raises RuntimeError: its numbers contradict each other, which is an error of the step loop.
    """
    scalar, now = state.m, int(state.m[c.NOW])
    live = state.table("box")[: int(scalar[c.BOX_USED])]
    live = live[live[:, c.STATE] != c.FREE]
    idle = live[live[:, c.STATE] == c.IDLE]
    queue = _queue(state)
    serving = live[(live[:, c.STATE] != c.IDLE) & (live[:, c.ARRIVED] != c.NONE)]
    unfinished = [*serving[:, c.ARRIVED].tolist(), *queue[:, c.Q_ARRIVED].tolist()]
    lives = sum(pages * (now - born) for pages, born in live[:, [c.PAGES, c.BORN]].tolist())
    resting = sum(pages * (now - since) for pages, since in idle[:, [c.PAGES, c.IDLE_SINCE]].tolist())
    histogram = state.table("histogram").reshape(c.HISTOGRAMS, -1)
    page = c.PAGE_BYTES
    found = FleetResult(
        **{name: int(scalar[place]) for name, place in _COUNTERS.items()},
        ended_ns=now,
        unfinished=len(unfinished),
        hosts=spec.hosts,
        together=spec.together,
        peak_bytes=int(scalar[c.PEAK_PAGES]) * page,
        capacity_bytes=int(scalar[c.CAPACITY]) * page,
        least_free_bytes=int(scalar[c.LEAST_FREE]) * page,
        system_ns=state.sum(c.SUM_SYSTEM),
        sojourn_ns=state.sum(c.SUM_SOJOURN) + sum(now - arrived for arrived in unfinished),
        host_ns=state.sum(c.SUM_HOSTS),
        on_ns=state.sum(c.SUM_HOSTS_ON),
        byte_ns=state.sum(c.SUM_PAGES) * page,
        lives_byte_ns=(state.sum(c.SUM_LIVES) + lives) * page,
        idle_byte_ns=(state.sum(c.SUM_IDLE_PAGES) + resting) * page,
        cpu_ns=state.sum(c.SUM_CPU),
        work_ns=state.sum(c.SUM_START_WORK),
        lock_wait_ns=state.sum(c.SUM_LOCK_WAIT),
        room_wait_ns=state.sum(c.SUM_ROOM_WAIT),
        waiting_ns=state.sum(c.SUM_WAITING),
        cold_delay_ns=state.sum(c.SUM_COLD_DELAY),
        cold_start_ns=state.sum(c.SUM_COLD_START),
        cold_lock_ns=state.sum(c.SUM_COLD_LOCK),
        delay=histogram[c.H_DELAY].copy(),
        response=histogram[c.H_RESPONSE].copy(),
        restart=histogram[c.H_RESTART].copy(),
        windows=windows,
    )
    _check(found)
    return found


def _check(result: FleetResult) -> None:
    """What holds in every run, exactly."""
    counted = result.completed + result.rejected + result.unfinished
    identities = {
        "invocations that arrived and that are accounted for": (result.arrivals, counted),
        "time in the system, by time and by invocation": (result.system_ns, result.sojourn_ns),
        "memory, by time and by box": (result.byte_ns, result.lives_byte_ns),
        "the least free memory of a host, and what is at least 0 of it": (
            result.least_free_bytes,
            max(0, result.least_free_bytes),
        ),
    }
    for name, (one, other) in identities.items():
        if one != other:
            raise RuntimeError(f"a run of a fleet contradicts itself: {name}: {one} and {other}")


def _queue(state: State) -> Integers:
    first, waiting = int(state.m[c.QUEUE_FIRST]), int(state.m[c.QUEUED_NOW])
    queue = state.table("queue")
    return queue[(first + np.arange(waiting)) % len(queue)]
