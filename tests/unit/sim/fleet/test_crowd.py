"""Boxes that start on one host of a fleet slow each other as those of ``simulate_starts`` do, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.records.record import Endpoint
from bench.sim.fleet.spec import Failures, FleetSpec
from bench.sim.starts import simulate_starts
from bench.util.errors import UsageError
from tests.fleets import DOCKER, SECOND, identities_hold, random_trace, simulated, trace_of, without_noise

CROWDED = replace(without_noise(DOCKER), crowding=0.45)


@pytest.mark.parametrize(("boxes", "cpus", "spread_ns"), [(1, 1, 0), (8, 2, 0), (40, 3, 1_300_007)])
def test_a_storm_on_one_host(boxes: int, cpus: int, spread_ns: int) -> None:
    scheduled = np.arange(boxes, dtype=np.int64) * spread_ns
    spec = FleetSpec(hosts=1, cpus=cpus, memory_bytes=2**30, box_limit=boxes)
    result = simulated(spec, trace_of(scheduled.tolist(), [3600 * SECOND] * boxes), CROWDED)
    starts = simulate_starts(CROWDED, cpus=cpus, scheduled_ns=scheduled)
    assert result.waiting_ns == int(starts.times_ns[Endpoint.READY].sum())
    assert result.lock_wait_ns == int(starts.lock_wait_ns.sum())
    assert result.cpu_ns == starts.cpu_ns
    alike = simulate_starts(replace(CROWDED, crowding=0.0), cpus=cpus, scheduled_ns=scheduled)
    assert (starts.cpu_ns > 1.2 * alike.cpu_ns) == (boxes > cpus)


def test_hosts_and_boxes_that_live_are_no_crowd() -> None:
    spec = FleetSpec(hosts=5, cpus=1, memory_bytes=2**30, box_limit=3)
    alone = simulated(replace(spec, hosts=1), trace_of([0], [3600 * SECOND]), CROWDED)
    apart = simulated(replace(spec, policy="spread"), trace_of([0] * 5, [3600 * SECOND] * 5), CROWDED)
    assert apart.waiting_ns == 5 * alone.waiting_ns
    steady = replace(CROWDED, growth_ns=0.0)
    once = simulated(replace(spec, hosts=1), trace_of([0], [3600 * SECOND]), steady)
    late = simulated(replace(spec, hosts=1), trace_of([0, 900 * SECOND, 1800 * SECOND], [3600 * SECOND] * 3), steady)
    assert late.waiting_ns == 3 * once.waiting_ns


def test_a_failure_takes_its_boxes_out_of_the_crowd() -> None:
    """Eight starts are lost after 100 ms; a ms later they begin anew, as a storm on an idle host."""
    boxes, down, up = 8, 100_000_000, 101_000_000
    failures = Failures(stated=((down, 0, False), (up, 0, True)))
    spec = FleetSpec(hosts=1, cpus=2, memory_bytes=2**30, failures=failures)
    result = simulated(spec, trace_of([0] * boxes, [3600 * SECOND] * boxes, length_ns=SECOND), CROWDED)
    starts = simulate_starts(CROWDED, cpus=2, scheduled_ns=np.zeros(boxes, dtype=np.int64))
    again = int(starts.times_ns[Endpoint.READY].sum())
    assert result.lost == boxes
    # Parts of a ns that were served before the failure are still to be given.
    assert abs(result.waiting_ns - boxes * up - again) <= boxes


def test_identities_hold_in_a_crowd_with_failures() -> None:
    trace = random_trace(7, count=600, gap_ns=40_000_000, duration_ns=300_000_000, names=3)
    failures = Failures(mtbf_ns=2 * SECOND, mttr_ns=SECOND // 2)
    spec = FleetSpec(hosts=4, cpus=1, memory_bytes=2**28, keep_alive_ns=SECOND, failures=failures)
    result = simulated(spec, trace, replace(DOCKER, crowding=0.45))
    identities_hold(result)
    assert result.lost > 20
    assert result.waiting_ns > simulated(spec, trace, DOCKER).waiting_ns


def test_a_crowd_that_integers_cannot_hold_is_refused() -> None:
    spec = FleetSpec(hosts=1, cpus=1, memory_bytes=2**34)
    values = replace(CROWDED, crowding=3.0)
    with pytest.raises(UsageError, match="starts at once on one host"):
        simulated(spec, trace_of([0] * 5000, [SECOND] * 5000), values)
    # As many fit into the host, and one invocation has one box.
    assert simulated(spec, trace_of([0], [SECOND]), values).completed == 1
