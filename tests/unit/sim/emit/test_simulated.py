"""Simulated campaigns: planned, recorded and analysed like others, and nothing in them that the model does not have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.analysis.analyse import analyse
from bench.analysis.residents import marginal_costs
from bench.analysis.storms import storm_values
from bench.plan.trials import build_plan
from bench.records.campaign import read_campaign, read_records
from bench.records.manifest import Manifest, read_manifest
from bench.records.record import Endpoint, Record
from bench.render.report import write_report
from bench.scenario.model import LoadedScenario, load_scenario
from bench.sim.emit.emission import emit
from bench.sim.emit.simulated import Choice, simulated_campaign
from bench.sim.model.file import model_digest, read_model
from bench.sim.model.values import target_values
from bench.sim.noise import factors
from bench.sim.starts import simulate_starts
from bench.util.errors import CampaignError, InterruptedCampaignError, NotInDataError, UsageError
from tests.unit.sim.emit.asked import Unwatched, load_small, make_request
from tests.unit.sim.emit.small import (
    MIB,
    MS,
    make_model,
    make_target,
    model_file,
)

STORMS = "factors: {concurrency: [1, 2, 4]}"
BOTH = ("docker", "libvirt/tcg")


def simulate(
    out: Path, *scenarios: LoadedScenario, seed: int = 7, boxes: tuple[str, ...] = BOTH, **choice: Any
) -> tuple[Manifest, tuple[Record, ...]]:
    """A campaign in ``out`` from the model beside it."""
    file = choice.pop("file", None) or model_file(out.parent)
    request = make_request(out, *scenarios, seed=seed)
    emit(simulated_campaign(request, Choice(file=file, boxes=boxes, **choice)), out, Unwatched())
    return read_campaign(out)


def numbers_of(records: tuple[Record, ...]) -> dict[str, dict[str, Any]]:
    """Everything of the records but what names the campaign, its plan's order and its date; by cell and block."""
    kept = {}
    for record in records:
        fields = record.model_dump(mode="json", exclude={"campaign", "started_at", "trial"})
        kept[f"{record.trial.cell.key} {record.trial.block}"] = fields
    return kept


@pytest.fixture(scope="module")
def storms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, tuple[Record, ...]]:
    place = tmp_path_factory.mktemp("storms")
    return simulate(place / "c", load_small(place / "s", STORMS))


def test_the_plan_is_that_of_a_campaign_of_boxes(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    manifest, records = storms
    assert {trial.cell.key for trial in manifest.plan} == {
        f"made/{box}{{concurrency={boxes}}}" for box in BOTH for boxes in (1, 2, 4)
    }
    first = manifest.plan[:6]
    cells = [trial.cell for trial in sorted(first, key=lambda trial: trial.cell.key)]
    shuffled = build_plan(cells, blocks={"made": 5}, warmups={"made": 1}, seed=7)
    assert {trial.id for trial in shuffled} == {trial.id for trial in manifest.plan}
    assert [trial.cell.key for trial in first] != sorted(trial.cell.key for trial in first), "blocks are shuffled"
    assert [trial.warmup for trial in manifest.plan] == [True] * 6 + [False] * 30
    assert [record.trial for record in records] == list(manifest.plan)


def test_records_say_simulated_and_hold_what_the_model_has(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    _, records = storms
    ends = {"docker": ["requested", "created", "init", "ready"], "libvirt": ["requested", "vmm", "kernel", "ready"]}
    for record in records:
        assert record.source == "simulated"
        boxes = int(record.trial.cell.factors["concurrency"])
        assert [member.number for member in record.members] == list(range(boxes))
        for member in record.members:
            assert list(member.endpoints_ns) == ends[record.trial.cell.target]
            assert list(member.endpoints_ns.values()) == sorted(member.endpoints_ns.values())
        assert set(record.cpu_ns) == {"start.total"}
        assert set(record.storm_ns) == {"host.busy", "host.all"}
        assert 0 < record.storm_ns["host.busy"] <= record.storm_ns["host.all"]
        stored = record.model_dump(exclude_defaults=True)
        assert set(stored) == {
            *("campaign", "trial", "source", "started_at", "outcome", "endpoints_ns", "cpu_ns", "members", "storm_ns")
        }


def test_a_trial_is_one_simulation_of_its_boxes(storms: tuple[Manifest, tuple[Record, ...]], tmp_path: Path) -> None:
    """Nothing stands between the model and the record but the simulator and the trial's own luck."""
    _, records = storms
    record = next(r for r in records if r.trial.cell.key == "made/docker{concurrency=4}" and r.trial.block == 3)
    values = target_values(read_model(model_file(tmp_path)), "docker", None)
    # Levels 1, 2 and 4 have the numbers 0, 1 and 2.
    noise = factors(values, seed=7, trial=3 * 3 + 2, block=3, boxes=4)
    starts = simulate_starts(values, cpus=2, scheduled_ns=np.zeros(4, np.int64), residents=0, noise=noise)
    for end, times in starts.times_ns.items():
        assert [member.endpoints_ns[end] for member in record.members] == times.tolist()
    assert record.cpu_ns["start.total"] == starts.cpu_ns


def test_boxes_of_a_storm_wait_for_each_other(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    manifest, records = storms
    found = analyse(manifest, records)
    last = {cell.key: found.summary(cell, "storm.ready.all_ns") for cell in found.cells("made")}
    middle = {key: one.median.value for key, one in last.items() if one is not None}
    # Two CPUs, and one lock: four boxes of 65 ms of work that is waited for and 20 ms under the lock.
    assert middle["made/docker{concurrency=4}"] > 1.7 * middle["made/docker{concurrency=1}"]
    assert middle["made/libvirt/tcg{concurrency=4}"] > 1.9 * middle["made/libvirt/tcg{concurrency=1}"]


def test_the_same_seed_gives_the_same_numbers(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", STORMS)
    again = [numbers_of(simulate(tmp_path / f"c{n}", scenario, seed=seed)[1]) for n, seed in enumerate((7, 7, 8))]
    assert again[0] == again[1]
    assert again[0] != again[2]


def test_other_targets_change_nobodys_luck(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", STORMS)
    both = numbers_of(simulate(tmp_path / "both", scenario)[1])
    alone = numbers_of(simulate(tmp_path / "alone", scenario, boxes=("docker",))[1])
    assert alone == {key: value for key, value in both.items() if key.startswith("made/docker")}


def test_boxes_have_luck_of_their_own_in_every_block(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    _, records = storms
    pairs = [r.members for r in records if r.trial.cell.key == "made/docker{concurrency=2}"]
    created = [tuple(m.endpoints_ns[Endpoint.CREATED] for m in members) for members in pairs]
    assert len({second / first for first, second in created}) == len(created)


def test_one_box_and_boxes_that_stay(tmp_path: Path) -> None:
    """The last of five boxes that stay starts beside four; memory follows the model's line."""
    scenario = load_small(tmp_path / "s", "factors: {residents: [1, 2, 4]}")
    manifest, records = simulate(tmp_path / "c", scenario, boxes=("docker",))
    for record in records:
        boxes = int(record.trial.cell.factors["residents"])
        assert record.ledger_bytes == {"fixed.once": 60 * MIB, "unreclaimable": boxes * 8 * MIB}
        assert not record.members
        assert list(record.endpoints_ns) == ["requested", "created", "init", "ready"]
    (cost,) = marginal_costs(analyse(manifest, records), "made")
    assert cost.unreclaimable.value == 8 * MIB
    assert (cost.intercept.value, cost.fixed) == (0, 60 * MIB)


def test_without_a_target_each_scenario_keeps_its_own(tmp_path: Path) -> None:
    """`simulated:model.json` for several scenarios, of which each asks for some of the model's targets."""
    one, other = (load_small(tmp_path / name, name=name, blocks=1) for name in ("one", "other"))
    text = other.text.replace("[process, docker, libvirt]", "[docker, runc]")
    (tmp_path / "other/scenario.yaml").write_text(text)
    manifest, _ = simulate(tmp_path / "c", one, load_scenario(tmp_path / "other"), boxes=())
    boxes = {name: {t.cell.box for t in manifest.plan if t.cell.scenario == name} for name in manifest.scenarios}
    assert boxes == {"one": set(BOTH), "other": {"docker"}}


def test_memory_that_is_not_in_the_model_is_absent(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", "factors: {residents: [1, 2]}", blocks=1)
    manifest, records = simulate(tmp_path / "c", scenario, beyond=True)
    assert {bool(r.ledger_bytes) for r in records if r.trial.cell.target == "libvirt"} == {False}
    assert "made: the memory of libvirt/tcg is not in the model." in manifest.notes


def test_the_manifest_says_what_it_was_made_from(tmp_path: Path) -> None:
    model = make_model()
    manifest, records = simulate(tmp_path / "c", load_small(tmp_path / "s", STORMS, blocks=1))
    assert manifest.origin is not None
    assert manifest.origin.source == "simulated"
    assert manifest.origin.digest == model_digest(read_model(tmp_path / "model.json"))
    assert manifest.origin.place == "../model.json"
    assert manifest.host["fingerprint"] == model.host.fingerprint
    assert manifest.host["cpus_online"] == 2
    assert set(manifest.targets) == set(BOTH)
    assert not manifest.images
    assert not manifest.certificates
    assert any(note.startswith("Simulated with the centre of the parameters (of 3 draws)") for note in manifest.notes)
    assert any("the model's workload, sha256:abc (c0ffee42" in note for note in manifest.notes)
    assert read_manifest(tmp_path / "c") == manifest
    assert {record.campaign for record in records} == {manifest.id}


def test_a_draw_is_another_world_with_the_same_luck(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", blocks=1)
    campaigns = {draw: simulate(tmp_path / f"c{draw}", scenario, boxes=("docker",), draw=draw) for draw in (None, 1, 2)}
    ready = {draw: [r.endpoints_ns[Endpoint.READY] for r in records] for draw, (_, records) in campaigns.items()}
    assert ready[None] == ready[1]
    assert [b / a for a, b in zip(ready[1], ready[2], strict=True)] == pytest.approx([1.1] * 2, rel=1e-6)
    manifest = campaigns[2][0]
    assert manifest.origin is not None
    assert manifest.origin.draw == 2
    assert any("draw 2 of the parameters" in note for note in manifest.notes)


def test_what_comes_after_the_time_limit_never_came(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", STORMS, timeout="1s")
    _, records = simulate(tmp_path / "c", scenario, boxes=("libvirt/tcg",))
    for record in records:
        assert record.outcome == "ok"
        assert {member.outcome for member in record.members} == {"timeout"}
        assert all(Endpoint.READY not in member.endpoints_ns for member in record.members)
        assert not record.cpu_ns
        assert f"lost:{len(record.members)}/{len(record.members)}" in record.doubts
        assert "storm.ready.all_ns" not in storm_values(record)


@pytest.mark.parametrize(
    ("lines", "choice", "words"),
    [
        ((), {"boxes": ("runc",)}, "has no target 'runc'"),
        ((), {"draw": 3}, "--draw 3: .* has the draws 0 to 2"),
        ((), {"seed": 2**63}, "--seed 9223372036854775808 is more than"),
        (("factors: {cpus: [1, 2]}",), {}, r"made: the model has no factor cpus \(1, 2\)"),
        (("factors: {cache: [warm, cold]}",), {}, r"the model has no factor cache \(warm, cold\)"),
        (("headline: gone",), {}, "made: the headline is gone, and the model of docker has created, init, ready"),
    ],
)
def test_what_the_model_lacks_is_one_error(
    tmp_path: Path, lines: tuple[str, ...], choice: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        simulate(tmp_path / "c", load_small(tmp_path / "s", *lines), **choice)
    assert caught.value.hint
    assert not (tmp_path / "c").exists(), "nothing is half written"


def test_a_missing_model_and_a_taken_directory_are_errors(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", blocks=1)
    with pytest.raises(UsageError, match=r"nope\.json"):
        simulate(tmp_path / "c", scenario, file=tmp_path / "nope.json")
    simulate(tmp_path / "c", scenario)
    with pytest.raises(CampaignError, match="exists and is not empty"):
        simulate(tmp_path / "c", scenario)


def test_far_beyond_the_data_is_refused_unless_told(tmp_path: Path) -> None:
    scenario = load_small(tmp_path / "s", "factors: {concurrency: [8, 41]}", blocks=1)
    with pytest.raises(NotInDataError, match=r"docker: 41 boxes .* 10\.2 times"):
        simulate(tmp_path / "c", scenario, boxes=("docker",))
    manifest, _ = simulate(tmp_path / "c", scenario, boxes=("docker",), beyond=True)
    assert any("made/docker{concurrency=8} is 2 times beyond the data" in note for note in manifest.notes)


def test_the_model_of_a_published_table_has_only_ready(tmp_path: Path) -> None:
    numbers = {"ready.delay": 480.0 * MS, "ready.hold_delay": 30.0 * MS}
    target = make_target((Endpoint.READY,), numbers, measured={"boxes": (1, 10)})
    model = make_model(
        targets={"kata-qemu": target},
        draws={"kata-qemu": {name: (value,) * 3 for name, value in numbers.items()}},
        host=make_model().host.model_copy(update={"fingerprint": None, "description": ""}),
    )
    file = model_file(tmp_path, model)
    scenario = load_small(tmp_path / "s", "factors: {concurrency: [1, 10]}")
    manifest, records = simulate(tmp_path / "c", scenario, boxes=(), file=file)
    assert {tuple(m.endpoints_ns) for r in records for m in r.members} == {("requested", "ready")}
    assert "fingerprint" not in manifest.host
    last = [max(m.endpoints_ns[Endpoint.READY] for m in r.members) for r in records if len(r.members) == 10]
    assert set(last) == {(480 + 10 * 30) * MS}
    assert "kata-qemu" in write_report(tmp_path / "c", png=False).text.read_text()


def test_a_report_of_all_kinds_of_trials_can_be_made(tmp_path: Path) -> None:
    both = load_small(tmp_path / "a", "factors: {concurrency: [2, 4], residents: [3]}", name="beside")
    many = load_small(tmp_path / "b", "factors: {residents: [1, 2, 4]}", name="many")
    one = load_small(tmp_path / "d", name="one")
    simulate(tmp_path / "c", both, many, one, beyond=True)
    report = write_report(tmp_path / "c", png=False)
    text, page = report.text.read_text(), report.page.read_text()
    for name in ("beside", "many", "one"):
        assert f"## {name} (simulated)" in text
    assert "Simulated: these numbers are computed by a model: no box ran." in page
    assert "fingerprint 5f1d0c2ab877" in page
    assert "each further box holds 8.00 MiB in docker" in text


def test_an_interrupted_campaign_says_that_it_is_not_complete(tmp_path: Path) -> None:
    class Interrupting(Unwatched):
        seen = 0

        def end(self, record: object) -> None:
            del record
            self.seen += 1
            if self.seen == 3:
                raise KeyboardInterrupt

    scenario = load_small(tmp_path / "s", blocks=2)
    emission = simulated_campaign(make_request(tmp_path / "c", scenario), Choice(file=model_file(tmp_path)))
    with pytest.raises(InterruptedCampaignError, match="3 of 6 trials have no record") as caught:
        emit(emission, tmp_path / "c", Interrupting())
    assert "--seed 7" in caught.value.hint
    assert len(read_records(tmp_path / "c")) == 3


def test_records_are_plain_lines_of_the_schema(storms: tuple[Manifest, tuple[Record, ...]]) -> None:
    _, records = storms
    assert all(json.loads(record.line())["source"] == "simulated" for record in records)
