"""What only one side has is told; stored baselines of every kind; one cell for an assertion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from bench.analysis.results import NotComparableError
from bench.export.jobsummary import summary
from bench.gate import icount_run as counted_module
from bench.gate.baseline import read_baseline
from bench.gate.icount_run import Watchers, run_counted
from bench.gate.measure import Silent, measure
from bench.gate.model import RESULT, GateResult
from bench.gate.request import GateRequest
from bench.gate.run import run_gate
from bench.gate.sides import Side, SidePair, read_side
from bench.instructions.model import FILE, Count, Instant, Instructions, write_instructions
from bench.plan.trials import Cell
from bench.records.campaign import RECORDS, read_records
from bench.records.manifest import read_manifest
from bench.records.record import Record
from bench.scenario.targets import split_labels
from bench.util.errors import BoxbenchWarning, ExitCode, UsageError
from tests.gates import FINGERPRINT, Campaigns, edit, install, of_side, scenario_at

READY: Final = "endpoint.ready_ns"


@pytest.fixture
def campaigns(monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    return install(monkeypatch)


def sides(tmp_path: Path, a: dict[str, Any], b: dict[str, Any], targets: str = "") -> SidePair:
    chosen = split_labels(targets) if targets else None
    places = [scenario_at(tmp_path / name, **more) for name, more in (("old", a), ("new", b))]
    return SidePair(read_side(str(places[0]), "A", chosen), read_side(str(places[1]), "B", chosen))


def gate(both: SidePair, out: Path, **more: Any) -> GateResult:
    return run_gate(GateRequest(sides=both, out=out, seed=1, **more), Silent(), lambda _questions, _blocks: None)


def alone(result: GateResult) -> list[str]:
    return [note for note in result.notes if note.startswith("only")]


def test_a_target_that_b_lacks_is_a_note(tmp_path: Path, campaigns: Campaigns) -> None:
    both = sides(tmp_path, {"targets": ["docker", "runc", "process"]}, {"targets": ["docker", "libvirt"]})
    result = gate(both, tmp_path / "g")
    a, b = both.a.label, both.b.label
    assert alone(result) == [
        f"only A ({a}) has runc, process: not compared",
        f"only B ({b}) has libvirt: not compared",
    ]
    assert {row.box for row in result.rows} == {"docker"}
    assert "has libvirt: not compared" in summary(result)
    # What will not be compared is not run either.
    scenarios = [loaded.scenario for request in campaigns.asked for loaded in request.scenarios]
    assert {tuple(spec.label for spec in scenario.targets) for scenario in scenarios} == {("docker",)}


def test_a_factor_level_that_b_lacks_is_a_note(tmp_path: Path, campaigns: Campaigns) -> None:
    one, two = ({"targets": ["docker"], "factors": {"cpus": levels}} for levels in ([1], [1, 2]))
    result = gate(sides(tmp_path, two, one), tmp_path / "g")
    assert alone(result) == [f"only A ({tmp_path / 'old'}) has docker{{cpus=2}}: not compared"]
    assert {row.box for row in result.rows} == {"docker{cpus=1}"}
    assert campaigns.asked


def test_equal_sides_have_no_notes(tmp_path: Path, campaigns: Campaigns) -> None:
    assert gate(sides(tmp_path, {}, {}), tmp_path / "g").notes == ()
    assert campaigns.asked


def stored(tmp_path: Path, both: SidePair) -> Path:
    gate(both, tmp_path / "stored")
    return tmp_path / "stored"


def b_of(both: SidePair, targets: str = "") -> SidePair:
    side: Side = read_side(both.b.label, "B", split_labels(targets) if targets else None)
    return SidePair(side, side)


def test_a_gate_that_was_green_at_once_is_a_baseline(tmp_path: Path, campaigns: Campaigns) -> None:
    both = sides(tmp_path, {}, {})
    path = tmp_path / "stored"
    gate(both, path, metrics=("memory.pss.total", "endpoint.ready"))
    assert not (path / "confirmation").exists(), "the boots are as quiet as these tests need them"
    result = gate(b_of(both), tmp_path / "g", baseline=path)
    assert {row.box for row in result.rows} == {"docker", "runc"}
    assert result.a is not None
    assert result.a.campaigns == (read_manifest(path / "screening").id,)
    assert campaigns.asked


def slow_docker(record: Record) -> Record:
    slower = of_side("b", "docker")
    return edit(record, endpoints_ns={k: 2 * v for k, v in record.endpoints_ns.items()}) if slower(record) else record


def test_a_cell_that_screening_settled_is_in_the_baseline_too(
    tmp_path: Path, campaigns: Campaigns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker is a candidate, so confirmation has docker alone; runc has its boots of screening."""
    monkeypatch.setattr(campaigns, "change", slow_docker)
    both = sides(tmp_path, {}, {})
    path = stored(tmp_path, both)
    confirmation = read_manifest(path / "confirmation")
    assert {trial.cell.target for trial in confirmation.plan} == {"docker"}
    found = read_baseline(path, here=FINGERPRINT)
    cells = [Cell(scenario="made-b", target=target, accel="native") for target in ("docker", "runc")]
    docker = {
        r.trial.block: r.endpoints_ns["ready"]  # type: ignore[index]
        for r in read_records(path / "confirmation")
        if r.trial.cell.key == cells[0].key and not r.trial.warmup
    }
    assert found.series(cells[0], READY) == docker
    assert len(found.series(cells[1], READY)) == 7
    assert found.campaigns == (read_manifest(path / "screening").id, confirmation.id)
    assert {row.box for row in gate(b_of(both), tmp_path / "g", baseline=path).rows} == {"docker", "runc"}


@pytest.mark.parametrize("stage", ["screening", "confirmation"])
def test_a_damaged_record_of_the_baseline_is_a_note(
    tmp_path: Path, campaigns: Campaigns, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(campaigns, "change", slow_docker)
    both = sides(tmp_path, {}, {})
    path = stored(tmp_path, both)
    file = path / stage / RECORDS
    first, rest = file.read_bytes().split(b"\n", 1)
    file.write_bytes(first[:40] + b"\xff\n" + rest)
    with pytest.warns(BoxbenchWarning, match="the line was left out"):
        gate(b_of(both), tmp_path / "g", baseline=path)
    notes = json.loads((tmp_path / "g" / RESULT).read_text())["notes"]
    (note,) = [note for note in notes if "the line was left out" in note]
    assert note.startswith("A's campaign: records.jsonl:1: ")


def test_cells_without_a_counterpart_in_the_baseline(tmp_path: Path, campaigns: Campaigns) -> None:
    both = sides(tmp_path, {"targets": ["docker", "process"]}, {"targets": ["docker", "process"]})
    path = stored(tmp_path, both)
    more = sides(tmp_path / "more", {}, {"targets": ["docker", "runc"]})
    result = gate(b_of(more), tmp_path / "g", baseline=path)
    assert alone(result) == [
        "only the baseline has process: not compared",
        f"only B ({more.b.label}) has runc: not compared",
    ]
    count = len(campaigns.asked)
    with pytest.raises(NotComparableError, match="runc: asked for by name, but A has no boots of it") as caught:
        gate(b_of(more, "docker,runc"), tmp_path / "h", baseline=path)
    assert caught.value.hint.startswith("A has docker")
    assert not (tmp_path / "h" / "screening" / "manifest.json").exists(), "told before anything ran"
    assert len(campaigns.asked) == count + 1
    # What was not asked for is no news.
    assert alone(gate(b_of(more, "docker"), tmp_path / "i", baseline=path)) == []


def counts() -> Instructions:
    cell = Cell(scenario="made", target="runc", accel="icount", factors={"start": "first"})
    count = Count(
        cell=cell, clocks=(7,), waits=(0,), steps=(Instant(name="exec", at=1), Instant(name="ready", at=7)), inputs={}
    )
    return Instructions(scenario="made", question="?", runs=1, counts=(count,))


def test_a_baseline_of_counts_needs_accel_icount(tmp_path: Path) -> None:
    for place in (tmp_path / "plain", tmp_path / "gate" / "b"):
        place.mkdir(parents=True)
        write_instructions(place / FILE, counts())
    (tmp_path / "gate" / RESULT).touch()
    (tmp_path / "plain" / FILE).rename(tmp_path / "plain" / "renamed.json")
    write_instructions(tmp_path / "plain" / FILE, counts())
    for path in (tmp_path / "plain", tmp_path / "plain" / FILE, tmp_path / "plain" / "renamed.json", tmp_path / "gate"):
        with pytest.raises(UsageError, match="holds counts of instructions") as caught:
            read_baseline(path, here=FINGERPRINT)
        assert "--accel icount" in caught.value.hint
    with pytest.raises(UsageError, match="not a campaign directory"):
        read_baseline(tmp_path, here=FINGERPRINT)


def test_a_counting_gate_notes_targets_of_one_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counted_module, "count_instructions", lambda _request, _say: counts())
    monkeypatch.setattr(counted_module, "room_of", lambda _loaded, _say: 0)
    monkeypatch.setattr(counted_module, "host_facts", dict)
    monkeypatch.setattr("bench.gate.counted.fingerprint", lambda _facts: "f")
    both = sides(tmp_path, {}, {"targets": ["runc"], "baseline": "runc"})
    (tmp_path / "g").mkdir()
    watchers = Watchers(Silent(), lambda _questions, _blocks: None, lambda _sentence: None)
    request = GateRequest(sides=both, out=tmp_path / "g", seed=1)
    result = run_counted(request, lambda _place, _counts: None, watchers)
    assert result.exit_code == ExitCode.OK
    assert result.notes == (f"only A ({both.a.label}) has docker: not compared",)


def test_one_cell_is_measured_and_several_are_refused_before_they_run(tmp_path: Path, campaigns: Campaigns) -> None:
    many = scenario_at(tmp_path / "many", factors={"cpus": [1, 2], "memory": ["64MiB", "128MiB"], "cache": "warm"})
    with pytest.raises(UsageError, match=r"cpus: 1, 2; memory: 64MiB, 128MiB\), so that a target is 4 cells") as caught:
        measure(many, target="docker", out=tmp_path / "c")
    assert "`factors: {cpus: 1, memory: 64MiB}`" in caught.value.hint
    assert campaigns.asked == []
    one = scenario_at(tmp_path / "one", factors={"cpus": [1]})
    found = measure(one, target="docker", blocks=5, out=tmp_path / "c")
    assert (len(found.values("endpoint.ready")), found.cell.factors) == (5, {"cpus": "1"})
