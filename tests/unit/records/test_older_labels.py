"""Labels as older versions wrote them, ``docker[seccomp=False]``: known again in every file, and in what users type."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel, TypeAdapter

from bench.anatomy.model import CellAnatomy
from bench.explain.cells import load, pairs
from bench.explain.stored import StoredExplanation
from bench.floor.model import TargetFloor
from bench.gate.bounds import BoundEntry
from bench.gate.model import Bound, GateRow, Identity
from bench.history.acknowledge import Acknowledgement, matching
from bench.plan.trials import Cell
from bench.records.campaign import RECORDS
from bench.records.manifest import MANIFEST
from bench.records.record import parse_record
from bench.scenario.fields import canonical_label, older_label
from bench.scenario.targets import split_labels
from bench.sim.answer.terms import choose_baseline, find_target
from bench.sim.check.predict import ModelPredictor
from bench.sim.emit.labels import parse_made
from bench.sim.emit.replayed import read_stored
from bench.sim.model.file import model_text, read_model
from bench.sim.model.seal import SEAL, seal_of
from bench.sim.observe.boxes import digest_of
from bench.sim.observe.campaign import observe
from bench.sim.observe.table import observe_table, row_digest
from tests.factories import DOCKER, PROCESS, make_manifest, make_records, write_campaign
from tests.synthetic_models import make_model

OLD, NOW = "docker[seccomp=False]", "docker[seccomp=false]"


@pytest.fixture
def now(tmp_path: Path) -> Path:
    """A campaign as it is written now."""
    boxes = (PROCESS, replace(DOCKER, target=NOW))
    manifest = make_manifest(("hello",), boxes)
    return write_campaign(tmp_path / "now", manifest, make_records(manifest, boxes, troubles=False))


@pytest.fixture
def old(now: Path, tmp_path: Path) -> Path:
    """The same campaign as an older version wrote it."""
    (tmp_path / "old").mkdir()
    for name in (MANIFEST, RECORDS):
        text = (now / name).read_text(encoding="utf-8")
        assert NOW in text
        (tmp_path / "old" / name).write_text(text.replace(NOW, OLD), encoding="utf-8")
    return tmp_path / "old"


@pytest.mark.parametrize(
    ("now", "old"),
    [
        (NOW, OLD),
        ("web/libvirt[a=true,path=/True,b=false]/kvm", "web/libvirt[a=True,path=/True,b=False]/kvm"),
        (f"{NOW}, first start", f"{OLD}, first start"),
        (f"web/{NOW}{{flag=True,x=1}}", f"web/{OLD}{{flag=True,x=1}}"),
        ("web/docker{flag=True,x=false}", "web/docker{flag=True,x=false}"),
    ],
)
def test_only_truth_values_of_options_have_two_spellings(now: str, old: str) -> None:
    assert canonical_label(old) == canonical_label(now) == now
    assert older_label(old) == older_label(now) == old


def test_a_record_has_the_digest_of_its_line_in_the_file_of_its_time(old: Path, now: Path) -> None:
    lines = (old / RECORDS).read_bytes().splitlines(keepends=True)
    digests = [f"sha256:{hashlib.sha256(line).hexdigest()}" for line in lines]
    assert [digest_of(parse_record(line, where="old")) for line in lines] == digests
    again = (now / RECORDS).read_bytes().splitlines(keepends=True)
    assert [digest_of(parse_record(line, where="now")) for line in again] == digests


def test_a_model_knows_its_trials_and_targets_again(old: Path, now: Path, tmp_path: Path) -> None:
    used = {trial.digest for trial in observe([old], targets=[OLD]).targets[NOW].starts}
    assert used
    assert {trial.digest for trial in observe([now], targets=[NOW]).targets[NOW].starts} == used
    data = json.loads(model_text(make_model(("docker", "runc"), draws=3)).replace('"docker":', f'"{OLD}":'))
    data["sources"][0]["cells"] = [f"hello/{OLD}"]
    data[SEAL] = seal_of(json.dumps(data))
    (tmp_path / "model.json").write_text(json.dumps(data), encoding="utf-8")
    model = read_model(tmp_path / "model.json")
    assert set(model.targets) == set(model.draws) == {NOW, "runc"}
    assert model.sources[0].cells == (f"hello/{NOW}",)
    assert {parameter.kind for parameter in model.targets[NOW].parameters.values()} != {"assumed"}, "its seal is whole"
    assert ModelPredictor(model=model, seed=1).knows(NOW)
    assert find_target(model, OLD) == find_target(model, NOW) == NOW
    assert choose_baseline((NOW, "runc"), OLD) == NOW


def test_the_rows_of_a_table_are_known_again(tmp_path: Path) -> None:
    found = []
    for name, label in (("old.csv", OLD), ("now.csv", NOW)):
        (tmp_path / name).write_text(f"# cpus: 2\nruntime,n,median\n{label},1,100\n{label},2,150\n", encoding="utf-8")
        target = observe_table(tmp_path / name, targets=[OLD]).targets[NOW]
        found.append([row_digest(target.label, row) for row in target.rows])
    assert found[0] == found[1] == [row_digest(OLD, row) for row in target.rows]


@pytest.mark.parametrize("label", [OLD, NOW])
def test_names_that_a_user_types_are_read_in_both_spellings(label: str, old: Path, now: Path) -> None:
    assert split_labels(f"process, {label}") == ("process", NOW)
    for place in (old, now):
        assert {cell.target for cell in read_stored(place, boxes=[label]).cells} == {NOW}
        for name in (f"hello/{label}", label):
            ((a, b),) = pairs(f"{place}:process", f":{name}")
            assert (a.cell.target, b.cell.target) == ("process", NOW)
    assert [cell.target for cell in load(old).cells()] == [cell.target for cell in load(now).cells()]


def test_the_path_of_a_model_stays_as_it_is_typed() -> None:
    made = parse_made(split_labels(f"simulated:a[x=True]/model.json:{OLD}"))
    assert made is not None
    assert (made.given, made.boxes) == ("a[x=True]/model.json", (NOW,))


@pytest.mark.parametrize("label", [OLD, NOW])
def test_files_with_labels_are_read_in_both_spellings(label: str) -> None:
    assert BoundEntry(target=label, metric="endpoint.ready", max=1).target == NOW
    stored: dict[type[BaseModel], tuple[str, ...]] = {
        CellAnatomy: ("cell", "box"),
        TargetFloor: ("box",),
        StoredExplanation: ("a", "b"),
        GateRow: ("box", "cell_a", "cell_b"),
        Bound: ("cell",),
    }
    for model, names in stored.items():
        for name in names:
            field = TypeAdapter(model.model_fields[name].rebuild_annotation())
            assert field.validate_python(f"web/{label}") == f"web/{NOW}", (model, name)
    assert set(Identity(name="A", label="x", kind="commit", targets={label: {}}).targets) == {NOW}


@pytest.mark.parametrize(
    "pattern",
    ["kernel/docker[[]seccomp=False]", "kernel/docker[[]seccomp=false]", "*seccomp=F*", "kernel/docker?seccomp=Fal*"],
)
def test_an_accepted_change_stays_accepted(pattern: str) -> None:
    entry = Acknowledgement(commit="1a2b3c4", reason="known", cell=pattern)
    cell = Cell(scenario="kernel", target=OLD, accel="native").key
    assert list(matching([entry], cell, "m", "h", ["1a2b3c4d"])) == [entry]
    assert not list(matching([entry], "kernel/docker[seccomp=true]", "m", "h", ["1a2b3c4d"]))
