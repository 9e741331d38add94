"""How many hosts a trace needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.sim.fleet.needed import Limit, hosts_needed
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import POLICIES, FleetSpec, Policy
from bench.util.errors import UsageError
from tests.fleets import HOST, MIB, SECOND, random_trace, simulated

_TRACE = random_trace(8, count=300, gap_ns=SECOND // 10, duration_ns=3 * SECOND)
_SPEC = replace(HOST, memory_bytes=4 * MIB, keep_alive_ns=SECOND)


def _simulate(spec: FleetSpec) -> FleetResult:
    return simulated(spec, _TRACE, compiled=True)


@pytest.mark.parametrize("start", [1, 9, 40])
@pytest.mark.parametrize("policy", POLICIES)
def test_it_is_the_smallest_fleet_that_keeps_the_limit(start: int, policy: Policy) -> None:
    spec = replace(_SPEC, hosts=start, policy=policy)
    found = hosts_needed(spec, Limit(), _simulate)
    assert Limit().holds(_simulate(replace(spec, hosts=found)))
    assert not Limit().holds(_simulate(replace(spec, hosts=found - 1)))


def test_it_does_not_depend_on_the_fleet_that_was_asked_about() -> None:
    assert len({hosts_needed(replace(_SPEC, hosts=hosts), Limit(), _simulate) for hosts in (1, 5, 10, 64)}) == 1


def test_a_looser_limit_needs_fewer_hosts() -> None:
    assert hosts_needed(_SPEC, Limit(no_room=0.3), _simulate) < hosts_needed(_SPEC, Limit(), _simulate)


def test_a_limit_that_no_fleet_can_keep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sim.fleet.needed.MOST_HOSTS", 64)
    with pytest.raises(UsageError, match="does not hold with 64 hosts"):
        hosts_needed(_SPEC, Limit(no_room=-1.0), _simulate)
