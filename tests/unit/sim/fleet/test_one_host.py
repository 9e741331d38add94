"""Boxes that start at once on one host of a fleet are the storm of ``simulate_starts``, to the ns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.fleet.spec import FleetSpec
from bench.sim.starts import simulate_starts
from bench.sim.values import StageValues, TargetValues
from tests.fleets import DOCKER, MIB, SECOND, simulated, trace_of, without_noise

_CASES: dict[str, TargetValues] = {
    "docker": without_noise(DOCKER),
    "delay alone": TargetValues(
        stages=(StageValues(endpoint=Endpoint.READY, delay_ns=7_000_001),), memory_fixed_bytes=0, memory_slope_bytes=MIB
    ),
    "lock without CPU": TargetValues(
        stages=(StageValues(endpoint=Endpoint.READY, hold_delay_ns=13_000_000, work_ns=5_000_000),),
        memory_fixed_bytes=0,
        memory_slope_bytes=MIB,
    ),
    "two locks and growth": TargetValues(
        stages=(
            StageValues(endpoint=Endpoint.CREATED, hold_work_ns=4_000_000, background_ns=9_000_000),
            StageValues(endpoint=Endpoint.READY, delay_ns=3_000_000, hold_work_ns=2_500_000, work_ns=11_000_000),
        ),
        inflation=0.3,
        growth_ns=700_000.0,
        memory_fixed_bytes=0,
        memory_slope_bytes=MIB,
    ),
}


@pytest.mark.parametrize("name", _CASES)
@pytest.mark.parametrize(("boxes", "cpus", "spread_ns"), [(1, 1, 0), (8, 2, 0), (40, 3, 1_300_007)])
def test_a_storm_on_one_host(name: str, boxes: int, cpus: int, spread_ns: int) -> None:
    values = _CASES[name]
    scheduled = np.arange(boxes, dtype=np.int64) * spread_ns
    spec = FleetSpec(hosts=1, cpus=cpus, memory_bytes=2**30, box_limit=boxes)
    # Each box stays until all are up.
    result = simulated(spec, trace_of(scheduled.tolist(), [3600 * SECOND] * boxes), values)
    starts = simulate_starts(values, cpus=cpus, scheduled_ns=scheduled, residents=0, noise=None)
    times = starts.times_ns[Endpoint.READY]
    assert result.cold == boxes
    assert result.waiting_ns == int(times.sum())
    assert result.lock_wait_ns == int(starts.lock_wait_ns.sum())
    assert result.cpu_ns == starts.cpu_ns
    assert result.ended_ns == int((scheduled + times).max()) + 3600 * SECOND
    expected = np.zeros(len(result.delay), dtype=np.int64)
    from bench.sim.fleet.histogram import bounds

    for time in times.tolist():
        expected[int(np.searchsorted(bounds(), time, side="right")) - 1] += 1
    np.testing.assert_array_equal(result.delay, expected)


def test_a_storm_beside_boxes_that_live_is_slower_by_the_growth_of_the_hold() -> None:
    values = replace(_CASES["two locks and growth"], inflation=0.0)
    residents, boxes = 12, 6
    late = 1000 * SECOND
    at = [0] * residents + [late] * boxes
    spec = FleetSpec(hosts=1, cpus=2, memory_bytes=2**30, box_limit=residents + boxes)
    with_residents = simulated(spec, trace_of(at, [3600 * SECOND] * len(at)), values)
    first = simulated(spec, trace_of([0] * residents, [3600 * SECOND] * residents), values)
    starts = simulate_starts(
        values, cpus=2, scheduled_ns=np.zeros(boxes, dtype=np.int64), residents=residents, noise=None
    )
    assert with_residents.waiting_ns - first.waiting_ns == int(starts.times_ns[Endpoint.READY].sum())


def test_hosts_do_not_slow_each_other() -> None:
    values = without_noise(DOCKER)
    spec = FleetSpec(hosts=5, cpus=2, memory_bytes=2**30, box_limit=1)
    apart = simulated(spec, trace_of([0] * 5, [3600 * SECOND] * 5), values)
    alone = simulated(replace(spec, hosts=1), trace_of([0], [3600 * SECOND]), values)
    assert apart.waiting_ns == 5 * alone.waiting_ns
    assert apart.lock_wait_ns == 0
