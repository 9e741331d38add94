"""What holds in every run, exactly in integers; and the same bits from every form of the step loop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.sim.fleet import run as run_module
from bench.sim.fleet.spec import POLICIES as ALL_POLICIES
from bench.sim.fleet.spec import Autoscaler, Failures, FleetSpec
from tests.fleets import DOCKER, HOST, MIB, SECOND, digest, identities_hold, random_trace, simulated, trace_of

_TRACE = random_trace(
    5,
    count=400,
    gap_ns=SECOND // 8,
    duration_ns=2 * SECOND,
    names=4,
    memory_bytes=(30 * MIB, 90 * MIB, 8 * MIB, 200 * MIB),
)
_SMALL = replace(HOST, hosts=4, memory_bytes=500 * MIB, keep_alive_ns=5 * SECOND)
_SPECS: dict[str, FleetSpec] = {
    "roomy": replace(HOST, hosts=8, keep_alive_ns=3 * SECOND),
    "queue": _SMALL,
    "rejects": replace(_SMALL, queue_limit=0),
    "short queue": replace(_SMALL, queue_limit=3),
    "no keep-alive": replace(_SMALL, keep_alive_ns=0),
    "for ever": replace(_SMALL, keep_alive_ns=None),
    "pre-warmed": replace(HOST, hosts=3, prewarmed=2, keep_alive_ns=2 * SECOND),
    "box limit": replace(_SMALL, box_limit=3),
    "failures": replace(_SMALL, failures=Failures(mtbf_ns=12 * SECOND, mttr_ns=4 * SECOND), prewarmed=1),
    "rest only": replace(_SMALL, failures=Failures(mtbf_ns=9 * SECOND, mttr_ns=SECOND, lost="rest"), queue_limit=5),
    "vms": replace(
        _SMALL,
        hosts=6,
        together=3,
        memory_bytes=400 * MIB,
        failures=Failures(mtbf_ns=20 * SECOND, mttr_ns=4 * SECOND),
    ),
    "autoscaler": replace(
        _SMALL,
        hosts=16,
        autoscaler=Autoscaler(least=1, target=0.8, every_ns=SECOND, delay_ns=2 * SECOND, cooldown_ns=3 * SECOND),
    ),
    "failures and autoscaler": replace(
        _SMALL,
        hosts=2000,
        prewarmed=1,
        failures=Failures(mtbf_ns=20 * SECOND, mttr_ns=4 * SECOND),
        autoscaler=Autoscaler(least=3, target=0.02, every_ns=SECOND, delay_ns=2 * SECOND, cooldown_ns=3 * SECOND),
    ),
    **{policy: replace(_SMALL, hosts=6, policy=policy) for policy in ALL_POLICIES},
}


@pytest.mark.parametrize("name", _SPECS)
def test_identities_hold_exactly(name: str) -> None:
    result = simulated(_SPECS[name], _TRACE, DOCKER)
    identities_hold(result)
    assert result.arrivals == 400


def test_hundreds_of_hosts_that_are_switched_on_at_once_have_room_for_their_timers() -> None:
    scaler = Autoscaler(least=1, target=0.001, every_ns=SECOND, delay_ns=5 * SECOND, cooldown_ns=60 * SECOND)
    result = simulated(replace(_SMALL, hosts=300, autoscaler=scaler), _TRACE, DOCKER)
    identities_hold(result)
    assert result.peak_on == 300


@pytest.mark.parametrize(
    "name", ["queue", "pre-warmed", "failures", "vms", "autoscaler", "failures and autoscaler", "best-fit", "pack"]
)
def test_python_and_compiled_give_the_same_bits(name: str) -> None:
    compiled = simulated(_SPECS[name], _TRACE, DOCKER, compiled=True)
    assert digest(simulated(_SPECS[name], _TRACE, DOCKER)) == digest(compiled)


@pytest.mark.parametrize("steps", [1, 7, 1000])
@pytest.mark.parametrize("name", ["failures", "best-fit"])
def test_the_length_of_slices_changes_no_number(name: str, steps: int) -> None:
    whole = digest(simulated(_SPECS[name], _TRACE, DOCKER, windows=9))
    assert digest(simulated(_SPECS[name], _TRACE, DOCKER, windows=9, steps=steps)) == whole
    assert digest(simulated(_SPECS[name], _TRACE, DOCKER, windows=9, steps=steps, compiled=True)) == whole


@pytest.mark.parametrize("name", ["failures", "autoscaler", "pre-warmed", "failures and autoscaler"])
def test_windows_change_no_number_and_add_up(name: str) -> None:
    watched = simulated(_SPECS[name], _TRACE, DOCKER, windows=60)
    assert digest(replace(watched, windows=())) == digest(simulated(_SPECS[name], _TRACE, DOCKER))
    assert len(watched.windows) == 60
    assert sum(one.length_ns for one in watched.windows) == _TRACE.length_ns
    assert sum(one.on_ns for one in watched.windows) <= watched.on_ns
    assert max(one.boxes for one in watched.windows) <= watched.peak_boxes
    delays = [one.delay_p99_ns for one in watched.windows if one.delay_p99_ns is not None]
    assert 0 < max(delays) <= watched.delay_ns(1.0)


def test_hosts_that_are_always_on_are_on_in_every_window() -> None:
    watched = simulated(_SPECS["roomy"], _TRACE, DOCKER, windows=7)
    assert [one.on_ns for one in watched.windows] == [8 * one.length_ns for one in watched.windows]


def test_work_is_conserved() -> None:
    """Without inflation CPUs are busy for as long as the work takes; each piece may end up to 1 ns late."""
    result = simulated(replace(_SMALL, hosts=6), _TRACE, replace(DOCKER, inflation=0.0))
    pieces = result.starts * 2 * 3
    assert 0 <= result.cpu_ns - result.work_ns <= pieces * HOST.cpus
    assert result.work_ns > SECOND


@pytest.mark.parametrize("chunk", [13, 399])
def test_the_length_of_chunks_changes_no_number(chunk: int) -> None:
    spec = _SPECS["failures"]
    assert digest(simulated(spec, _TRACE, DOCKER, chunk=chunk)) == digest(simulated(spec, _TRACE, DOCKER))


def test_the_specs_reach_what_they_are_for() -> None:
    found = {name: simulated(spec, _TRACE, DOCKER) for name, spec in _SPECS.items()}
    assert min(found["queue"].waited, found["queue"].evicted) > 0
    assert found["rejects"].rejected > found["rejects"].waited == 0
    assert min(found["short queue"].rejected, found["short queue"].waited) > 0
    assert found["no keep-alive"].warm <= found["queue"].warm
    assert found["for ever"].expired == 0
    assert found["pre-warmed"].refills > 0
    assert found["failures"].lost_boxes > found["failures"].lost > 0
    assert int(found["failures"].restart.sum()) > 0
    assert found["vms"].lost_boxes > 0
    assert found["vms"].peak_hosts == 2
    assert found["autoscaler"].peak_on > 1
    assert found["failures and autoscaler"].peak_on > 100
    assert found["failures and autoscaler"].lost_boxes > 0
    assert found["autoscaler"].on_ns < 16 * found["autoscaler"].ended_ns
    assert len({digest(found[policy]) for policy in ALL_POLICIES}) == len(ALL_POLICIES)


def test_a_long_run_comes_back_often_so_that_signals_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    step = run_module._step_compiled
    calls: list[int] = []

    def counted(*words: Any) -> int:
        calls.append(words[-1])
        return step(*words)

    monkeypatch.setattr(run_module, "_step_compiled", counted)
    looking = Autoscaler(least=1, every_ns=SECOND)
    # One invocation computes for a million looks of the autoscaler.
    simulated(replace(HOST, autoscaler=looking), trace_of([0], [10**6 * SECOND]), DOCKER, compiled=True)
    assert len(calls) >= 4
    assert max(calls) <= 2**18


def test_another_seed_is_another_luck() -> None:
    spec = _SPECS["roomy"]
    assert digest(simulated(spec, _TRACE, DOCKER, seed=1)) != digest(simulated(spec, _TRACE, DOCKER, seed=2))
