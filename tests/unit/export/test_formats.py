"""Exports of campaigns: what they hold, and that what has no packaged reader fits its published description."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from bench import cli
from bench.analysis.in_order import estimate
from bench.analysis.metrics import bigger_is_better
from bench.export import asv, otava
from bench.export.base import Export, ExportError, equal_counts, make_table, one_word
from bench.export.formats import FORMATS, export_from, kind_of
from bench.export.gotext import name_of, unit_of
from bench.plan.trials import Cell
from bench.records.record import Record
from bench.util.errors import UsageError
from tests import schemas
from tests.factories import make_manifest, make_records, write_campaign
from tests.gates import edit
from tests.histories import make_history
from tests.unit.render.test_failing import ALL, timed_out

PUBLISHED: Final = Path(__file__).parents[3] / "reports" / "published" / "2026-11-27-quickstart"
READY: Final = "endpoint.ready_ns"
CAMPAIGN_FORMATS: Final = [name for name, known in FORMATS.items() if known.source == "campaign"]
VM: Final = "hello/libvirt/tcg"


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """One time-out and one failure of the VM, in two scenarios."""
    manifest = make_manifest()
    return write_campaign(tmp_path / "c", manifest, make_records(manifest))


def one(export: Export) -> bytes:
    assert len(export.files) == 1
    return next(iter(export.files.values()))


@pytest.mark.parametrize("name", CAMPAIGN_FORMATS)
@pytest.mark.parametrize("where", ["made up", "published"])
def test_every_format_writes_every_campaign(name: str, where: str, campaign: Path) -> None:
    export = export_from(PUBLISHED if where == "published" else campaign, name)
    assert all(export.files.values()) or name == "github-action-benchmark"
    again = export_from(PUBLISHED if where == "published" else campaign, name)
    assert again == export, "the same campaign gives the same bytes"


def test_a_boot_that_failed_is_left_out_and_said(campaign: Path) -> None:
    table = make_table(*_read(campaign), metrics=[READY])
    libvirt = next(column for column in table.columns if column.cell.key == "hello/libvirt/tcg")
    assert (len(libvirt.values), libvirt.failures) == (6, 1)
    assert "hello/libvirt/tcg endpoint.ready_ns: 1 boots failed or timed out and are left out" in table.notes


def failing(path: Path, targets: Sequence[str], blocks: Sequence[int] = range(9)) -> Path:
    """A campaign of one scenario in which these targets time out in these blocks; block 0 is a warm-up."""
    manifest = make_manifest(["hello"])
    good, bad = make_records(manifest, troubles=False), timed_out(manifest, targets)
    records = [two if one.trial.block in blocks else one for one, two in zip(good, bad, strict=True)]
    return write_campaign(path, manifest, records)


@pytest.mark.parametrize("name", CAMPAIGN_FORMATS)
@pytest.mark.parametrize("target", ["docker", "libvirt"])
def test_every_format_survives_a_target_that_fails_entirely(name: str, target: str, tmp_path: Path) -> None:
    export = export_from(failing(tmp_path / "c", [target]), name)
    lost = next(cell for cell in ("hello/docker", VM) if target in cell)
    if FORMATS[name].censored:
        assert export.notes == ()
        return
    assert any(f"{lost} {READY}: 7 of 7 boots failed" in note for note in export.notes)
    text = b"".join(export.files.values()).decode()
    assert f"{lost} {READY}" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("name", CAMPAIGN_FORMATS)
def test_a_campaign_that_fails_entirely_is_a_table_or_an_error(name: str, tmp_path: Path) -> None:
    campaign = failing(tmp_path / "c", ALL)
    if FORMATS[name].censored:
        assert export_from(campaign, name).files
        return
    with pytest.raises(ExportError, match="all medians lie beyond the limit"):
        export_from(campaign, name)


def test_a_median_is_of_all_boots_and_never_the_survivors(tmp_path: Path) -> None:
    # Three of seven are lost: the slowest survivor is the median. Four are lost: there is none.
    known, lost = (
        failing(tmp_path / "known", ["libvirt"], (1, 2, 3)),
        failing(tmp_path / "lost", ["libvirt"], (1, 2, 3, 4)),
    )
    column = next(c for c in make_table(*_read(known), metrics=[READY]).columns if c.cell.key == VM)
    median = max(column.ordered)
    assert found_medians(known) == pytest.approx(dict.fromkeys(MEDIANS, median))
    assert found_medians(lost) == {}
    for name in MEDIANS:
        assert any(f"{VM} {READY}: 4 of 7 boots" in note for note in export_from(lost, name, metrics=[READY]).notes)


MEDIANS: Final = ("bencher", "github-action-benchmark", "hyperfine", "google-benchmark")


def found_medians(campaign: Path) -> dict[str, float]:
    """The VM's median as each format has it, in ns."""
    files = {name: export_from(campaign, name, metrics=[READY]).files for name in MEDIANS}
    bencher, hyperfine, google = (
        json.loads(files[name][file])
        for name, file in (
            ("bencher", "bencher.json"),
            ("hyperfine", "hyperfine.json"),
            ("google-benchmark", "google-benchmark.json"),
        )
    )
    action = json.loads(files["github-action-benchmark"]["customSmallerIsBetter.json"])
    found = [("bencher", bencher.get(VM, {}).get("endpoint-ready-ns", {}).get("value"))]
    found += [("github-action-benchmark", entry["value"]) for entry in action if VM in entry["name"]]
    found += [("hyperfine", entry["median"] * 1e9) for entry in hyperfine["results"] if VM in entry["command"]]
    found += [
        ("google-benchmark", row["real_time"])
        for row in google["benchmarks"]
        if VM in row["name"] and row.get("aggregate_name") == "median"
    ]
    return {name: value for name, value in found if value is not None}


def test_the_action_says_of_how_many_boots(tmp_path: Path) -> None:
    files = export_from(failing(tmp_path / "c", ["libvirt"], (1, 2, 3)), "github-action-benchmark").files
    entries = {entry["name"]: entry for entry in json.loads(files["customSmallerIsBetter.json"])}
    entry = entries[f"{VM} {READY}"]
    assert entry["extra"] == "median of 7 boots, 3 of them failed"
    assert entry["range"].endswith("∞)")


def test_notes_are_for_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(failing(tmp_path / "c", ["libvirt"])), "--format", "bencher"]
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["boxbench", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    out, err = capsys.readouterr()
    assert VM not in json.loads(out)
    assert f"note: {VM} {READY}: 7 of 7 boots failed or timed out, so the median lies beyond the limit; left out" in err


def test_equal_counts_cut_to_shared_blocks(campaign: Path) -> None:
    table = make_table(*_read(campaign), metrics=[READY])
    hello = [column for column in equal_counts(table.columns) if column.cell.scenario == "hello"]
    assert {column.cell.box: tuple(sorted(column.values)) for column in hello} == dict.fromkeys(
        ("process", "docker", "libvirt/tcg"), (1, 2, 4, 5, 6, 7)
    )


def test_boots_makes_campaigns_of_other_lengths_equal(campaign: Path) -> None:
    table = make_table(*_read(campaign), metrics=[READY], boots=5)
    assert {len(column.values) for column in table.columns} == {5}


def test_a_cut_keeps_what_failed_on_the_way(tmp_path: Path) -> None:
    campaign = failing(tmp_path / "c", ["libvirt"], (2, 3))
    column = next(c for c in make_table(*_read(campaign), metrics=[READY], boots=3).columns if c.cell.key == VM)
    assert (sorted(column.values), column.failures, column.last) == ([1, 4, 5], 2, 5)
    assert column.whole == estimate([*column.ordered, math.inf, math.inf])


@pytest.mark.parametrize(("lost", "columns"), [((2,), 1), ((2, 3, 4, 5), 0)])
def test_a_rate_of_boots_that_failed_is_no_value(lost: tuple[int, ...], columns: int, tmp_path: Path) -> None:
    """It counts as 0 for the median, and is not among the values."""
    rate = "exercise.get_per_s"
    failing(tmp_path / "c", ["docker"], lost)
    manifest, records = _read(tmp_path / "c")
    loaded = [edit(record, exercise={"get_per_s": 5.0}) if record.outcome == "ok" else record for record in records]
    table = make_table(manifest, loaded, metrics=[rate])
    found = [column for column in table.columns if column.cell.box == "docker"]
    assert len(found) == columns
    assert all(0 not in column.ordered and column.failures == len(lost) for column in found)
    assert any(note.startswith(f"hello/docker {rate}: {len(lost)} ") for note in table.notes)


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_tables_are_cut_too(name: str, tmp_path: Path) -> None:
    campaign = failing(tmp_path / "c", ["libvirt"], (2, 3))
    rows = table_rows(export_from(campaign, name, metrics=[READY, "memory.pss.total_bytes"], boots=3))
    blocks: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    for row in rows:
        blocks.setdefault((row["cell"], row["metric"]), []).append((int(row["block"]), str(row["censored"]) == "True"))
    assert {key: sorted(found) for key, found in blocks.items() if key[1] == READY} == {
        ("hello/process", READY): [(1, False), (2, False), (3, False)],
        ("hello/docker", READY): [(1, False), (2, False), (3, False)],
        (VM, READY): [(1, False), (2, True), (3, True), (4, False), (5, False)],
    }
    assert all(sum(not lost for _, lost in found) == 3 for found in blocks.values())
    assert len(table_rows(export_from(campaign, name, metrics=[READY]))) == 3 * 8


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_tables_hold_a_target_that_fails_entirely(name: str, tmp_path: Path) -> None:
    rows = [r for r in table_rows(export_from(failing(tmp_path / "c", ["libvirt"]), name)) if r["cell"] == VM]
    assert len(rows) == 8
    assert {row["value"] for row in rows} <= {"", None}


def table_rows(export: Export) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    content = one(export)
    if "boots.csv" in export.files:
        return list(csv.DictReader(io.StringIO(content.decode())))
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def test_a_campaign_without_a_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"campaign \w+ has no record") as caught:
        export_from(write_campaign(tmp_path / "c", make_manifest(), []), "csv")
    assert "boxbench resume" in caught.value.hint


def test_a_metric_nobody_has_is_an_error(campaign: Path) -> None:
    with pytest.raises(ExportError, match="no value of energy"):
        make_table(*_read(campaign), metrics=["energy.*"])


def test_bencher(campaign: Path) -> None:
    found = json.loads(one(export_from(campaign, "bencher")))
    jsonschema.validate(found, schemas.BENCHER)
    ready = found["hello/docker"]["endpoint-ready-ns"]
    assert ready["lower_value"] <= ready["value"] <= ready["upper_value"]


def test_the_action_gets_two_directions(campaign: Path) -> None:
    files = export_from(campaign, "github-action-benchmark", metrics=["endpoint.ready_ns", "memory.guest.*"]).files
    smaller, bigger = (json.loads(files[f"custom{way}IsBetter.json"]) for way in ("Smaller", "Bigger"))
    for found in (smaller, bigger):
        jsonschema.validate(found, schemas.ACTION_BENCHMARK)
    assert {entry["name"].split()[1] for entry in bigger} == {"memory.guest.available_bytes"}
    assert {entry["name"].split()[1] for entry in smaller} == {"endpoint.ready_ns", "memory.guest.total_bytes"}


def test_hyperfine(campaign: Path) -> None:
    export = export_from(campaign, "hyperfine")
    found = json.loads(one(export))
    jsonschema.validate(found, schemas.HYPERFINE)
    docker = next(result for result in found["results"] if result["command"] == "hello/docker endpoint.ready_ns")
    assert 0.1 < docker["min"] <= docker["median"] <= docker["max"] < 0.5, "seconds"
    assert len(docker["times"]) == len(docker["exit_codes"]) == 7
    assert any("no durations" in note and "memory.pss.total_bytes" in note for note in export.notes)


# Design document 14313 of the Go project, and its unit lines (issue 43744).
_CONFIGURATION: Final = re.compile(r"[a-z][^\sA-Z:]*:[ \t]+.*")
_UNIT: Final = re.compile(r"Unit \S+( \S+=\S+)+")
_RESULT: Final = re.compile(r"Benchmark([A-Z]\S*)?\s+[1-9]\d*(\s+[-+0-9.e]+\s+\S+)+")


def test_every_line_is_in_gos_grammar(campaign: Path) -> None:
    lines = one(export_from(campaign, "go")).decode().splitlines()
    kinds: dict[str, Callable[[str], Any]] = {
        "configuration": _CONFIGURATION.fullmatch,
        "unit": _UNIT.fullmatch,
        "result": _RESULT.fullmatch,
        "empty": lambda line: line == "",
    }
    found = [[name for name, matches in kinds.items() if matches(line)] for line in lines]
    assert all(len(names) == 1 for names in found), [
        line for line, names in zip(lines, found, strict=True) if len(names) != 1
    ]
    assert sum(names == ["result"] for names in found) == 2 * 3 * 7 - 2
    values = [float(word) for line in lines if line.startswith("Bench") for word in line.split()[2::2]]
    assert min(values) >= 0


def test_a_name_is_one_word_with_parts() -> None:
    cell = Cell(scenario="my api", target="libvirt[console=serial]", accel="kvm", factors={"cache": "a/b"})
    assert name_of(cell) == "BenchmarkMy_api/box=libvirt[console=serial]-kvm/cache=a-b"
    assert unit_of("endpoint.ready_ns") == "endpoint.ready-ns"


def test_directions_are_one_and_the_same(campaign: Path) -> None:
    metrics = [READY, "memory.guest.*"]
    lines = one(export_from(campaign, "go", metrics=metrics)).decode().splitlines()
    directions = dict(line.split()[1:] for line in lines if line.startswith("Unit "))
    assert directions == {
        "endpoint.ready-ns": "better=lower",
        "memory.guest.total-bytes": "better=lower",
        "memory.guest.available-bytes": "better=higher",
    }
    assert bigger_is_better("exercise.requests_per_s")
    assert not bigger_is_better("exercise.p99_ns")


def exercised(record: Record) -> Record:
    """With an exercise that went well, and a disk that was written to more or less than asked for."""
    speed, operations = 1000.0 + record.trial.block, 5000.0 + record.trial.block
    return record.model_copy(
        update={
            "exercise": {"requests_per_s": speed, "p99_ns": 1e6 + speed, "operations": operations},
            "disk_bytes": record.disk_bytes | {"host.written": (30 + 13 * record.trial.block) * 2**20},
        }
    )


@pytest.fixture
def exercise(tmp_path: Path) -> Path:
    manifest = make_manifest(["hello"])
    records = [exercised(record) for record in make_records(manifest, troubles=False)]
    return write_campaign(tmp_path / "e", manifest, records)


def test_go_is_told_that_rates_are_better_higher(exercise: Path) -> None:
    lines = one(export_from(exercise, "go", metrics=["exercise.*"])).decode().splitlines()
    # Operations are a fact about its course, neither good nor bad.
    assert sorted(line for line in lines if line.startswith("Unit ")) == [
        "Unit exercise.p99-ns better=lower",
        "Unit exercise.requests-per-s better=higher",
    ]
    assert any(" exercise.operations" in line for line in lines if line.startswith("Bench"))


def test_pyperf_holds_fractions(exercise: Path) -> None:
    found = json.loads(one(export_from(exercise, "pyperf", metrics=["disk.*"])))
    suite = {entry["metadata"]["name"]: entry for entry in found["benchmarks"]}
    values = [value for run in suite[f"{VM} disk.write_amplification"]["runs"] for value in run["values"]]
    assert values == pytest.approx([(30 + 13 * block) / 64 for block in range(1, 8)])
    written = [value for run in suite[f"{VM} disk.host.written_bytes"]["runs"] for value in run["values"]]
    assert all(isinstance(value, int) for value in written)


def test_pyperf_is_given_no_empty_values(tmp_path: Path) -> None:
    manifest = make_manifest(["hello"]).model_copy(update={"boxbench": ""})
    campaign = write_campaign(
        tmp_path / "e", manifest, [exercised(record) for record in make_records(manifest, troubles=False)]
    )
    found = json.loads(one(export_from(campaign, "pyperf", metrics=["disk.*"])))
    assert "boxbench_version" not in found["metadata"] | found["benchmarks"][0].get("metadata", {})


def test_pyperf_is_not_given_what_it_would_call_slower(exercise: Path) -> None:
    export = export_from(exercise, "pyperf", metrics=["exercise.*"])
    assert b"requests_per_s" not in one(export)
    assert b"p99_ns" in one(export)
    assert "exercise.requests_per_s: more is better, which pyperf would call slower; left out" in export.notes
    with pytest.raises(ExportError, match=r"more is better of exercise\.requests_per_s"):
        export_from(exercise, "pyperf", metrics=["exercise.*_per_s"])


def test_words_keep_their_looks_and_never_collide() -> None:
    assert one_word("hello/docker", "-") == "hello-docker"
    assert one_word("hello/libvirt/tcg", "_") == "hello_libvirt_tcg"
    paths = (
        "a/vm[kernel=/boot/a]",
        "a/vm[kernel=/boot-a]",
        "a/vm[kernel=-boot/a]",
        "a/vm{kernel=/boot/a}",
        "a-vm",
        "a/vm",
    )
    for joint in "-_":
        words = [one_word(path, joint) for path in paths]
        assert len(set(words)) == len(paths)
        assert all(word.replace(joint, "").isalnum() for word in words)
    assert len(one_word("a/vm[kernel=/" + "x" * 300 + "]", "-")) < 100


@pytest.mark.parametrize(
    "name", [lambda key: asv.name_of(key, READY), lambda key: otava.test_name("5f1d0c2ab877", key)]
)
def test_cells_with_paths_have_names_of_their_own(name: Callable[[str], str]) -> None:
    keys = [f"hello/microvm[kernel={path}]/tcg" for path in ("/boot/a", "/boot-a", "/boot_a", "/boot.a")]
    assert len({name(key) for key in keys}) == len(keys)


def test_otava_is_told_directions() -> None:
    (line,) = make_history([100.0])
    cells = {cell: points | {"exercise.requests_per_s": points[READY]} for cell, points in line.cells.items()}
    text = otava.export([line.model_copy(update={"cells": cells})]).files[otava.CONFIG].decode()
    (test,) = yaml.safe_load(text)["tests"].values()
    assert {name: found["direction"] for name, found in test["metrics"].items()} == {
        READY: -1,
        "exercise.requests_per_s": 1,
    }


def test_go_names_of_paths_do_not_collide() -> None:
    names = {
        name_of(Cell(scenario="a", target=f"libvirt[kernel={path}]", accel="kvm")) for path in ("/boot/a", "/boot-a")
    }
    assert len(names) == 2


def test_csv_has_no_number_where_there_was_none(campaign: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(one(export_from(campaign, "csv")).decode())))
    lost = [row for row in rows if row["censored"] == "True"]
    assert lost
    assert {row["value"] for row in lost} == {""}
    assert all(float(row["value"]) > 0 for row in rows if row["censored"] == "False" and row["metric"] == READY)


def test_parquet_is_typed(campaign: Path) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(one(export_from(campaign, "parquet"))))
    assert str(table.schema.field("value").type) == "double"
    assert table.schema.metadata[b"boxbench.fingerprint"] == b"5f1d0c2ab877"
    lost = [row for row in table.to_pylist() if row["censored"]]
    assert lost
    assert all(row["value"] is None for row in lost)


def test_the_wrong_kind_of_directory_is_told(campaign: Path, tmp_path: Path) -> None:
    assert kind_of(campaign) == "campaign"
    with pytest.raises(ExportError, match="made from a gate's directory") as caught:
        export_from(campaign, "junit")
    assert "pyperf" in caught.value.hint
    with pytest.raises(ExportError, match="neither a campaign nor a gate") as caught:
        export_from(tmp_path / "nothing", "pyperf")
    assert "name the directory" in caught.value.hint
    with pytest.raises(UsageError, match="no export format 'xls'"):
        export_from(campaign, "xls")


def _read(path: Path) -> tuple[Any, Any]:
    from bench.records.campaign import read_records
    from bench.records.manifest import read_manifest

    return read_manifest(path), read_records(path)
