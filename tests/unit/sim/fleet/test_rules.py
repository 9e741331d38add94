"""The rules of the pool, one by one: who is used, who waits, who goes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.records.record import Endpoint
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.spec import Autoscaler, Failures, FleetSpec
from bench.sim.values import StageValues, TargetValues
from bench.util.errors import UsageError
from tests.fleets import HOST, INSTANT, MIB, SECOND, identities_hold, simulated, trace_of

S = SECOND


def _run(spec: FleetSpec, *args: object, **more: object) -> FleetResult:
    result = simulated(spec, trace_of(*args, **more))  # type: ignore[arg-type]
    identities_hold(result)
    return result


def _host_for(boxes: int, **changes: object) -> FleetSpec:
    return replace(HOST, memory_bytes=boxes * MIB, **changes)  # type: ignore[arg-type]


def test_the_most_recently_used_box_is_taken_so_that_the_other_one_ends() -> None:
    # Two boxes at once, then one invocation a second: it always finds the younger one, and the other one expires.
    at = [0, 0, *(second * S for second in range(2, 12))]
    result = _run(replace(HOST, keep_alive_ns=3 * S), at, [S, S - 1, *[S // 10] * 10])
    assert (result.cold, result.warm, result.expired) == (2, 10, 1)


def test_an_idle_box_serves_an_arrival_at_the_instant_at_which_it_becomes_idle() -> None:
    assert _run(HOST, [0, S + 1], [S, S]).warm == 1


def test_a_box_whose_keep_alive_ends_at_an_arrival_is_gone() -> None:
    # Up after 1 ns, done after another second.
    late = 1 + S + 5 * S
    assert _run(replace(HOST, keep_alive_ns=5 * S), [0, late - 1], [S, S]).warm == 1
    assert _run(replace(HOST, keep_alive_ns=5 * S), [0, late], [S, S]).warm == 0


def test_only_the_idle_boxes_of_one_host_give_way() -> None:
    """160 idle boxes of 1 MiB fill 20 hosts, in an order of ages that has nothing to do with hosts."""
    many = 160
    order = [(7 * number) % many for number in range(many)]
    at = [*(1000 * number for number in range(many)), 100 * S, *(200 * S + 1000 * number for number in range(many))]
    durations = [*(S + place * 10**6 for place in order), S, *[S] * many]
    functions = [*range(many), many, *range(many)]
    spec = _host_for(8, hosts=20, keep_alive_ns=None)
    result = _run(spec, at, durations, functions, names=many + 1, memory_bytes=[0] * many + [3 * MIB])
    # The large box needs four small ones to go. When these come back, four others go, and so on.
    assert result.waited == 0
    large = _run(
        spec,
        at[: many + 1],
        durations[: many + 1],
        functions[: many + 1],
        names=many + 1,
        memory_bytes=[0] * many + [3 * MIB],
    )
    assert (large.evicted, large.cold) == (4, many + 1)


def test_a_box_that_no_host_can_take_removes_no_idle_box() -> None:
    # A busy box of 6 MiB leaves 6; one of 8 MiB would not fit though all three idle ones went.
    at = [0, 1, 2, 3, 10 * S, 20 * S, 20 * S + 1, 20 * S + 2]
    durations = [100 * S, S, S, S, 5 * S, S, S, S]
    result = _run(
        _host_for(12, keep_alive_ns=None, queue_limit=0),
        at,
        durations,
        [0, 1, 2, 3, 4, 1, 2, 3],
        names=5,
        memory_bytes=[5 * MIB, 0, 0, 0, 7 * MIB],
    )
    assert (result.evicted, result.rejected, result.warm, result.cold) == (0, 1, 3, 4)


def test_pre_warmed_boxes_stay_where_others_give_way() -> None:
    # Each function keeps one box ready, that of f2 is twice as large. The two that are idle longest are both of f0.
    memory = [0, 0, MIB]
    spec = _host_for(8, prewarmed=1, keep_alive_ns=None, queue_limit=0)
    at = [S, 2 * S, 10 * S, 10 * S, 20 * S, 20 * S]
    result = _run(spec, at, [S // 5] * 6, [0, 1, 2, 2, 0, 1], names=3, memory_bytes=memory)
    # The second box of f2 takes the place of one of f0 and one of f1, so that both are warm at 20 s.
    assert (result.evicted, result.rejected, result.cold, result.warm) == (2, 0, 1, 5)
    # Where f1 has but one box, only one may go, which is not enough: none does.
    spec = replace(spec, memory_bytes=7 * MIB)
    result = _run(spec, [S, 10 * S, 10 * S], [S // 5] * 3, [0, 2, 2], names=3, memory_bytes=memory)
    assert (result.evicted, result.rejected, result.warm) == (0, 1, 2)


def test_a_host_at_its_limit_of_boxes_gives_one_place() -> None:
    result = _run(replace(HOST, box_limit=2, keep_alive_ns=None), [0, 0, 10 * S], [S, S, S], [0, 1, 2], names=3)
    assert (result.evicted, result.waited, result.peak_on_host) == (1, 0, 2)


def test_functions_do_not_share_boxes() -> None:
    assert _run(HOST, [0, 2 * S], [S, S], [0, 1], names=2).cold == 2


def test_idle_boxes_give_way_the_longest_idle_first() -> None:
    # Room for two: f0 and f1 idle; f2 pushes f0 out, then f1 is still warm and f0 is cold.
    result = _run(_host_for(2), [0, 2 * S, 4 * S, 6 * S], [S, S, S, S], [0, 1, 2, 1], names=3)
    assert (result.evicted, result.warm, result.cold) == (1, 1, 3)


def test_the_queue_is_first_come_first_served() -> None:
    # One place. The third arrival has a warm box as soon as the first ends, but the second one came first.
    result = _run(_host_for(1), [0, 1 * S, 2 * S], [10 * S, 10 * S, 10 * S], [0, 1, 0], names=2)
    assert (result.waited, result.cold, result.warm, result.evicted) == (2, 3, 0, 2)
    assert result.ended_ns == pytest.approx(30 * S, abs=10)


def test_waiting_counts_as_start_delay() -> None:
    result = _run(_host_for(1), [0, 4 * S], [10 * S, S])
    assert result.delay_ns(1.0) == pytest.approx(6 * S, rel=0.011)
    assert result.room_wait_ns == 6 * S + 1


def test_a_full_queue_rejects_and_nothing_is_lost_silently() -> None:
    result = _run(_host_for(1, queue_limit=1), [0, 1, 2, 3], [S, S, S, S])
    assert (result.arrivals, result.completed, result.waited, result.rejected) == (4, 2, 1, 2)


def test_pre_warmed_boxes_are_ready_before_the_first_invocation_and_stay() -> None:
    result = _run(replace(HOST, prewarmed=2, keep_alive_ns=S), [S, S, 60 * S, 60 * S], [S // 2] * 4)
    assert result.cold == 0
    assert result.refills >= 2
    assert result.idle_byte_ns >= 2 * MIB * 57 * S


def test_a_pre_warmed_pool_that_has_no_room_is_counted() -> None:
    result = _run(_host_for(1, prewarmed=3), [S], [S])
    assert result.refills_refused > 0
    assert result.completed == 1


_ONE_BY_ONE = TargetValues(
    stages=(StageValues(endpoint=Endpoint.READY, hold_delay_ns=10 * S),), memory_fixed_bytes=0, memory_slope_bytes=MIB
)
"""Boxes that start one after another on a host, each in 10 s."""


@pytest.mark.parametrize("compiled", [False, True])
def test_lost_invocations_start_again_in_the_order_of_their_arrival(compiled: bool) -> None:
    failures = Failures(stated=((100 * S, 0, False), (120 * S, 0, True)))
    spec = replace(HOST, failures=failures)
    trace = trace_of([0, 20 * S, 40 * S], [1000 * S, 2000 * S, 3000 * S], [0, 1, 2], names=3)
    result = simulated(spec, trace, _ONE_BY_ONE, compiled=compiled)
    identities_hold(result)
    # They are up at 130, 140 and 150 s.
    assert (result.lost, result.ended_ns) == (3, 3150 * S)
    # The first box is the older one, and serves the later invocation: up at 140 s, after the other one at 130 s.
    trace = trace_of([0, 15 * S, 30 * S], [S, 2000 * S, 1000 * S], [0, 1, 0], names=2)
    again = simulated(spec, trace, _ONE_BY_ONE, compiled=compiled)
    assert (again.lost, again.warm, again.ended_ns) == (2, 1, 2130 * S)


def test_lost_invocations_come_behind_those_that_wait() -> None:
    # One place: the second one waits since 20 s when the first one is lost at 100 s.
    failures = Failures(stated=((100 * S, 0, False), (120 * S, 0, True)))
    trace = trace_of([0, 20 * S], [1000 * S, 2000 * S], [0, 1], names=2)
    result = simulated(_host_for(1, failures=failures), trace, _ONE_BY_ONE)
    # Up at 130 s, done at 2130 s; then the other one, up at 2140 s and done at 3140 s.
    assert (result.lost, result.ended_ns) == (1, 3140 * S)
    assert result.response_ns(0.5) == pytest.approx(2110 * S, rel=0.011)


def test_pre_warmed_boxes_are_not_pushed_out() -> None:
    result = _run(_host_for(2, prewarmed=1, queue_limit=0), [S, S + 1], [S, S], [0, 0], names=2)
    assert result.evicted == 0
    # f0's box is taken; its refill has no room beside f1's box, so the second invocation has none either.
    assert (result.warm, result.rejected) == (1, 1)


def test_a_host_that_fails_loses_its_boxes_and_they_come_back_on_another() -> None:
    failures = Failures(stated=((5 * S, 0, False), (9 * S, 0, True)))
    result = _run(replace(HOST, hosts=2, failures=failures), [0, 0], [10 * S, 10 * S], length_ns=20 * S)
    assert (result.lost, result.lost_boxes, result.completed) == (2, 2, 2)
    assert result.peak_hosts == 1
    # Both began anew after 5 s.
    assert result.response_ns(1.0) == pytest.approx(15 * S, rel=0.011)


def test_a_stated_failure_holds_for_hosts_that_an_autoscaler_has_off() -> None:
    """Host 1 is down for good from the first second, before it is ever switched on."""
    scaler = Autoscaler(least=1, target=0.5, every_ns=S, delay_ns=S, cooldown_ns=2 * S)
    failures = Failures(stated=((0, 1, False),))
    spec = _host_for(2, hosts=2, autoscaler=scaler, failures=failures, queue_limit=0)
    result = _run(spec, [0, 0, 10 * S], [60 * S, 60 * S, S], length_ns=100 * S)
    assert (result.peak_on, result.rejected) == (1, 1)
    assert result.on_ns == 100 * S
    # It comes back off, and can be switched on.
    back = replace(failures, stated=((0, 1, False), (5 * S, 1, True)))
    result = _run(replace(spec, failures=back), [0, 0, 10 * S], [60 * S, 60 * S, S], length_ns=100 * S)
    assert (result.peak_on, result.rejected) == (2, 0)


def test_a_host_that_fails_while_it_boots_is_up_when_it_is_repaired() -> None:
    scaler = Autoscaler(least=1, target=0.5, every_ns=S, delay_ns=10 * S, cooldown_ns=1000 * S)
    failures = Failures(stated=((3 * S, 1, False), (60 * S, 1, True)))
    spec = _host_for(2, hosts=2, autoscaler=scaler, failures=failures, queue_limit=0)
    # It is asked for after 1 s and would be up after 11 s.
    at = [0, 0, 30 * S, 61 * S]
    result = _run(spec, at, [200 * S, 200 * S, S, S], length_ns=300 * S)
    assert (result.rejected, result.completed) == (1, 3)


def test_an_invocation_may_go_on_with_its_rest() -> None:
    failures = Failures(stated=((5 * S, 0, False),), lost="rest")
    result = _run(replace(HOST, hosts=2, failures=failures), [0], [10 * S], length_ns=20 * S)
    assert result.response_ns(1.0) == pytest.approx(10 * S, rel=0.011)


def test_without_another_host_they_wait_until_it_is_back() -> None:
    failures = Failures(stated=((5 * S, 0, False), (9 * S, 0, True)))
    result = _run(replace(HOST, failures=failures, queue_limit=0), [0], [10 * S], length_ns=20 * S)
    assert (result.completed, result.rejected) == (1, 0)
    assert result.response_ns(1.0) == pytest.approx(19 * S, rel=0.011)


def test_what_can_never_run_is_counted_as_unfinished() -> None:
    failures = Failures(stated=((5 * S, 0, False),))
    result = _run(replace(HOST, failures=failures), [0], [10 * S], length_ns=20 * S)
    assert (result.completed, result.unfinished) == (0, 1)
    assert result.delay_ns(1.0) == 1
    assert math.isinf(result.response_ns(0.5))


def test_percentiles_are_of_all_invocations_also_of_those_that_were_never_served() -> None:
    result = _run(_host_for(1, queue_limit=1), [0, 1, 2, 3], [S, S, S, S])
    assert result.rejected == 2
    assert result.delay_ns(0.5) == pytest.approx(S, rel=0.011)
    assert math.isinf(result.delay_ns(0.51))
    assert math.isinf(result.response_ns(0.51))


def test_a_run_ends_when_no_host_can_come_back_although_an_autoscaler_looks() -> None:
    failures = Failures(stated=((5 * S, 0, False),))
    result = _run(replace(HOST, failures=failures, autoscaler=Autoscaler(least=1)), [0], [10 * S], length_ns=20 * S)
    assert (result.completed, result.unfinished, result.ended_ns) == (0, 1, 20 * S)


@pytest.mark.parametrize(("back_s", "completed"), [(3600, 1), (86_400 + 39, 1), (86_400 + 41, 0)])
def test_a_run_waits_for_hosts_a_day_after_twice_its_length_at_most(back_s: int, completed: int) -> None:
    failures = Failures(stated=((5 * S, 0, False), (back_s * S, 0, True)))
    result = _run(replace(HOST, failures=failures), [0], [10 * S], length_ns=20 * S)
    assert (result.completed, result.unfinished) == (completed, 1 - completed)


def test_a_cold_start_is_told_from_the_wait_for_room() -> None:
    # The second one is of another function: it waits for room, then starts cold.
    result = _run(_host_for(1), [0, 4 * S], [10 * S, S], [0, 1], names=2)
    assert (result.cold_begun, result.cold_start_ns, result.cold_delay_ns) == (2, 2, 6 * S + 3)
    # Of the same function it takes the warm box: its wait is no cold start.
    warm = _run(_host_for(1), [0, 4 * S], [10 * S, S])
    assert (warm.cold_begun, warm.cold_start_ns, warm.cold_delay_ns) == (1, 1, 1)


def test_pre_warmed_pools_are_filled_when_a_host_comes_on() -> None:
    scaler = Autoscaler(least=1, target=0.5, every_ns=S, delay_ns=S, cooldown_ns=100 * S)
    spec = _host_for(2, hosts=2, prewarmed=3, autoscaler=scaler)
    result = _run(spec, [10 * S], [S // 10], length_ns=20 * S)
    assert result.refills_refused > 0
    assert (result.refills, result.cold) == (4, 0)


def test_the_autoscaler_switches_hosts_on_and_off() -> None:
    scaler = Autoscaler(least=1, target=0.5, every_ns=S, delay_ns=3 * S, cooldown_ns=4 * S)
    spec = _host_for(4, hosts=8, autoscaler=scaler, keep_alive_ns=0)
    at = [0] * 4 + [S] * 4
    result = _run(spec, at, [30 * S] * 8, length_ns=200 * S)
    assert result.waited == 4
    assert result.completed == 8
    # 8 boxes in hosts of 4, half of which shall be used.
    assert result.peak_on == 4
    assert 200 * S < result.on_ns < 200 * S * 4


def test_the_stranded_memory_is_what_used_hosts_have_free() -> None:
    result = _run(_host_for(4, keep_alive_ns=0), [0], [10 * S], length_ns=100 * S)
    assert result.stranded_byte_ns == 3 * MIB * (10 * S + 1)


@pytest.mark.parametrize("memory_mib", [0, 3])
def test_a_host_that_is_too_small_for_a_box_is_refused(memory_mib: int) -> None:
    spec = replace(HOST, memory_bytes=4 * MIB, reserve_bytes=(4 - memory_mib) * MIB)
    with pytest.raises(UsageError, match=r"docker: a box of f0 takes 4\.00 MiB, and a host of 4\.00 MiB has"):
        _run(spec, [0], [S], memory_bytes=[3 * MIB])


def test_a_model_without_memory_is_refused() -> None:
    with pytest.raises(UsageError, match="does not know what a further box takes"):
        simulated(HOST, trace_of([0], [S]), replace(INSTANT, memory_slope_bytes=None))
