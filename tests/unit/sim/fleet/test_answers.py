"""Answers about pools and fleets: bands, paired ratios, what was assumed, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from bench.sim.answer.answer import Quantity
from bench.sim.answer.bands import Widening
from bench.sim.answer.terms import Terms
from bench.sim.answer.words import in_unit
from bench.sim.cost import Prices
from bench.sim.fleet.fleet_answer import FleetAnswer, answer_fleet
from bench.sim.fleet.fleet_question import FleetQuestion
from bench.sim.fleet.fleet_words import headline
from bench.sim.fleet.needed import Limit, LimitError
from bench.sim.fleet.pool_answer import PoolAnswer, PoolQuestion, answer_pool
from bench.sim.fleet.question import one_run
from bench.sim.fleet.result import FleetResult
from bench.sim.fleet.shown import Shown, band_with_never, ratio_of
from bench.sim.fleet.spec import Autoscaler, Failures, FleetSpec
from bench.sim.fleet.variants import InVm, Snapshot, Variant
from bench.sim.model.file import Model
from bench.sim.traces.spec import TraceOptions, open_trace
from bench.util.errors import ExitCode, NotInDataError, UsageError
from tests.fleets import MIB, SECOND, random_trace
from tests.synthetic_models import make_model

_TRACE = random_trace(2, count=60, gap_ns=SECOND // 2, duration_ns=2 * SECOND, names=2)
_HOST = FleetSpec(hosts=4, cpus=2, memory_bytes=2**30, keep_alive_ns=5 * SECOND)
_PAIR = (Variant(target="docker"), Variant(target="libvirt/tcg"))


def _terms(**changes: object) -> Terms:
    model = make_model(("docker", "libvirt/tcg"), draws=40)
    return Terms(**{"model": model, "digest": "sha256:00", "seed": 3, "draws": (0, 2, 4), "replications": 1, **changes})  # type: ignore[arg-type]


def _fleet(**changes: object) -> FleetQuestion:
    asked = {"trace": _TRACE, "trace_text": "a trace", "variants": _PAIR, "baseline": "docker", "spec": _HOST}
    return FleetQuestion(**{**asked, **changes})  # type: ignore[arg-type]


def _pool(**changes: object) -> PoolQuestion:
    asked = {
        "trace": _TRACE,
        "trace_text": "a trace",
        "variants": (Variant(target="docker"),),
        "baseline": "docker",
        "spec": replace(_HOST, hosts=1, memory_bytes=4 * 2**30),
        "keep_alives_ns": (0, SECOND, 20 * SECOND),
        "prewarmed": (0, 2),
    }
    return PoolQuestion(**{**asked, **changes})  # type: ignore[arg-type]


def _of(answer: FleetAnswer | PoolAnswer, name: str, target: str, unit: str | None = None) -> Quantity:
    return next(
        one for one in answer.quantities if one.name == name and one.target == target and unit in (None, one.unit)
    )


@pytest.fixture(scope="module")
def fleet() -> FleetAnswer:
    """Docker against VMs on four small hosts."""
    return answer_fleet(_terms(), _fleet())


@pytest.fixture(scope="module")
def pool() -> PoolAnswer:
    """Docker on one host."""
    return answer_pool(_terms(), _pool())


def test_vms_need_more_hosts_and_memory_decides(fleet: FleetAnswer) -> None:
    ratio = _of(fleet, "fleet.memory_in_hosts", "libvirt/tcg : docker")
    memory = {one: _of(fleet, "fleet.memory_in_hosts", one, "mean_hosts").band for one in ("docker", "libvirt/tcg")}
    hosts = {target: _of(fleet, "fleet.hosts_needed", target, "hosts").band for target in ("docker", "libvirt/tcg")}
    assert hosts["libvirt/tcg"].middle > hosts["docker"].middle
    assert ratio.band.low95 <= memory["libvirt/tcg"].middle / memory["docker"].middle <= ratio.band.high95
    # Of a few whole hosts a ratio would be about rounding.
    whole = [one.name for one in fleet.quantities if one.unit == "ratio" and one.name.endswith("hosts")]
    assert whole == ["fleet.memory_in_hosts"]
    assert "libvirt/tcg takes " in fleet.headline
    limits = {one.target: one.name for one in fleet.bottlenecks}
    assert (limits["docker"], limits["libvirt/tcg"]) == ("none", "memory")
    assert fleet.headline.startswith(
        "Simulated: no invocation may wait for a host with room, so this trace needs hosts: "
    )
    assert "decided by memory" in fleet.headline
    assert fleet.invocations == 60


def test_bands_widen_beyond_the_data_and_most_on_the_worse_side() -> None:
    """The same runs, some times beyond the data and within them: a model whose data have fewer boxes."""
    model = make_model(("docker", "libvirt/tcg"), draws=40)
    entry = model.targets["docker"]
    measured = dict.fromkeys(entry.measured, (1,))
    few = model.model_copy(
        update={"targets": model.targets | {"docker": entry.model_copy(update={"measured": measured})}}
    )
    spec = replace(_HOST, hosts=1, keep_alive_ns=0)
    question = _fleet(variants=_PAIR[:1], spec=spec)
    within, beyond = (answer_fleet(_terms(model=one, beyond=True), question) for one in (model, few))
    assert max(one.times for one in within.distances) <= 1 < max(one.times for one in beyond.distances)
    for name, unit in (("fleet.delay_p99", "ns"), ("fleet.memory_in_hosts", "mean_hosts")):
        near, far = (_of(answer, name, "docker", unit).band for answer in (within, beyond))
        assert far.high95 > 1.05 * near.high95
        assert far.low95 <= near.low95
        assert far.middle == near.middle
        assert far.high95 / near.high95 > near.low95 / max(far.low95, 1e-12)


def test_the_same_seed_gives_the_same_answer(fleet: FleetAnswer) -> None:
    assert answer_fleet(_terms(), _fleet()) == fleet
    assert answer_fleet(_terms(seed=4), _fleet()) != fleet


def test_the_memory_of_a_box_is_what_moves_the_hosts() -> None:
    terms = _terms(draws=tuple(range(0, 40, 3)))
    fleet = answer_fleet(terms, _fleet(variants=_PAIR[1:], baseline="libvirt/tcg"))
    found = [one for one in fleet.influences if one.target == "libvirt/tcg"]
    assert fleet.influenced == "fleet.memory_in_hosts"
    assert _of(fleet, fleet.influenced, "libvirt/tcg").unit == "mean_hosts"
    # More CPU work lets more VMs boot side by side.
    share = {one.parameter: one.share for one in found}
    assert share["memory_slope"] > 0.25


def _kvm() -> Model:
    """The model, with VMs whose CPU is not emulated."""
    from tests.fleets import renamed

    return renamed(make_model(("docker", "libvirt/tcg"), draws=40), "libvirt/tcg", "libvirt/kvm")


_INSIDE = Variant(target="docker", inside=InVm(target="libvirt/kvm", cpus=2, memory_bytes=300 * MIB))


def test_containers_in_vms_need_hosts_for_whole_vms() -> None:
    variants = (Variant(target="docker"), _INSIDE)
    answer = answer_fleet(_terms(model=_kvm(), beyond=True), _fleet(variants=variants))
    assert _INSIDE.label == "docker in libvirt/kvm"
    needed = _of(answer, "fleet.hosts_needed", _INSIDE.label, "hosts").band.middle
    assert needed >= _of(answer, "fleet.hosts_needed", "docker", "hosts").band.middle
    assert any(
        line.startswith("docker in libvirt/kvm: VMs of 2 CPUs and 300 MiB are always on") for line in answer.assumed
    )


def test_a_headline_says_how_many_hosts_the_autoscaler_has_on_and_how_many_invocations_wait() -> None:
    scaler = Autoscaler(least=1, target=0.7, every_ns=SECOND, delay_ns=20 * SECOND, cooldown_ns=3 * SECOND)
    spec = replace(_HOST, hosts=20, memory_bytes=600 * MIB, autoscaler=scaler)
    answer = answer_fleet(_terms(draws=(0,)), _fleet(variants=_PAIR[1:], baseline="libvirt/tcg", spec=spec))
    on = _of(answer, "fleet.mean_hosts_on", "libvirt/tcg").band.middle
    waited = _of(answer, "fleet.waited_share", "libvirt/tcg").band.middle
    assert on < 19
    assert waited > 0
    text = in_unit(on, "mean_hosts")
    assert f"On your fleet of 20 hosts (the autoscaler has on average {text} on in libvirt/tcg) " in answer.headline
    assert f"{waited:.1%} are without a host with room at first in libvirt/tcg" in answer.headline


def test_vms_are_always_on_and_take_their_memory() -> None:
    scaler = Autoscaler(least=1, target=0.7, every_ns=SECOND, delay_ns=2 * SECOND, cooldown_ns=3 * SECOND)
    terms = _terms(model=_kvm(), beyond=True, draws=(0,))
    question = _fleet(variants=(Variant(target="docker"), _INSIDE), spec=replace(_HOST, autoscaler=scaler))
    answer = answer_fleet(terms, question)
    assert _of(answer, "fleet.mean_hosts_on", "docker").band.middle < 4
    assert _of(answer, "fleet.mean_hosts_on", _INSIDE.label).band.middle == 4
    packing = _INSIDE.packing(_HOST, terms.model, 0)
    taken = _of(answer, "fleet.mean_memory", _INSIDE.label, "bytes").band.middle
    assert taken == 4 * packing.per_host * packing.vm_bytes > 4 * packing.per_host * 300 * MIB
    wasted = _of(answer, "fleet.wasted_memory", _INSIDE.label, "bytes").band.middle
    assert 0.5 * taken < wasted < taken
    assert 0 < _of(answer, "fleet.stranded_share", _INSIDE.label).band.middle < 1


def test_boxes_in_vms_with_an_emulated_cpu_are_refused_as_storms_are() -> None:
    with pytest.raises(UsageError, match="--in-vm: libvirt/tcg has an emulated CPU, and the model does not know"):
        InVm(target="libvirt/tcg", cpus=2, memory_bytes=2**30)


def test_a_vm_that_does_not_fit_is_refused() -> None:
    inside = Variant(target="docker", inside=InVm(target="libvirt/kvm", cpus=2, memory_bytes=2**30))
    with pytest.raises(UsageError, match="too small for a VM"):
        answer_fleet(_terms(model=_kvm()), _fleet(variants=(inside,), baseline=inside.label))


def test_the_cost_is_of_hosts_that_are_on() -> None:
    prices = Prices(currency="EUR", source="a list", date=date(2026, 11, 1), cpu_hour=0.02, gib_hour=0.01)
    answer = answer_fleet(_terms(draws=(0,)), _fleet(prices=prices, variants=_PAIR[:1]))
    on = _of(answer, "fleet.mean_hosts_on", "docker").band.middle
    assert on == 4
    cost = _of(answer, "fleet.cost", "docker").band.middle
    assert _of(answer, "fleet.cost", "docker").currency == "EUR"
    assert "EUR, a list, 2026-11-01" in answer.groups[1].note
    needed = _of(answer, "fleet.hosts_needed", "docker").band.middle
    assert _of(answer, "fleet.cost_of_needed", "docker").band.middle == pytest.approx(cost * needed / 4)


def test_more_than_ten_times_beyond_the_data_is_refused() -> None:
    trace = random_trace(2, count=120, gap_ns=1000, duration_ns=3600 * SECOND)
    question = _fleet(trace=trace, variants=_PAIR[:1], spec=replace(_HOST, hosts=1, memory_bytes=8 * 2**30))
    with pytest.raises(NotInDataError, match="docker: 120 boxes are 15 times the most"):
        answer_fleet(_terms(draws=(0,)), question)


def test_longer_keep_alives_trade_memory_for_cold_starts(pool: PoolAnswer) -> None:
    for count in (0, 2):
        points = [one for one in pool.points if one.prewarmed == count]
        assert [one.keep_alive_ns for one in points] == [0, SECOND, 20 * SECOND]
        cold = [one.cold_share.middle for one in points]
        wasted = [one.wasted_memory.middle for one in points]
        assert cold == sorted(cold, reverse=True)
        assert wasted == sorted(wasted)
    assert pool.points[3].cold_share.middle < pool.points[0].cold_share.middle


def test_the_answer_is_about_the_last_point(pool: PoolAnswer) -> None:
    assert _of(pool, "pool.cold_share", "docker").band == pool.points[-1].cold_share
    assert "with boxes kept for 20.0 s and 2 pre-warmed, 99 % of the invocations begin within" in pool.headline


def test_a_snapshot_is_assumed_and_says_so() -> None:
    fast = Variant(target="docker", snapshot=Snapshot(start_ns=5_000_000, cpu_ns=2_000_000))
    answer = answer_pool(
        _terms(), _pool(variants=(Variant(target="docker"), fast), keep_alives_ns=(0,), prewarmed=(0,))
    )
    slow = _of(answer, "pool.cold_start", "docker", "ns").band
    assert _of(answer, "pool.cold_start", "docker from a snapshot", "ns").band.high95 < slow.low95
    assert (
        "docker from a snapshot: a start takes 5.00 ms, 2.00 ms of it CPU time, and no lock; assumed by you"
        in answer.assumed
    )


@pytest.mark.parametrize(("start_ns", "cpu_ns"), [(0, 0), (5, 6), (-1, -2)])
def test_a_snapshot_that_cannot_be_is_refused(start_ns: int, cpu_ns: int) -> None:
    with pytest.raises(UsageError, match="a start from a snapshot"):
        Snapshot(start_ns=start_ns, cpu_ns=cpu_ns)


def test_a_target_without_memory_is_left_out_and_named() -> None:
    from tests.fleets import without_memory

    model = without_memory(make_model(("docker", "libvirt/tcg"), draws=6), "docker")
    said: list[str] = []
    answer = answer_fleet(_terms(model=model, say=said.append), _fleet())
    assert {one.target for one in answer.quantities} == {"libvirt/tcg"}
    assert answer.unanswered == ("docker: the model does not know what a further box takes of the host's memory",)
    assert not any(line.startswith("docker") for line in said)


def test_a_model_that_can_answer_for_no_target_is_refused_before_any_run() -> None:
    from tests.fleets import without_memory

    model = without_memory(make_model(("docker", "libvirt/tcg"), draws=6), "docker")
    said: list[str] = []
    with pytest.raises(UsageError, match="docker: the model does not know") as caught:
        answer_fleet(_terms(model=model, say=said.append), _fleet(variants=_PAIR[:1]))
    assert "ask for -t libvirt/tcg" in caught.value.hint
    assert not said


def test_a_target_too_far_beyond_its_data_is_left_out_after_its_first_run() -> None:
    trace = random_trace(2, count=120, gap_ns=1000, duration_ns=3600 * SECOND)
    said: list[str] = []
    # 120 docker boxes start at once on one host; VMs find room for no more than 12 there.
    spec = replace(_HOST, hosts=12, memory_bytes=3 * 2**30)
    question = _fleet(trace=trace, spec=spec, baseline="docker")
    answer = answer_fleet(_terms(model=make_model(("docker", "libvirt/tcg"), draws=5), say=said.append), question)
    assert {one.target for one in answer.quantities} == {"libvirt/tcg"}
    assert len(answer.unanswered) == 1
    assert answer.unanswered[0].startswith("docker: 120 boxes")
    assert [line for line in said if line.startswith("docker")] == [
        "docker, your fleet: draw 1 of 3",
        "docker, the smallest fleet: draw 1 of 3",
    ]


def test_more_cpus_than_ten_times_the_data_are_refused_before_any_run() -> None:
    said: list[str] = []
    with pytest.raises(NotInDataError, match="docker: 64 CPUs"):
        answer_fleet(_terms(say=said.append), _fleet(spec=replace(_HOST, cpus=64)))
    assert not said


def test_one_host_that_is_enough_is_decided_by_nothing() -> None:
    answer = answer_fleet(_terms(draws=(0, 2)), _fleet(variants=_PAIR[:1]))
    assert {one.name for one in answer.bottlenecks if one.target == "docker"} == {"none"}
    assert "one host is enough for that in docker: nothing decides" in answer.headline
    assert answer.influences == ()


def test_the_limit_of_boxes_decides_where_it_is_what_runs_out() -> None:
    answer = answer_fleet(_terms(draws=(0, 2)), _fleet(variants=_PAIR[:1], spec=replace(_HOST, box_limit=3)))
    (limit,) = (one for one in answer.bottlenecks if one.target == "docker")
    assert limit.name == "hosts"
    assert "find no room: the limit of 3 boxes of a host is used up" in limit.reason


def test_a_limit_on_delays_is_decided_by_what_starts_wait_for() -> None:
    spec = replace(_HOST, keep_alive_ns=0, memory_bytes=8 * 2**30)
    trace = random_trace(2, count=60, gap_ns=SECOND // 50, duration_ns=SECOND)
    limit = Limit(delay_ns=SECOND)
    question = _fleet(trace=trace, variants=_PAIR[:1], spec=replace(spec, policy="spread"), limit=limit)
    answer = answer_fleet(_terms(draws=(0, 2)), question)
    (found,) = (one for one in answer.bottlenecks if one.target == "docker")
    assert found.name in ("CPU", "lock")
    assert "99 % begin within" in found.reason


def test_no_band_is_beyond_what_the_hosts_hold(fleet: FleetAnswer) -> None:
    model = make_model(("docker", "libvirt/tcg"), draws=40)
    most = max(
        4 * _HOST.most_boxes(Variant(target="libvirt/tcg").values(model, draw), 1 + 214 * MIB // 5000)
        for draw in (0, 2, 4)
    )
    boxes = _of(fleet, "fleet.peak_boxes", "libvirt/tcg").band
    assert boxes.high95 <= most
    assert _of(fleet, "fleet.mean_memory", "libvirt/tcg", "bytes").band.high95 <= 4 * 2**30
    for name in ("peak_hosts", "mean_hosts", "mean_hosts_on"):
        assert _of(fleet, f"fleet.{name}", "libvirt/tcg").band.high95 <= 4
    needed = _of(fleet, "fleet.hosts_needed", "libvirt/tcg", "hosts").band
    assert all(end == round(end) for end in (needed.low95, needed.low80, needed.high80, needed.high95))


def test_a_response_is_as_wide_as_the_start_delay_in_it(pool: PoolAnswer) -> None:
    """Beyond the data the delay may be longer than simulated, and never the trace's own duration."""
    shown = Shown(
        samples={
            "response_p50": np.array([2e9, 2e9, 2e9]),
            "delay_p50": np.zeros(3),
            "response_p99": np.array([3e9, 3e9, 3e9]),
            "delay_p99": np.array([1e9, 1e9, 1e9]),
        },
        weights=np.ones(3) / 3,
        wide=(Widening(up=0.5), Widening()),
        caps={},
    )
    assert shown.band("response_p50").high95 == 2e9
    more = shown.band("delay_p99").high95 - 1e9
    assert more > 1e9
    assert shown.band("response_p99").high95 == pytest.approx(3e9 + more)
    assert _of(pool, "pool.response_p50", "docker").band.low95 > 0


def test_what_is_never_served_is_never_and_no_ratio() -> None:
    spec = replace(_HOST, hosts=1, queue_limit=0, memory_bytes=600 * MIB, keep_alive_ns=0)
    variants = (Variant(target="docker"), Variant(target="libvirt/tcg"))
    answer = answer_pool(_terms(), _pool(spec=spec, variants=variants, keep_alives_ns=(0,), prewarmed=(0,)))
    band = _of(answer, "pool.delay_p99", "libvirt/tcg", "ns").band
    assert band.never == 1
    assert _of(answer, "pool.rejected_share", "libvirt/tcg").band.middle > 0.01
    assert "never in libvirt/tcg" in answer.headline
    assert not [one for one in answer.quantities if one.name == "pool.delay_p99" and one.unit == "ratio"]
    PoolAnswer.model_validate_json(answer.model_dump_json())


def test_a_band_of_which_a_part_is_never() -> None:
    found = band_with_never(np.array([1.0, 2.0, np.inf, 3.0]), np.array([0.25, 0.25, 0.25, 0.25]))
    assert (found.middle, found.low95, found.never) == (2.0, 1.0, 0.25)
    assert [end for end in ("low95", "low80", "middle", "high80", "high95") if found.is_never(end)] == [
        "high80",
        "high95",
    ]


def test_zeros_are_one_sentence(fleet: FleetAnswer, pool: PoolAnswer) -> None:
    smallest, mine = fleet.groups
    assert smallest.names == ("fleet.hosts_needed", "fleet.memory_in_hosts", "fleet.needed_delay_p99")
    assert "fleet.unserved_share" not in mine.names
    assert "fleet.delay_p99" in mine.names
    assert "stayed incomplete." in mine.note
    (one,) = pool.groups
    assert one.names[0] == "pool.delay_p99"
    assert one.note.startswith("No invocation waited for a host with room, was rejected or stayed incomplete.")


def test_the_trace_has_a_course_over_its_time(fleet: FleetAnswer, pool: PoolAnswer) -> None:
    names = {one.name for one in fleet.series}
    assert names == {"fleet.boxes_over_time", "fleet.hosts_over_time", "fleet.delay_over_time"}
    for one in (*fleet.series, *pool.series):
        assert len(one.at_ns) == len(one.bands)
        assert list(one.at_ns) == sorted(set(one.at_ns))
        assert one.at_ns[0] >= 0
    assert {one.name for one in pool.series} == {"pool.boxes_over_time", "pool.delay_over_time"}


def test_pre_warmed_boxes_for_which_there_is_no_room_are_refused() -> None:
    with pytest.raises(UsageError, match="docker: 1000000 pre-warmed boxes of each of 2 functions take"):
        answer_pool(_terms(), _pool(prewarmed=(0, 10**6)))


def test_hosts_that_are_mostly_down_are_noted() -> None:
    failures = Failures(mtbf_ns=SECOND, mttr_ns=600 * SECOND)
    answer = answer_fleet(_terms(draws=(0,)), _fleet(variants=_PAIR[:1], spec=replace(_HOST, failures=failures)))
    assert any(line.startswith("the fleet file: hosts are down for 100% of the time") for line in answer.assumed)


def test_the_cost_of_the_smallest_fleet_is_that_of_its_own_run() -> None:
    """One host has a backlog for long after the trace's end, four have none: both need the same hosts."""
    prices = Prices(currency="EUR", source="a list", date=date(2026, 11, 1), cpu_hour=0.02, gib_hour=0.01)
    found = []
    for hosts in (1, 4):
        spec = replace(_HOST, hosts=hosts, memory_bytes=600 * MIB)
        question = _fleet(variants=_PAIR[1:], baseline="libvirt/tcg", spec=spec, prices=prices)
        found.append(answer_fleet(_terms(draws=(0,)), question))
    one, four = (
        [_of(answer, name, "libvirt/tcg").band.middle for answer in found]
        for name in ("fleet.hosts_needed", "fleet.cost_of_needed")
    )
    assert one[0] == one[1] > 1
    assert four[0] == four[1] > 0
    waits = [_of(answer, "fleet.delay_p99", "libvirt/tcg", "ns").band.middle for answer in found]
    assert waits[0] > 2 * waits[1]


def _wide_and_narrow(*, beyond: bool) -> FleetAnswer:
    """40 boxes at once: on 40 hosts that spread them each has one, and one host holds them all."""
    trace = random_trace(2, count=40, gap_ns=1000, duration_ns=600 * SECOND)
    model = make_model(("docker", "libvirt/tcg"), draws=5)
    entry = model.targets["docker"]
    few = model.model_copy(
        update={
            "targets": model.targets
            | {"docker": entry.model_copy(update={"measured": {"boxes": (1, 2), "residents": (3,), "memory": (3,)}})}
        }
    )
    spec = replace(_HOST, hosts=40, memory_bytes=8 * 2**30, policy="spread")
    question = _fleet(trace=trace, variants=_PAIR[:1], spec=spec)
    return answer_fleet(_terms(model=few, draws=(0, 2), beyond=beyond), question)


def test_the_smallest_fleet_has_a_distance_and_a_widening_of_its_own() -> None:
    answer = _wide_and_narrow(beyond=True)
    asked = {(one.target, one.axis): one.asked for one in answer.distances}
    assert asked["docker", "memory"] == 1
    assert asked["docker, smallest fleet", "memory"] == 40
    assert any(line.startswith("docker, smallest fleet: 40 boxes") for line in answer.warnings)
    mine = _of(answer, "fleet.delay_p99", "docker", "ns").band
    smallest = _of(answer, "fleet.needed_delay_p99", "docker", "ns").band
    assert smallest.high95 / smallest.middle > 1.5 * mine.high95 / mine.middle


def test_the_smallest_fleet_is_refused_alone() -> None:
    answer = _wide_and_narrow(beyond=False)
    names = {one.name for one in answer.quantities}
    assert "fleet.delay_p99" in names
    assert "fleet.hosts_needed" not in names
    (line,) = answer.unanswered
    assert line.startswith("docker, smallest fleet: 40 boxes are 20 times the most that was measured")
    assert "how many hosts this trace needs is not answered (no invocation may wait for a host" in answer.headline
    assert "On your fleet of 40 hosts 99 % of the invocations begin within" in answer.headline


def test_a_target_that_cannot_keep_the_limit_is_named_and_the_others_are_answered() -> None:
    limit = Limit(delay_ns=4 * SECOND)
    spec = replace(_HOST, hosts=8, memory_bytes=4 * 2**30)
    answer = answer_fleet(_terms(), _fleet(spec=spec, limit=limit))
    assert _of(answer, "fleet.hosts_needed", "docker", "hosts").band.middle >= 1
    assert not [one for one in answer.quantities if (one.name, one.target) == ("fleet.hosts_needed", "libvirt/tcg")]
    (line,) = answer.unanswered
    assert re.fullmatch(
        r"libvirt/tcg: no number of hosts is enough with first-fit: on \d+ hosts 99 % begin within .* s, not 4\.00 s, "
        "and more hosts do not help with first-fit",
        line,
    )
    assert "In libvirt/tcg no number of hosts is enough with first-fit." in answer.headline
    # The fleet of the file is answered for both.
    assert _of(answer, "fleet.delay_p99", "libvirt/tcg", "ns").band.middle > 4 * SECOND


def test_a_limit_that_no_target_can_keep_cannot_be_answered() -> None:
    with pytest.raises(LimitError, match=r"docker: no number of hosts is enough.*; libvirt/tcg: no number") as caught:
        answer_fleet(_terms(draws=(0,)), _fleet(limit=Limit(delay_ns=1000)))
    assert caught.value.exit_code == ExitCode.CANNOT_TELL


def test_draws_that_cannot_keep_the_limit_are_never() -> None:
    terms = _terms(draws=tuple(range(0, 40, 4)))
    spec = replace(_HOST, hosts=8, memory_bytes=4 * 2**30)
    question = _fleet(variants=_PAIR[1:], baseline="libvirt/tcg", spec=spec)
    delays = answer_fleet(terms, question).quantities
    middle = next(one.band.middle for one in delays if one.name == "fleet.needed_delay_p99")
    answer = answer_fleet(terms, replace(question, limit=Limit(delay_ns=round(1.01 * middle))))
    band = _of(answer, "fleet.hosts_needed", "libvirt/tcg", "hosts").band
    assert 0 < band.never < 1
    assert band.is_never("high95")
    assert ", never] in libvirt/tcg" in answer.headline
    assert f"No number of hosts is enough in {band.never:.1%} of the draws in libvirt/tcg." in answer.headline
    FleetAnswer.model_validate_json(answer.model_dump_json())


def test_a_box_that_is_too_large_for_a_host_takes_away_its_target_alone() -> None:
    answer = answer_fleet(_terms(draws=(0,)), _fleet(spec=replace(_HOST, memory_bytes=200 * MIB)))
    assert {one.target for one in answer.quantities} == {"docker"}
    (line,) = answer.unanswered
    assert line.startswith("libvirt/tcg: a box of f0 takes ")
    pool = answer_pool(_terms(draws=(0,)), _pool(variants=_PAIR, spec=replace(_HOST, hosts=1, memory_bytes=200 * MIB)))
    assert {one.target for one in pool.points} == {"docker"}


def test_a_headline_says_what_is_never_complete_on_the_fleet_of_the_file() -> None:
    failures = Failures(stated=((10 * SECOND, 0, False),))
    spec = replace(_HOST, hosts=1, memory_bytes=4 * 2**30, failures=failures)
    answer = answer_fleet(_terms(draws=(0,)), _fleet(variants=_PAIR[:1], spec=spec))
    share = _of(answer, "fleet.unserved_share", "docker").band.middle
    assert share > 0.3
    assert "one host is enough for that in docker: nothing decides" in answer.headline
    assert f"fewer than 99 % of the invocations ever begin in docker; {share:.1%} are never complete" in answer.headline
    delays = next(one for one in answer.series if one.name == "fleet.delay_over_time")
    # Each window after the failure is marked, and has no delay.
    assert delays.none_ns
    assert min(delays.none_ns) >= 9 * SECOND
    assert not set(delays.none_ns) & set(delays.at_ns)


def test_vms_with_more_cpus_than_their_host_are_warned_of_and_count_no_cpu_twice() -> None:
    spec = replace(_HOST, hosts=2, cpus=2, memory_bytes=2 * 2**30)
    variants = (Variant(target="docker"), _INSIDE)
    terms = _terms(model=_kvm(), beyond=True, draws=(0,))
    answer = answer_fleet(terms, _fleet(variants=variants, spec=spec))
    vms = _INSIDE.packing(spec, terms.model, 0).per_host
    assert vms > 2
    assert answer.warnings[0].startswith(
        f"docker in libvirt/kvm: {vms} VMs of 2 CPUs on a host of 2 have {vms} times its"
    )
    shares = {one: _of(answer, "fleet.start_cpu_share", one).band.middle for one in ("docker", _INSIDE.label)}
    cpu = {one: _of(answer, "fleet.start_cpu", one, "cpu_ns").band.middle for one in shares}
    # Both are of 2 hosts of 2 CPUs.
    assert shares[_INSIDE.label] / shares["docker"] == pytest.approx(cpu[_INSIDE.label] / cpu["docker"], rel=0.2)
    hosts = _of(answer, "fleet.peak_hosts", _INSIDE.label).band.middle
    assert 0 < _of(answer, "fleet.mean_hosts", _INSIDE.label).band.middle <= hosts == 1
    roomy = answer_fleet(terms, _fleet(variants=variants, spec=replace(spec, cpus=2 * vms)))
    assert not any("times its CPUs" in line for line in roomy.warnings)


def test_a_limit_of_boxes_is_of_each_vm() -> None:
    spec = replace(_HOST, box_limit=3, memory_bytes=2 * 2**30)
    answer = answer_fleet(
        _terms(model=_kvm(), beyond=True, draws=(0,)), _fleet(variants=(_INSIDE,), baseline=_INSIDE.label, spec=spec)
    )
    assert any("limit of 3 boxes is of each VM" in line for line in answer.assumed)


def test_a_headline_says_that_some_draws_and_other_traces_keep_the_limit_on_no_hosts() -> None:
    """One host is enough in the other draws, so that nothing decides in most."""
    terms = _terms(draws=tuple(range(0, 40, 4)))
    spec = replace(_HOST, hosts=2, cpus=4, memory_bytes=8 * 2**30, keep_alive_ns=60 * SECOND)
    question = _fleet(trace=_LAW, variants=_PAIR[:1], spec=spec)
    plain = answer_fleet(terms, question)
    assert "one host is enough for that in docker: nothing decides" in plain.headline
    middle = _of(plain, "fleet.needed_delay_p99", "docker", "ns").band.middle
    answer = answer_fleet(terms, replace(question, limit=Limit(delay_ns=round(1.08 * middle))))
    hosts = _of(answer, "fleet.hosts_needed", "docker").band
    assert (hosts.low95, hosts.middle, hosts.high95) == (1, 1, 1)
    assert 0 < hosts.never < 0.5
    assert {one.name for one in answer.bottlenecks if one.target == "docker"} == {"none"}
    assert "nothing decides" not in answer.headline
    assert "this trace needs hosts: 1 [1, never] in docker; one host is enough in " in answer.headline
    assert f"No number of hosts is enough in {hosts.never:.1%} of the draws in docker." in answer.headline
    others = _of(answer, "fleet.hosts_elsewhere", "docker")
    changed = others.model_copy(update={"band": others.band.model_copy(update={"never": 0.45})})
    numbers = [changed if one == others else one for one in answer.quantities]
    stops = {one.target: one for one in answer.bottlenecks if one.target == "docker"}
    text = headline(question, numbers, stops, ())
    assert "Other traces of the same law need 1 [1, never] in docker." in text
    assert "No number of hosts is enough for 45.0% of such traces in docker." in text


def test_the_cost_of_the_smallest_fleet_is_as_wide_as_its_whole_hosts() -> None:
    """A widening that moves no whole host moves no cost, and one that moves a host moves the cost of that host."""

    def shown(hosts: list[float], up: float) -> Shown:
        whole = np.array(hosts)
        samples = {"hosts_needed": whole, "cost_of_needed": 0.1 * whole, "memory_in_hosts": whole - 0.5}
        wide = (Widening(), Widening(up=up, down=0.01))
        return Shown(samples=samples, weights=np.ones(3) / 3, wide=wide, caps={})

    assert shown([1, 1, 1], 2.0).band("hosts_needed").high95 > 1
    few = shown([2, 2, 2], 0.05)
    assert few.band("hosts_needed").high95 == 2
    assert few.band("cost_of_needed").high95 == pytest.approx(0.2)
    many = shown([20, 20, 20], 0.05)
    hosts = many.band("hosts_needed")
    cost = many.band("cost_of_needed")
    assert hosts.high95 > 20
    assert (cost.low95, cost.middle, cost.high95) == pytest.approx((0.1 * hosts.low95, 2.0, 0.1 * hosts.high95))
    # A ratio of costs is one of whole hosts, too.
    assert ratio_of(many, few, "cost_of_needed") is None
    assert ratio_of(many, many, "cost_of_needed") is not None


def test_few_whole_hosts_have_no_ratio() -> None:
    def shown(hosts: float) -> Shown:
        samples = {"hosts_needed": np.full(3, hosts), "memory_in_hosts": np.full(3, hosts)}
        return Shown(samples=samples, weights=np.ones(3) / 3, wide=(Widening(), Widening()), caps={})

    assert ratio_of(shown(20), shown(9), "hosts_needed") is None
    found = ratio_of(shown(20), shown(10), "hosts_needed")
    assert found is not None
    assert found.middle == 2


_LAW = open_trace("bursts:rate=1,duration=2s,length=2min,on=10s,off=20s", TraceOptions())


def test_a_law_gives_one_trace_to_all_draws_and_others_stand_in_a_row() -> None:
    terms = _terms(draws=(0, 2, 4, 6))
    question = _fleet(trace=_LAW, variants=_PAIR[1:], baseline="libvirt/tcg")
    answer = answer_fleet(terms, question)
    other = answer_fleet(replace(terms, draws=(0,)), question)
    assert answer.invocations == other.invocations
    assert {int(one.delay.sum()) for one in _results(terms, question)} == {answer.invocations}
    mine = _of(answer, "fleet.hosts_needed", "libvirt/tcg", "hosts").band
    others = _of(answer, "fleet.hosts_elsewhere", "libvirt/tcg", "hosts").band
    assert others.high95 - others.low95 > mine.high95 - mine.low95
    assert "Other traces of the same law need" in answer.headline


def _results(terms: Terms, question: FleetQuestion) -> list[FleetResult]:
    spec = replace(question.spec, hosts=64)
    variant = question.variants[0]
    return [one_run(terms, question, variant, spec, draw=draw, place=place) for place, draw in enumerate(terms.draws)]


def test_what_is_in_a_file_has_no_other_traces(fleet: FleetAnswer) -> None:
    assert not _fleet().is_random(_terms())
    assert _fleet(trace=_LAW).is_random(_terms())
    assert "fleet.hosts_elsewhere" not in {one.name for one in fleet.quantities}


def test_boxes_over_time_are_whole_and_those_at_the_ends_of_windows(fleet: FleetAnswer) -> None:
    boxes = next(one for one in fleet.series if one.name == "fleet.boxes_over_time" and one.target == "docker")
    assert boxes.at_ns[0] > 0
    assert boxes.at_ns[-1] == _TRACE.length_ns
    assert all(end == round(end) for band in boxes.bands for end in (band.low95, band.middle, band.high95))


def test_parts_of_a_cold_start_are_no_bounds(fleet: FleetAnswer) -> None:
    part = next(one for one in fleet.bottlenecks if one.target == "docker, a start")
    assert not part.bounds_ns
    assert part.name == max(part.parts_ns, key=lambda name: part.parts_ns[name])
    delay = (
        _of(fleet, "fleet.cold_delay", "docker", "ns").band
        if "fleet.cold_delay" in {one.name for one in fleet.quantities}
        else _of(fleet, "fleet.cold_start", "docker", "ns").band
    )
    assert delay.low95 <= sum(part.parts_ns.values()) <= delay.high95
