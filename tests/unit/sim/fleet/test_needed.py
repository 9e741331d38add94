"""How many hosts a trace needs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.sim.fleet.needed import Limit, hosts_needed, smallest_fleet, tried_text
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import POLICIES, FleetSpec, Policy
from bench.util.errors import UsageError
from tests.fleets import DOCKER, HOST, MIB, SECOND, digest, random_trace, simulated

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


def test_starts_that_are_too_slow_on_any_number_of_hosts_are_refused_at_once() -> None:
    tried: list[int] = []

    def simulate(spec: FleetSpec) -> FleetResult:
        tried.append(spec.hosts)
        return simulated(spec, _TRACE, DOCKER)

    spec = replace(_SPEC, memory_bytes=2**30)
    with pytest.raises(
        UsageError, match=r"does not hold with \d+ hosts: more hosts do not help with first-fit"
    ) as caught:
        hosts_needed(spec, Limit(delay_ns=1), simulate)
    assert "(policy: spread)" in str(caught.value.hint)
    assert max(tried) < 512


@pytest.mark.parametrize("policy", POLICIES)
def test_the_runs_on_the_smallest_fleet_and_on_one_host_fewer_are_kept(policy: Policy) -> None:
    found = smallest_fleet(replace(_SPEC, policy=policy), Limit(), _simulate)
    assert found.fewer is not None
    assert digest(found.fewer) == digest(_simulate(replace(_SPEC, policy=policy, hosts=found.hosts - 1)))
    same = _simulate(replace(_SPEC, policy=policy, hosts=found.hosts))
    assert (found.result.cold, found.result.delay_ns(0.99)) == (same.cold, same.delay_ns(0.99))


def test_one_host_that_is_enough_has_none_fewer() -> None:
    assert smallest_fleet(replace(_SPEC, memory_bytes=2**30), Limit(), _simulate).fewer is None


def test_fleets_are_tried_up_to_the_largest_that_a_file_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.sim.fleet.needed.MOST_HOSTS", 64)
    tried: list[int] = []

    def simulate(spec: FleetSpec) -> FleetResult:
        tried.append(spec.hosts)
        return simulated(replace(spec, hosts=1), _TRACE)

    found = smallest_fleet(replace(_SPEC, hosts=12), Limit(), simulate, step=4)
    assert found.never
    assert found.more_helps
    assert (found.hosts, max(tried)) == (64, 64)
    with pytest.raises(UsageError, match="does not hold with 64 hosts: no more are tried"):
        hosts_needed(_SPEC, Limit(), simulate)


def test_another_policy_may_keep_a_limit_that_first_fit_does_not() -> None:
    """A storm of starts on one host with room for all of them: only another policy uses the other hosts."""
    trace = random_trace(3, count=12, gap_ns=SECOND // 1000, duration_ns=SECOND)

    def simulate(spec: FleetSpec) -> FleetResult:
        return simulated(spec, trace, DOCKER)

    spec, limit = replace(HOST, hosts=3), Limit(delay_ns=500 * 10**6)
    first = smallest_fleet(spec, limit, simulate)
    assert (first.never, first.more_helps) == (True, False)
    assert tried_text(first) == "more hosts do not help with first-fit"
    assert 1 < hosts_needed(replace(spec, policy="spread"), limit, simulate) <= 12
    with pytest.raises(UsageError) as caught:
        hosts_needed(replace(spec, policy="spread"), Limit(delay_ns=1), simulate)
    assert "policy" not in str(caught.value.hint)


def test_hosts_that_come_together_are_needed_together() -> None:
    alone = hosts_needed(_SPEC, Limit(), _simulate)
    found = smallest_fleet(replace(_SPEC, hosts=12, together=4), Limit(), _simulate, step=4)
    assert found.hosts == -(-alone // 4) * 4
