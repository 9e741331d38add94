"""A run over the time of its trace: the step loop stops at the end of each window, and this looks at it.

Nothing is counted twice: a window's delays are what the histogram has now less what it had before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.sim.fleet.histogram import bounds, quantile
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.state import State

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a part of the trace's time has shown."""

    at_ns: int
    """Its beginning."""
    boxes: int
    """Boxes that live at its end."""
    waiting: int
    """Invocations that wait for a host with room at its end."""
    on_ns: int
    """Hosts that are on or booting, summed over its time."""
    length_ns: int
    delay_p99_ns: float | None
    """Of invocations that began to compute in it for the first time, the 99th percentile of start delays; None: there
    were none."""

    @property
    def end_ns(self) -> int:
        """Its end."""
        return self.at_ns + self.length_ns

    @property
    def is_stuck(self) -> bool:
        """Whether invocations waited for room, and none began."""
        return self.waiting > 0 and self.delay_p99_ns is None


class Watch:
    """Looks at one run.

    Args:
        count: windows of equal length, at most; 0: none.
    """

    def __init__(self, length_ns: int, count: int) -> None:
        self._ends = sorted({length_ns * (number + 1) // count for number in range(count)} - {0})
        self._delay: Integers = np.zeros(len(bounds()), dtype=np.int64)
        self._on = 0
        self.seen: list[Window] = []

    def plan(self, state: State) -> None:
        """Tell the step loop when to stop next."""
        left = self._ends[len(self.seen) :]
        state.m[c.WINDOW_AT] = left[0] if left else c.NEVER

    def look(self, state: State) -> None:
        """The clock of the run is at the end of a window."""
        end = self._ends[len(self.seen)]
        begin = self._ends[len(self.seen) - 1] if self.seen else 0
        delay = state.table("histogram").reshape(c.HISTOGRAMS, -1)[c.H_DELAY]
        fresh = delay - self._delay
        on = state.sum(c.SUM_HOSTS_ON)
        self.seen.append(
            Window(
                at_ns=begin,
                boxes=int(state.m[c.BOXES_LIVE]),
                waiting=int(state.m[c.QUEUED_NOW]),
                on_ns=on - self._on,
                length_ns=end - begin,
                delay_p99_ns=quantile(fresh, 0.99) if fresh.any() else None,
            )
        )
        self._delay, self._on = delay.copy(), on
        self.plan(state)
