"""One run: a trace through a fleet, chunk by chunk, so that memory follows the boxes that live, not the history.

The step loop runs in slices, between which Python sees signals: it ends within about a second of Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from bench.sim.engine.arrays import Floats, Ints
from bench.sim.engine.jit import JITTED, pure
from bench.sim.fleet.build import new_state, with_more_room
from bench.sim.fleet.kernel import columns as c
from bench.sim.fleet.kernel.loop import run
from bench.sim.fleet.result import FleetResult, read_result
from bench.sim.fleet.spec import FleetSpec, box_pages, check_fit, check_looks
from bench.sim.fleet.state import State
from bench.sim.fleet.windows import Watch
from bench.sim.traces.trace import MOST, TraceSource, check_trace
from bench.sim.values import TargetValues

Integers = NDArray[np.int64]
Part = tuple[Integers, Integers, Integers]
"""Arrivals, functions and durations of a chunk."""
Step = Callable[[State, Part, bool, int], int]

_EMPTY = np.zeros(0, dtype=np.int64)
_SLICE: Final = 2**24
"""Steps of a slice times hosts, since a step may look at every host."""
_FEW_HOSTS: Final = 64
_LEAST_STEPS: Final = 256


def simulate_fleet(
    spec: FleetSpec,
    values: TargetValues,
    trace: TraceSource,
    *,
    label: str,
    seed: int,
    trace_seed: int | None = None,
    noise: bool = True,
    windows: int = 0,
    chunk: int = MOST,
    steps: int | None = None,
    compiled: bool = JITTED,
) -> FleetResult:
    """Run a trace through a fleet of boxes of one target.

    Args:
        label: of the target, for errors.
        seed: of the boxes' luck and of failures. Each invocation has the same luck for every target.
        trace_seed: of what the trace leaves open; None: ``seed``.
        noise: whether boxes and hosts differ.
        windows: into so many parts of equal length the trace's time is cut; the result has what each has shown.
        chunk: invocations that are in memory at once. It changes no number.
        steps: of the step loop between two looks for signals; None: about a tenth of a second. It changes no number.
        compiled: False: the Python form of the step loop, which is slower and gives the same numbers.

    Raises:
        UsageError: a host is too small for a box, the model has no memory of the target, the trace is wrong, or an
            autoscaler would look too often.
    """
    given = seed if trace_seed is None else trace_seed
    check_looks(spec, trace.length_ns)
    state = _state(spec, values, trace, label=label, seed=seed, trace_seed=given, noise=noise)
    watch = Watch(trace.length_ns, windows)
    watch.plan(state)
    step = _step_compiled if compiled else _step_python
    most = steps or max(_LEAST_STEPS, _SLICE // max(_FEW_HOSTS, spec.hosts))
    for part in trace.chunks(seed=given, most=chunk):
        check_trace(part)
        state = _feed(state, (part.at_ns, part.function, part.duration_ns), watch, step, last=False, steps=most)
    state = _feed(state, (_EMPTY, _EMPTY, _EMPTY), watch, step, last=True, steps=most)
    return read_result(state, spec, tuple(watch.seen))


def _state(
    spec: FleetSpec, values: TargetValues, trace: TraceSource, *, label: str, seed: int, trace_seed: int, noise: bool
) -> State:
    """The fleet before the first invocation. Raises as ``simulate_fleet``."""
    pages = box_pages(values, label, trace.memory_bytes, len(trace.names))
    check_fit(spec, values, label, pages, trace.names)
    return new_state(
        spec,
        values,
        pages,
        length_ns=trace.length_ns,
        seed=seed,
        noise=noise,
        label=label,
        invocations=lambda: sum(len(part) for part in trace.chunks(seed=trace_seed)),
    )


def _feed(state: State, part: Part, watch: Watch, step: Step, *, last: bool, steps: int) -> State:
    """Take all invocations of a chunk; tables grow as they have to."""
    state.m[c.CURSOR] = 0
    while (found := step(state, part, last, steps)) not in (c.DONE, c.NEXT_CHUNK):
        if found == c.MORE_ROOM:
            state = with_more_room(state)
        elif found == c.WINDOW:
            watch.look(state)
    return state


def _step_compiled(state: State, part: Part, last: bool, steps: int) -> int:
    at, function, duration = (cast(Ints, np.ascontiguousarray(one, dtype=np.int64)) for one in part)
    return run(cast(Ints, state.m), cast(Floats, state.f), at, function, duration, last, steps)


def _step_python(state: State, part: Part, last: bool, steps: int) -> int:
    """On lists, which are several times faster than arrays in Python. Python sees signals within a slice, too."""
    m, f = state.m.tolist(), state.f.tolist()
    at, function, duration = (one.tolist() for one in part)
    while (found := pure(run)(m, f, at, function, duration, last, steps)) == c.PAUSED:
        pass
    state.m[:] = m
    state.f[:] = f
    return found
