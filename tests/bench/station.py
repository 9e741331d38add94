"""One FIFO station with ``c`` servers and customers without end: the loop of the engine, for this network alone.

No question runs it. It shows what the speed of M/M/1 is worth: of a loop that knows nothing else, beside the engine's.

The general loop (``bench.sim.engine.loop``) keeps programs, demands and marks for every job. A station needs none of
them: an arrival takes a server or a place in the queue, a departure hands its server on. Its events, their order and
its times are those of the program ACQUIRE, DELAY, RELEASE, END in that loop, and the tests ask for equal totals. A
service of 0 takes 0 ns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.arrays import Ints, ints, zeros
from bench.sim.engine.heap import STRIDE, pop, push
from bench.sim.engine.jit import JITTED, compiled, inlined, pure

NOW: Final = 0
SERVERS: Final = 1
BUSY: Final = 2
FIRST: Final = 3
"""Where the customer stands in ``queue`` that has waited longest."""
WAITING: Final = 4
AREA: Final = 5
"""Integral of the customers at the station over time."""
WAITED: Final = 6
SERVED: Final = 7
"""Customers that have left."""
WORK: Final = 8
"""Sum of the services that have begun."""
PEAK: Final = 9
STARTED: Final = 10
MORE: Final = 11
FIELDS: Final = 12

PLACE: Final = 2
"""A place of the queue: time of arrival, service."""
_FIRST_PLACES: Final = 1024


@inlined
def _pass_time(state: Ints, now: int) -> None:
    state[AREA] += (now - state[NOW]) * (state[BUSY] + state[WAITING])
    state[NOW] = now


@inlined
def _begin(state: Ints, heap: Ints, service: int) -> None:
    """A free server begins a service."""
    busy = state[BUSY]
    push(heap, 0, busy, state[NOW] + service, state[STARTED], 0, 0)
    state[BUSY] = busy + 1
    state[STARTED] += 1
    state[WORK] += service


@inlined
def _depart(state: Ints, heap: Ints, queue: Ints) -> None:
    """The first customer leaves, and its server takes the one that has waited longest."""
    _pass_time(state, heap[0])
    pop(heap, 0, state[BUSY])
    state[BUSY] -= 1
    state[SERVED] += 1
    if state[WAITING] > 0:
        at = PLACE * state[FIRST]
        state[WAITED] += state[NOW] - queue[at]
        state[FIRST] = state[FIRST] + 1 if at + PLACE < len(queue) else 0
        state[WAITING] -= 1
        _begin(state, heap, queue[at + 1])


@inlined
def _arrive(state: Ints, heap: Ints, queue: Ints, now: int, service: int) -> None:
    """A customer takes a free server or the last place of the queue."""
    _pass_time(state, now)
    if state[BUSY] < state[SERVERS]:
        _begin(state, heap, service)
        return
    at = PLACE * (state[FIRST] + state[WAITING])
    if at >= len(queue):
        at -= len(queue)
    queue[at] = now
    queue[at + 1] = service
    state[WAITING] += 1
    state[PEAK] = max(state[PEAK], state[WAITING])


@compiled
def _serve(state: Ints, arrivals: Ints, services: Ints, heap: Ints, queue: Ints) -> int:
    """Handle events until all arrivals are used (and, without MORE, all have left), or the queue is full.

    Returns how many arrivals were used.
    """
    used = 0
    while used < len(arrivals):
        comes = arrivals[used]
        while state[BUSY] > 0 and heap[0] <= comes:
            _depart(state, heap, queue)
        if state[BUSY] == state[SERVERS] and PLACE * state[WAITING] == len(queue):
            return used
        _arrive(state, heap, queue, comes, services[used])
        used += 1
    while state[MORE] == 0 and state[BUSY] > 0:
        _depart(state, heap, queue)
    return used


@dataclass(frozen=True, kw_only=True)
class StationTotals:
    """What happened at a station. Times are ns, and all sums and integrals are exact."""

    end_ns: int
    """When the last customer left."""
    served: int
    waited_ns: int
    """Sum of the waits."""
    work_ns: int
    """Sum of the services."""
    area: int
    """Integral of the customers at the station over time."""
    peak_waiting: int


def run_station(
    servers: int,
    feed: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]],
    *,
    pure_python: bool = not JITTED,
) -> StationTotals:
    """Run customers through a station until all have left. Memory holds one part of the feed and the queue.

    Args:
        servers: how many serve at the same time.
        feed: parts of the stream: times of arrival, in order within and across parts, and services, ns.

    Raises ValueError: no server, times out of order, or a negative number.
    """
    if servers < 1:
        raise ValueError(f"a station cannot have {servers} servers")
    state = zeros(FIELDS, lists=pure_python)
    state[SERVERS], state[MORE] = servers, 1
    heap = zeros(servers * STRIDE, lists=pure_python)
    queue = zeros(_FIRST_PLACES * PLACE, lists=pure_python)
    for arrivals, services in feed:
        _check(arrivals, services, int(state[NOW]))
        queue = _pass(state, arrivals, services, heap, queue, pure_python)
    state[MORE] = 0
    none = np.empty(0, dtype=np.int64)
    _pass(state, none, none, heap, queue, pure_python)
    return StationTotals(
        end_ns=int(state[NOW]),
        served=int(state[SERVED]),
        waited_ns=int(state[WAITED]),
        work_ns=int(state[WORK]),
        area=int(state[AREA]),
        peak_waiting=int(state[PEAK]),
    )


def _pass(  # noqa: PLR0917 - as kernels, it takes its arrays by position
    state: Ints, arrivals: NDArray[np.int64], services: NDArray[np.int64], heap: Ints, queue: Ints, lists: bool
) -> Ints:
    """Use up one part of the feed. Returns the queue, which may have grown."""
    kernel = pure(_serve) if lists else _serve
    some, theirs = (ints(part, lists=lists) for part in (arrivals, services))
    used = kernel(state, some, theirs, heap, queue)
    while used < len(some):
        queue = _grown(state, queue, lists)
        some, theirs = some[used:], theirs[used:]
        used = kernel(state, some, theirs, heap, queue)
    return queue


def _grown(state: Ints, queue: Ints, lists: bool) -> Ints:
    """A queue of twice the places, with the customer that has waited longest first."""
    at = PLACE * int(state[FIRST])
    state[FIRST] = 0
    return ints([*queue[at:], *queue[:at], *([0] * len(queue))], lists=lists)


def _check(arrivals: NDArray[np.int64], services: NDArray[np.int64], since: int) -> None:
    if len(arrivals) != len(services) or services.min(initial=0) < 0:
        raise ValueError("each arrival needs one service, which is not negative")
    if len(arrivals) and (int(arrivals[0]) < since or (np.diff(arrivals) < 0).any()):
        raise ValueError("arrivals must not be negative and must be in order of time")
