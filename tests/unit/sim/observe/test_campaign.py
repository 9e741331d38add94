"""Campaigns as observations: which trials count, in what order endpoints are, and what cannot be put together."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.records.manifest import Manifest
from bench.records.record import Endpoint, Failure, Record
from bench.scenario.factors import Factors
from bench.sim.observe.boxes import boxes_of, endpoints_in_order
from bench.sim.observe.campaign import observe
from bench.util.errors import CampaignError, UsageError
from tests.factories import DOCKER, LIBVIRT, make_manifest, make_records, write_campaign
from tests.residents import DAEMON_MIB, MIB, make_residents
from tests.synthetic_models import make_values
from tests.synthetic_starts import make_storm_records, write_storms

Change = Callable[[Manifest, tuple[Record, ...]], tuple[Manifest, tuple[Record, ...]]]
FAILED = Failure(code="LaunchError", message="no", hint="look")


@pytest.fixture(scope="module")
def storms() -> tuple[Manifest, tuple[Record, ...]]:
    return make_storm_records({"docker": make_values("docker"), "libvirt/tcg": make_values("libvirt/tcg")}, blocks=3)


def test_storms_are_trials_by_target(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    found = observe([write_campaign(tmp_path / "a", *storms)])
    assert set(found.targets) == {"docker", "libvirt/tcg"}
    docker = found.targets["docker"]
    assert docker.goal is Endpoint.READY
    assert docker.endpoints == (Endpoint.CREATED, Endpoint.INIT, Endpoint.READY)
    # Three blocks and no warm-ups, at four levels.
    assert [trial.boxes for trial in docker.starts].count(8) == 3
    assert len(docker.starts) == 12
    eight = next(trial for trial in docker.starts if trial.boxes == 8)
    record = next(record for record in storms[1] if record.trial.cell.key == eight.cell and not record.trial.warmup)
    assert list(eight.times_ns[Endpoint.READY]) == [member.endpoints_ns[Endpoint.READY] for member in record.members]
    assert eight.cpu_ns == {"total": record.cpu_ns["start.total"], "box": record.cpu_ns["start.box"]}
    assert eight.residents == 0
    assert len({trial.digest for trial in docker.starts}) == 12
    [source] = found.sources
    assert (source.host, source.cpus, source.memory_bytes) == ("5f1d0c2ab877", 2, 8_326_316_032)


def test_single_boots_count_as_storms_of_one(tmp_path: Path) -> None:
    manifest = make_manifest(("hello",), (DOCKER, LIBVIRT))
    records = make_records(manifest, (DOCKER, LIBVIRT), troubles=False)
    docker = observe([write_campaign(tmp_path / "a", manifest, records)]).targets["docker"]
    assert {(trial.boxes, trial.residents) for trial in docker.starts} == {(1, 0)}
    # The call returns after the box's first mark in this target, always: it is a stage's end.
    assert docker.endpoints == (
        Endpoint.CREATED,
        Endpoint.INIT,
        Endpoint.EXEC,
        Endpoint.START_RETURNED,
        Endpoint.READY,
    )
    assert len(docker.starts) == 7


def test_residents_are_memory_and_a_start_beside_the_others(tmp_path: Path) -> None:
    manifest, records = make_residents([(DOCKER, 20.0, 5.0)], levels=(1, 4), blocks=3)
    docker = observe([write_campaign(tmp_path / "a", manifest, records)]).targets["docker"]
    assert {(trial.boxes, trial.residents) for trial in docker.starts} == {(1, 0), (1, 3)}
    assert {trial.boxes for trial in docker.memory} == {1, 4}
    for trial in docker.memory:
        assert trial.used_bytes == pytest.approx((20 + 5 * trial.boxes) * MIB, abs=MIB)
        assert trial.daemons_bytes == DAEMON_MIB * MIB


def test_a_lost_box_never_got_there(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    manifest, records = storms
    at = next(
        n for n, one in enumerate(records) if one.trial.cell.factors["concurrency"] == "4" and not one.trial.warmup
    )
    lost = records[at].members[2].model_copy(update={"outcome": "timeout", "failure": FAILED})
    members = (*records[at].members[:2], lost, records[at].members[3])
    changed = records[at].model_copy(update={"members": members})
    path = write_campaign(tmp_path / "a", manifest, [*records[:at], changed, *records[at + 1 :]])
    target = observe([path]).targets[changed.trial.cell.box]
    trial = next(
        one for one in target.starts if one.cell == changed.trial.cell.key and one.block == changed.trial.block
    )
    assert math.isinf(trial.times_ns[Endpoint.READY][2])
    assert math.isfinite(trial.times_ns[Endpoint.INIT][2])
    assert trial.cpu_ns == {}


def test_failed_trials_and_cold_starts_are_left_out_and_said(
    storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path
) -> None:
    manifest, records = storms
    last = records[-1].model_copy(update={"outcome": "failed", "failure": FAILED})
    found = observe([write_campaign(tmp_path / "a", manifest, [*records[:-1], last])])
    assert found.left_out == (f"1 trial: {last.trial.cell.key} gave no result (failed)",)
    assert sum(len(target.starts) for target in found.targets.values()) == 23
    path = write_campaign(tmp_path / "a", manifest, [*records[:-1], last])
    (other,) = set(found.targets) - {last.trial.cell.box}
    assert observe([path], targets=[other]).left_out == ()


def test_several_campaigns_have_blocks_and_sittings_of_their_own(tmp_path: Path) -> None:
    values = {"docker": make_values("docker")}
    one = write_storms(tmp_path / "a", values, blocks=2, seed=1)
    manifest, records = make_storm_records(values, blocks=2, seed=2)
    other = write_campaign(
        tmp_path / "b",
        manifest.model_copy(update={"id": "deadbeef"}),
        [record.model_copy(update={"campaign": "deadbeef"}) for record in records],
    )
    docker = observe([one, other]).targets["docker"]
    assert {trial.block for trial in docker.starts} == {1, 2, 4, 5}
    assert {trial.sitting for trial in docker.starts} == {0, 1}
    assert {trial.source for trial in docker.starts} == {0, 1}
    with pytest.raises(UsageError, match="is the campaign c0ffee42 again"):
        observe([one, one])


def test_targets_and_scenarios_can_be_chosen(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    path = write_campaign(tmp_path / "a", *storms)
    assert set(observe([path], targets=["libvirt"]).targets) == {"libvirt/tcg"}
    assert set(observe([path], targets=["libvirt/tcg"]).targets) == {"libvirt/tcg"}
    assert set(observe([path], scenarios=["hello"]).targets) == {"docker", "libvirt/tcg"}
    with pytest.raises(UsageError, match="nothing was measured of target 'podman'") as caught:
        observe([path], targets=["podman"])
    assert "docker, libvirt/tcg" in caught.value.hint
    with pytest.raises(UsageError, match="there is no scenario 'web'"):
        observe([path], scenarios=["web"])


def _other_host(manifest: Manifest, records: tuple[Record, ...], **facts: Any) -> tuple[Manifest, tuple[Record, ...]]:
    changed = manifest.model_copy(update={"id": "deadbeef", "host": {**manifest.host, **facts}})
    return changed, tuple(record.model_copy(update={"campaign": "deadbeef"}) for record in records)


def test_another_host_is_refused(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    one = write_campaign(tmp_path / "a", *storms)
    other = write_campaign(tmp_path / "b", *_other_host(*storms, fingerprint="0123456789ab"))
    with pytest.raises(UsageError, match=r"of host 5f1d0c2ab877 and .* of host 0123456789ab") as caught:
        observe([one, other])
    assert "--host-change" in caught.value.hint
    assert len(observe([one, other], host_change=True).sources) == 2
    larger = write_campaign(tmp_path / "c", *_other_host(*storms, cpus_online=64))
    with pytest.raises(UsageError, match=r"a host with 2 CPUs and .* of one with 64"):
        observe([one, larger], host_change=True)


def test_other_workloads_are_refused(tmp_path: Path) -> None:
    manifest = make_manifest(("hello", "web"), (DOCKER,))
    path = write_campaign(tmp_path / "a", manifest, make_records(manifest, (DOCKER,), troubles=False))
    with pytest.raises(UsageError, match=r"(hello and web|web and hello) run different workloads") as caught:
        observe([path])
    assert "--scenario" in caught.value.hint
    web = observe([path], scenarios=["web"]).targets["docker"]
    assert web.goal is Endpoint.REPLIED
    assert web.endpoints[-1] is Endpoint.REPLIED


def test_other_sizes_of_boxes_are_refused(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    manifest, records = storms
    entry = manifest.scenarios["hello"]
    scenario = entry.scenario.model_copy(update={"factors": Factors(concurrency=(1, 2, 4, 8), memory=(2**28, 2**29))})
    changed = []
    for record in records:
        memory = "512MiB" if record.trial.block == 2 else "256MiB"
        cell = record.trial.cell.model_copy(update={"factors": {**record.trial.cell.factors, "memory": memory}})
        changed.append(record.model_copy(update={"trial": record.trial.model_copy(update={"cell": cell})}))
    plan = tuple(record.trial for record in changed)
    entries = {"hello": entry.model_copy(update={"scenario": scenario})}
    manifest = manifest.model_copy(update={"scenarios": entries, "plan": plan})
    with pytest.raises(UsageError, match=r"have 1 CPUs and 256 MiB, and those of .* 1 CPUs and 512 MiB"):
        observe([write_campaign(tmp_path / "a", manifest, changed)])


def test_two_accelerators_of_one_target_are_refused(
    storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path
) -> None:
    manifest, records = storms
    changed = []
    for record in records:
        trial = record.trial
        if trial.cell.target == "libvirt" and trial.block == 2:
            trial = trial.model_copy(update={"cell": trial.cell.model_copy(update={"accel": "kvm"})})
        changed.append(record.model_copy(update={"trial": trial}))
    manifest = manifest.model_copy(update={"plan": tuple(record.trial for record in changed)})
    path = write_campaign(tmp_path / "a", manifest, changed)
    with pytest.raises(UsageError, match=r"libvirt was measured with (tcg and with kvm|kvm and with tcg)"):
        observe([path])
    assert set(observe([path], targets=["docker", "libvirt/tcg"]).targets) == {"docker", "libvirt/tcg"}


def test_simulated_records_are_refused(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    manifest, records = storms
    path = write_campaign(
        tmp_path / "a", manifest, [record.model_copy(update={"source": "simulated"}) for record in records]
    )
    with pytest.raises(UsageError, match="has simulated records"):
        observe([path])
    assert set(observe([path], simulated=True).targets) == {"docker", "libvirt/tcg"}


def test_no_campaign(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="is not a campaign directory"):
        observe([tmp_path])
    with pytest.raises(UsageError, match="no campaign was named"):
        observe([])


def test_an_endpoint_whose_order_changes_ends_no_stage(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    record = next(one for one in storms[1] if one.trial.cell.target == "docker" and len(one.members) == 8)

    def at(returned_ns: int) -> Record:
        members = [
            member.model_copy(update={"endpoints_ns": {**member.endpoints_ns, Endpoint.START_RETURNED: returned_ns}})
            for member in record.members
        ]
        return record.model_copy(update={"members": tuple(members)})

    early = min(member.endpoints_ns[Endpoint.INIT] for member in record.members) - 1
    late = max(member.endpoints_ns[Endpoint.INIT] for member in record.members) + 1
    between = (Endpoint.CREATED, Endpoint.START_RETURNED, Endpoint.INIT, Endpoint.READY)
    assert endpoints_in_order([boxes_of(at(early))], Endpoint.READY) == between
    both = [boxes_of(at(early)), boxes_of(at(late))]
    assert endpoints_in_order(both, Endpoint.READY) == (Endpoint.CREATED, Endpoint.INIT, Endpoint.READY)
    assert endpoints_in_order([boxes_of(at(10**12))], Endpoint.READY)[-1] is Endpoint.READY


def test_an_instant_that_some_boxes_lack_ends_no_stage_and_is_said(
    storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path
) -> None:
    manifest, records = storms
    at = next(
        number
        for number, one in enumerate(records)
        if one.trial.cell.target == "docker" and one.members and not one.trial.warmup
    )
    first, *others = records[at].members
    endpoints = {end: ns for end, ns in first.endpoints_ns.items() if end is not Endpoint.INIT}
    changed = records[at].model_copy(
        update={"members": (first.model_copy(update={"endpoints_ns": endpoints}), *others)}
    )
    path = write_campaign(tmp_path / "a", manifest, [*records[:at], changed, *records[at + 1 :]])
    found = observe([path]).targets
    assert found["docker"].endpoints == (Endpoint.CREATED, Endpoint.READY)
    assert found["docker"].notes == ("1 of 45 boxes lack the instant `init`, so no stage of a start ends there.",)
    assert found["libvirt/tcg"].notes == ()
