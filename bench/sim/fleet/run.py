"""One run: a trace through a fleet, chunk by chunk, so that memory follows the boxes that live, not the history."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.arrays import Floats, Ints
from bench.sim.engine.jit import JITTED, pure
from bench.sim.fleet.build import new_state, with_more_room
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.loop import run
from bench.sim.fleet.result import FleetResult, read_result
from bench.sim.fleet.spec import FleetSpec, box_pages, check_fit
from bench.sim.fleet.state import State
from bench.sim.traces.trace import MOST, TraceSource, check_trace
from bench.sim.values import TargetValues

Integers = NDArray[np.int64]
Part = tuple[Integers, Integers, Integers]
"""Arrivals, functions and durations of a chunk."""

_EMPTY = np.zeros(0, dtype=np.int64)


def simulate_fleet(
    spec: FleetSpec,
    values: TargetValues,
    trace: TraceSource,
    *,
    label: str,
    seed: int,
    noise: bool = True,
    chunk: int = MOST,
    compiled: bool = JITTED,
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
    for part in trace.chunks(seed=seed, most=chunk):
        check_trace(part)
        state = _feed(state, (part.at_ns, part.function, part.duration_ns), last=False, compiled=compiled)
    state = _feed(state, (_EMPTY, _EMPTY, _EMPTY), last=True, compiled=compiled)
    return read_result(state, spec)


def _feed(state: State, part: Part, *, last: bool, compiled: bool) -> State:
    """Take all invocations of a chunk; tables grow as they have to."""
    state.m[c.CURSOR] = 0
    step = _step_compiled if compiled else _step_python
    while step(state, part, last) == c.MORE_ROOM:
        state = with_more_room(state)
    return state


def _step_compiled(state: State, part: Part, last: bool) -> int:
    at, function, duration = (cast(Ints, np.ascontiguousarray(one, dtype=np.int64)) for one in part)
    return run(cast(Ints, state.m), cast(Floats, state.f), at, function, duration, last)


def _step_python(state: State, part: Part, last: bool) -> int:
    """On lists, which are several times faster than arrays in Python."""
    m, f = state.m.tolist(), state.f.tolist()
    at, function, duration = (one.tolist() for one in part)
    found = pure(run)(m, f, at, function, duration, last)
    state.m[:] = m
    state.f[:] = f
    return found
