"""Small fleets and traces for tests of the simulator of fleets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.engine.rng import EXPONENTIAL, uniforms, variates
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.run import simulate_fleet
from bench.sim.fleet.spec import FleetSpec
from bench.sim.model.file import Model
from bench.sim.traces.trace import MemoryTrace, Trace
from bench.sim.values import StageValues, TargetValues

SECOND = 10**9
PAGE = 4096
MIB = 2**20

INSTANT = TargetValues(
    stages=(StageValues(endpoint=Endpoint.READY, delay_ns=1),), memory_fixed_bytes=0, memory_slope_bytes=MIB
)
"""Boxes that are up after 1 ns."""

DOCKER = TargetValues(
    stages=(
        StageValues(
            endpoint=Endpoint.EXEC,
            delay_ns=20_000_000,
            work_ns=60_000_000,
            background_ns=45_000_000,
            hold_work_ns=25_000_000,
            hold_delay_ns=3_000_000,
        ),
        StageValues(endpoint=Endpoint.READY, delay_ns=1_000_000, work_ns=9_000_000),
    ),
    inflation=0.07,
    growth_ns=40_000.0,
    block_sd=0.1,
    box_sd=0.15,
    memory_fixed_bytes=60 * MIB,
    memory_slope_bytes=12 * MIB,
)
"""Boxes that contend for CPUs and a lock, with noise."""

HOST = FleetSpec(hosts=1, cpus=2, memory_bytes=2**30)


def trace_of(
    at_ns: Sequence[int],
    durations_ns: Sequence[int],
    functions: Sequence[int] | None = None,
    *,
    names: int = 1,
    memory_bytes: Sequence[int] | None = None,
    length_ns: int | None = None,
) -> MemoryTrace:
    """A trace in memory. It ends 1 ns after its last arrival, unless ``length_ns`` is given."""
    count = len(at_ns)
    trace = Trace(
        at_ns=np.array(at_ns, dtype=np.int64),
        function=np.zeros(count, dtype=np.int64) if functions is None else np.array(functions, dtype=np.int64),
        duration_ns=np.array(durations_ns, dtype=np.int64),
        names=tuple(f"f{number}" for number in range(names)),
        memory_bytes=None if memory_bytes is None else np.array(memory_bytes, dtype=np.int64),
    )
    return MemoryTrace(trace=trace, length_ns=max(at_ns, default=0) + 1 if length_ns is None else length_ns)


def random_trace(
    seed: int, *, count: int, gap_ns: int, duration_ns: int, names: int = 1, memory_bytes: Sequence[int] | None = None
) -> MemoryTrace:
    """Exponential gaps and durations, functions at random."""
    drawn = uniforms(seed, 0x7E57, np.arange(count)[:, np.newaxis], np.arange(3))
    at = np.cumsum(variates(EXPONENTIAL, gap_ns, 0, drawn[:, 0]))
    durations = variates(EXPONENTIAL, duration_ns, 0, drawn[:, 1])
    functions = np.minimum((drawn[:, 2] ** 2 * names).astype(np.int64), names - 1)
    return trace_of(at.tolist(), durations.tolist(), functions.tolist(), names=names, memory_bytes=memory_bytes)


def simulated(spec: FleetSpec, trace: MemoryTrace, values: TargetValues = INSTANT, **more: Any) -> FleetResult:
    """A run with the seed 1, in plain Python unless told otherwise: a short one is quicker so."""
    return simulate_fleet(spec, values, trace, label="docker", **{"seed": 1, "compiled": False, **more})


def digest(result: FleetResult) -> str:
    """SHA-256 of all numbers of a run."""
    found = hashlib.sha256()
    for field in fields(result):
        value = getattr(result, field.name)
        found.update(field.name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else str(value).encode()))
    return found.hexdigest()


def identities_hold(result: FleetResult) -> None:
    """Assert what holds in every run, exactly."""
    assert result.arrivals == result.completed + result.rejected + result.unfinished
    assert result.system_ns == result.sojourn_ns, "Little's law"
    assert result.byte_ns == result.lives_byte_ns, "memory over time is memory over boxes"
    assert result.least_free_bytes >= 0, "a host held more than its memory"
    assert result.peak_bytes <= result.hosts * result.capacity_bytes
    assert 0 <= result.idle_byte_ns <= result.byte_ns
    assert result.stranded_byte_ns >= 0
    assert int(result.response.sum()) == result.completed
    begun = int(result.delay.sum()) + int(result.restart.sum())
    assert begun == result.served if result.lost == result.unfinished == 0 else begun <= result.served
    assert result.starts == result.cold + result.refills
    assert result.cold_begun <= result.cold
    assert 0 <= result.cold_lock_ns <= result.cold_start_ns <= result.cold_delay_ns <= result.waiting_ns
    assert result.cold_lock_ns <= result.lock_wait_ns
    if result.lost == result.unfinished == result.refills == 0:
        assert result.cold_begun == result.cold
        assert result.cold_lock_ns == result.lock_wait_ns


def without_noise(values: TargetValues) -> TargetValues:
    """The same boxes, all alike."""
    return replace(values, block_sd=0.0, box_sd=0.0)


def few_windows(patch: pytest.MonkeyPatch) -> None:
    """Cut runs into few windows: between windows, numbers go from the kernels to Python and back."""
    patch.setattr("bench.sim.fleet.question.WINDOWS", 4)


def without_memory(model: Model, *targets: str) -> Model:
    """The model as it is when the memory of these targets was not measured."""
    entries = dict(model.targets)
    draws = dict(model.draws)
    for target in targets:
        kept = {name: one for name, one in entries[target].parameters.items() if not name.startswith("memory")}
        entries[target] = entries[target].model_copy(update={"parameters": kept})
        draws[target] = {name: one for name, one in draws[target].items() if name in kept}
    return model.model_copy(update={"targets": entries, "draws": draws})


def renamed(model: Model, target: str, label: str) -> Model:
    """The model with another label for one target: an emulated VM as one under KVM."""
    entries = {label if name == target else name: one for name, one in model.targets.items()}
    draws = {label if name == target else name: one for name, one in model.draws.items()}
    return model.model_copy(update={"targets": entries, "draws": draws})
