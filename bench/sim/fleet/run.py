"""One run: a trace through a fleet, chunk by chunk, so that memory follows the boxes that live, not the history."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.sim.engine.jit import pure
from bench.sim.fleet.build import new_state, with_more_room
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.columns import Integers, Reals
from bench.sim.fleet.kernel.hosts import open_hosts
from bench.sim.fleet.kernel.loop import run
from bench.sim.fleet.result import FleetResult, read_result
from bench.sim.fleet.spec import FleetSpec, box_pages, check_fit
from bench.sim.fleet.state import State
from bench.sim.traces.trace import MOST, TraceSource, check_trace
from bench.sim.values import TargetValues

_EMPTY = np.zeros(0, dtype=np.int64)
Kernel = Callable[[Integers, Reals, Integers, Integers, Integers, bool], int]


def simulate_fleet(
    spec: FleetSpec,
    values: TargetValues,
    trace: TraceSource,
    *,
    label: str,
    seed: int,
    noise: bool = True,
    chunk: int = MOST,
    compiled: bool = True,
) -> FleetResult:
    """Run a trace through a fleet of boxes of one target.

    Args:
        label: of the target, for errors.
        seed: of the trace, of the boxes' luck and of failures. Each invocation has the same luck for every target.
        noise: whether boxes and hosts differ.
        chunk: invocations that are in memory at once. It changes no number.
        compiled: False: the Python form of the step loop, which is slower and gives the same numbers.

    Raises:
        UsageError: a host is too small for a box, the model has no memory of the target, the trace is wrong.
    """
    pages = box_pages(values, label, trace.memory_bytes, len(trace.names))
    check_fit(spec, values, label, pages, trace.names)
    state = new_state(spec, values, pages, length_ns=trace.length_ns, seed=seed, noise=noise, label=label)
    kernel: Kernel = run if compiled else pure(run)
    first = spec.hosts if spec.autoscaler is None else min(spec.hosts, spec.autoscaler.least)
    (open_hosts if compiled else pure(open_hosts))(state.m, first)
    for part in trace.chunks(seed=seed, most=chunk):
        check_trace(part)
        state = _feed(kernel, state, (part.at_ns, part.function, part.duration_ns), last=False)
    state = _feed(kernel, state, (_EMPTY, _EMPTY, _EMPTY), last=True)
    return read_result(state, spec)


def _feed(kernel: Kernel, state: State, part: tuple[Integers, Integers, Integers], *, last: bool) -> State:
    """Take all invocations of a chunk; arrays grow as they have to."""
    state.m[c.CURSOR] = 0
    while kernel(state.m, state.f, *part, last) == c.MORE_ROOM:
        state = with_more_room(state)
    return state
