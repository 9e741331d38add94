"""Answers about pools and fleets: bands, paired ratios, what was assumed, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from bench.sim.answer.answer import Quantity
from bench.sim.answer.terms import Terms
from bench.sim.cost import Prices
from bench.sim.fleet.fleet_answer import FleetAnswer, FleetQuestion, answer_fleet
from bench.sim.fleet.pool_answer import PoolAnswer, PoolQuestion, answer_pool
from bench.sim.fleet.spec import FleetSpec
from bench.sim.fleet.variants import InVm, Snapshot, Variant
from bench.util.errors import NotInDataError, UsageError
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
    ratio = _of(fleet, "fleet.hosts_needed", "libvirt/tcg : docker")
    hosts = {target: _of(fleet, "fleet.hosts_needed", target, "hosts").band for target in ("docker", "libvirt/tcg")}
    assert hosts["libvirt/tcg"].middle > hosts["docker"].middle
    assert ratio.band.low95 <= hosts["libvirt/tcg"].middle / hosts["docker"].middle <= ratio.band.high95
    assert {one.name for one in fleet.bottlenecks if not one.target.endswith("a start")} == {"memory"}
    assert fleet.headline.startswith(
        "Simulated: no invocation may wait for a host with room, so this trace needs hosts: "
    )
    assert "decided by memory" in fleet.headline
    assert fleet.invocations == 60


def test_bands_widen_beyond_the_data_on_the_worse_side_only(fleet: FleetAnswer) -> None:
    far = [one for one in fleet.distances if one.axis == "memory" and one.target == "docker"]
    assert far
    band = _of(fleet, "fleet.delay_p99", "docker", "ns").band
    assert band.low95 <= band.low80 <= band.middle <= band.high80 <= band.high95


def test_the_same_seed_gives_the_same_answer(fleet: FleetAnswer) -> None:
    assert answer_fleet(_terms(), _fleet()) == fleet
    assert answer_fleet(_terms(seed=4), _fleet()) != fleet


def test_the_memory_of_a_box_is_what_moves_the_hosts(fleet: FleetAnswer) -> None:
    found = [one for one in fleet.influences if one.target == "libvirt/tcg"]
    assert max(found, key=lambda one: one.share).parameter == "memory_slope"


def test_containers_in_vms_need_hosts_for_whole_vms() -> None:
    inside = Variant(target="docker", inside=InVm(target="libvirt/tcg", cpus=2, memory_bytes=300 * MIB))
    answer = answer_fleet(_terms(beyond=True), _fleet(variants=(Variant(target="docker"), inside)))
    assert inside.label == "docker in libvirt/tcg"
    needed = _of(answer, "fleet.hosts_needed", inside.label, "hosts").band.middle
    assert needed >= _of(answer, "fleet.hosts_needed", "docker", "hosts").band.middle
    assert any(
        line.startswith("docker in libvirt/tcg: VMs of 2 CPUs and 300 MiB are always on") for line in answer.assumed
    )
    assert any("emulated CPU" in line for line in answer.left_out)


def test_a_vm_that_does_not_fit_is_refused() -> None:
    inside = Variant(target="docker", inside=InVm(target="libvirt/tcg", cpus=2, memory_bytes=2**30))
    with pytest.raises(UsageError, match="too small for a VM"):
        answer_fleet(_terms(), _fleet(variants=(inside,), baseline=inside.label))


def test_the_cost_is_of_hosts_that_are_on() -> None:
    prices = Prices(currency="EUR", source="a list", date=date(2026, 11, 1), cpu_hour=0.02, gib_hour=0.01)
    answer = answer_fleet(_terms(draws=(0,)), _fleet(prices=prices, variants=_PAIR[:1]))
    on = _of(answer, "fleet.mean_hosts_on", "docker").band.middle
    assert on == 4
    cost = _of(answer, "fleet.cost", "docker").band.middle
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


def test_a_target_without_memory_is_refused_before_any_run_and_the_others_are_named() -> None:
    model = make_model(("docker", "libvirt/tcg"), draws=6)
    entry = model.targets["docker"]
    kept = {name: value for name, value in entry.parameters.items() if not name.startswith("memory")}
    targets = model.targets | {"docker": entry.model_copy(update={"parameters": kept})}
    said: list[str] = []
    terms = _terms(model=model.model_copy(update={"targets": targets}), say=said.append)
    with pytest.raises(UsageError, match="docker: the model does not know") as caught:
        answer_fleet(terms, _fleet())
    assert "ask for -t libvirt/tcg" in caught.value.hint
    assert not said
