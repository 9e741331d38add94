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

Integers = NDArray[np.int64]


_COUNTERS: Final[Mapping[str, int]] = {
    "arrivals": c.ARRIVALS,
    "completed": c.COMPLETED,
    "warm": c.WARM,
    "cold": c.COLD,
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
    """When the run ended: after the trace's end, when nothing was in the system."""
    arrivals: int
    completed: int
    unfinished: int
    """Invocations that were in the system at the end, since no host could ever take them."""
    warm: int
    """Times that an idle box took an invocation."""
    cold: int
    """Times that a box was started for an invocation; one that was lost with its host starts again."""
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
    peak_hosts: int
    """The most hosts with boxes at one instant."""
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
    """Hosts with boxes, summed over time."""
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
    delay: Integers
    """(buckets,) Counts of start delays: from the arrival until the box computes; 0 of warm ones."""
    response: Integers
    """(buckets,) Counts of times from arrival to completion."""
    restart: Integers
    """(buckets,) Counts of delays from the loss of a box until its invocation computes again."""

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
        return self.host_ns * self.capacity_bytes - self.byte_ns

    def delay_ns(self, share: float) -> float:
        """The start delay that ``share`` of the invocations do not exceed."""
        return quantile(self.delay, share)

    def response_ns(self, share: float) -> float:
        """The response time that ``share`` of the invocations do not exceed."""
        return quantile(self.response, share)


def read_result(state: State, spec: FleetSpec) -> FleetResult:
    """The result of a run that is done, with what still lives at its end."""
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
    return FleetResult(
        **{name: int(scalar[place]) for name, place in _COUNTERS.items()},
        ended_ns=now,
        unfinished=len(unfinished),
        hosts=spec.hosts,
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
        delay=histogram[c.H_DELAY].copy(),
        response=histogram[c.H_RESPONSE].copy(),
        restart=histogram[c.H_RESTART].copy(),
    )


def _queue(state: State) -> Integers:
    first, waiting = int(state.m[c.QUEUE_FIRST]), int(state.m[c.QUEUED_NOW])
    queue = state.table("queue")
    return queue[(first + np.arange(waiting)) % len(queue)]
