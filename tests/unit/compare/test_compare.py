"""Two campaigns beside each other: sure, open and refused differences, and what differs between them."""

from __future__ import annotations

import io
import json
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.compare import TOLERANCE, ratio_verdict
from bench.analysis.estimates import Estimate, Interval, RatioEstimate
from bench.analysis.ratios import unpaired_ratio
from bench.analysis.results import Comparison
from bench.analysis.verdicts import RatioVerdict
from bench.cli.compare import compare
from bench.compare.compare import compare_campaigns, control_word, doubt_beside, read_side
from bench.compare.model import Compared, ComparedRow
from bench.plan.trials import Cell, build_plan
from bench.records.manifest import ImageEntry, ScenarioEntry
from bench.records.record import Record
from bench.render.commands.compare import (
    answer,
    check_comparison_place,
    comparison_json,
    view_compared,
    write_comparison,
)
from bench.scenario.model import Design
from bench.util.errors import TooFewBootsError, UsageError
from tests.factories import DOCKER, LIBVIRT, PROCESS, Box, make_manifest, make_record, make_records, write_campaign

STEADY = (replace(PROCESS, spread=0.01), replace(DOCKER, spread=0.01), replace(LIBVIRT, spread=0.01))
HOST = make_manifest(["hello"]).host


def slower(box: Box, factor: float) -> Box:
    return replace(box, instants_ms={name: at * factor for name, at in box.instants_ms.items()})


SLOW = (STEADY[0], slower(STEADY[1], 1.4), STEADY[2])


def write(
    path: Path,
    boxes: tuple[Box, ...] = STEADY,
    *,
    identity: str = "c0ffee42",
    name: str = "hello",
    blocks: int = 25,
    seed: int = 1,
    change: Mapping[str, object] | None = None,
    lost: int = 0,
) -> Path:
    """A campaign; the first ``lost`` boots of docker failed."""
    manifest = make_manifest([name], boxes, blocks=blocks).model_copy(update={"id": identity, **(change or {})})
    records = [
        (failed(record) if record.trial.cell.box == "docker" and record.trial.block <= lost else record).model_copy(
            update={"campaign": identity}
        )
        for record in make_records(manifest, boxes, seed=seed, troubles=False)
    ]
    return write_campaign(path, manifest, records)


def failed(record: Record) -> Record:
    """The boot, as one that never became ready."""
    rng = random.Random(1)
    return record if record.trial.warmup else make_record(record.trial, DOCKER, rng, trouble="timeout")


def compared(a: Path, b: Path) -> Compared:
    return compare_campaigns(read_side("A", a), read_side("B", b))


def row_of(found: Compared, box: str, metric: str = "endpoint.ready_ns") -> ComparedRow:
    return next(row for row in found.rows if row.cell.box == box and row.metric == metric)


def shown(found: Compared, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view_compared(found))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_difference_beyond_the_control_is_sure(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2))

    docker, control = row_of(found, "docker"), row_of(found, "process")
    assert (docker.verdict, docker.doubt) == (RatioVerdict.SLOWER, "")
    assert control.is_control
    assert control.verdict is RatioVerdict.SAME
    assert (control.control, docker.control) == ("stayed", None)
    assert not found.no_ratios
    assert "hello/docker time to ready 1.4" in answer(found)
    assert ", sure" in answer(found)
    assert row_of(found, "docker", "disk.box.allocated_bytes").verdict is RatioVerdict.SAME, "the control wrote nothing"


def test_a_host_that_became_slower_makes_no_difference_sure(tmp_path: Path) -> None:
    everything = tuple(slower(box, 1.4) for box in STEADY)
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", everything, identity="c0ffee43", seed=2))

    docker = row_of(found, "docker")
    assert docker.verdict is RatioVerdict.CANNOT_TELL
    assert "the control moved too, so the host ran at another speed" in docker.doubt
    assert row_of(found, "process").verdict is RatioVerdict.SLOWER, "the control's own row says that it moved"
    assert row_of(found, "process").control == "moved"
    assert "sure" not in answer(found)
    assert " sure" not in shown(found).partition("· ")[0], "a control is no result"


LEVELS = ("cold", "warm")


def write_levels(path: Path, levels: Mapping[str, tuple[str, ...]], *, longer: float = 1, identity: str) -> Path:
    """A campaign in which starts without a warm cache take ``longer`` times as long in every box."""
    cells = [
        Cell(scenario="hello", target=box.target, accel=box.accel, factors={"cache": level})
        for box in STEADY
        for level in levels[box.target]
    ]
    plan = build_plan(cells, blocks={"hello": 25}, warmups={"hello": 1}, seed=1)
    manifest = make_manifest(["hello"], STEADY, blocks=25).model_copy(update={"id": identity, "plan": plan})
    slow = tuple(slower(box, longer) for box in STEADY)
    usual, changed = (make_records(manifest, boxes, seed=len(identity), troubles=False) for boxes in (STEADY, slow))
    records = [
        (left if left.trial.cell.factors["cache"] == "warm" else right).model_copy(update={"campaign": identity})
        for left, right in zip(usual, changed, strict=True)
    ]
    return write_campaign(path, manifest, records)


def level_of(found: Compared, box: str, level: str) -> ComparedRow:
    rows = (row for row in found.rows if row.cell.factors["cache"] == level)
    return next(row for row in rows if row.cell.box.startswith(box) and row.metric == "endpoint.ready_ns")


def test_a_control_vouches_for_its_own_levels_alone(tmp_path: Path) -> None:
    levels = {box.target: LEVELS for box in STEADY}
    a = write_levels(tmp_path / "a", levels, identity="c0ffee42")
    found = compared(a, write_levels(tmp_path / "b", levels, longer=1.4, identity="c0ffee43"))

    assert level_of(found, "process", "cold").control == "moved"
    assert level_of(found, "process", "warm").control == "stayed"
    docker = level_of(found, "docker", "cold")
    assert docker.verdict is RatioVerdict.CANNOT_TELL
    assert "the control moved too" in docker.doubt
    assert level_of(found, "docker", "warm").verdict is RatioVerdict.SAME


def test_a_level_without_a_control_is_not_sure(tmp_path: Path) -> None:
    levels = {"process": ("warm",), "docker": ("absent",), "libvirt": ("absent",)}
    a = write_levels(tmp_path / "a", levels, identity="c0ffee42")
    found = compared(a, write_levels(tmp_path / "b", levels, longer=1.4, identity="c0ffee43"))

    docker = level_of(found, "docker", "absent")
    assert (docker.verdict, docker.doubt) == (RatioVerdict.CANNOT_TELL, "no control at this level")


def test_a_box_that_failed_in_a_has_no_ratio(tmp_path: Path) -> None:
    a = write(tmp_path / "a", lost=13)
    found = compared(a, write(tmp_path / "b", identity="c0ffee43", seed=2))

    docker = row_of(found, "docker")
    assert math.isinf(docker.a.median.value)
    assert docker.comparison is not None
    assert (docker.comparison.ratio, docker.verdict) == (None, RatioVerdict.CANNOT_TELL)
    assert docker.comparison.notes == ("no ratio: half of the boots or more failed in A",)
    assert "faster" not in answer(found)


@pytest.mark.parametrize(
    ("control", "box", "word", "is_believed"),
    [
        ((1.002, 1.012), (0.993, 1.01), "moved a bit", True),
        ((1.002, 1.012), (1.3, 1.5), "moved a bit", False),
        ((1.3, 1.5), (0.993, 1.01), "moved", False),
        ((0.99, 1.012), (0.993, 1.01), "stayed", True),
        ((0.99, 1.012), (1.3, 1.5), "stayed", True),
    ],
)
def test_a_control_that_counts_as_the_same_lets_others_be_the_same(
    control: tuple[float, float], box: tuple[float, float], word: str, is_believed: bool, tmp_path: Path
) -> None:
    made = row_of(compared(write(tmp_path / "a"), write(tmp_path / "b", identity="c0ffee43")), "docker").comparison
    assert made is not None

    def comparison(limits: tuple[float, float]) -> Comparison:
        interval = Interval(*limits, 0.95)
        verdict = ratio_verdict("endpoint.ready_ns", interval, TOLERANCE)
        return replace(made, ratio=RatioEstimate(math.sqrt(limits[0] * limits[1]), interval, 25), verdict=verdict)

    assert control_word(comparison(control)) == word
    doubt = doubt_beside(comparison(box), comparison(control))
    assert doubt == ("" if is_believed else "the control moved too, so the host ran at another speed")


@pytest.mark.parametrize("change", [{"settle": 10**10}, {"sample": None}, {"idle": 10**9}])
def test_another_reading_is_another_workload(change: Mapping[str, object], tmp_path: Path) -> None:
    entry = make_manifest(["hello"], STEADY, blocks=25).scenarios["hello"]
    design = entry.scenario.design.model_copy(update=change)
    scenarios = {"hello": replace_scenario(entry, design)}
    other = write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2, change={"scenarios": scenarios})

    assert "another workload" in row_of(compared(write(tmp_path / "a"), other), "docker").doubt


def replace_scenario(entry: ScenarioEntry, design: Design) -> ScenarioEntry:
    return entry.model_copy(update={"scenario": entry.scenario.model_copy(update={"design": design})})


def test_a_difference_as_large_as_the_controls_interval_is_not_sure(tmp_path: Path) -> None:
    loose = (replace(PROCESS, spread=0.9), slower(STEADY[1], 1.1), STEADY[2])
    a = write(tmp_path / "a", (replace(PROCESS, spread=0.9), *STEADY[1:]))
    found = compared(a, write(tmp_path / "b", loose, identity="c0ffee43", seed=2))

    assert row_of(found, "docker").verdict is RatioVerdict.CANNOT_TELL
    assert "not further than the control" in row_of(found, "docker").doubt


def test_without_a_control_nothing_is_sure(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a", STEADY[1:]), write(tmp_path / "b", SLOW[1:], identity="c0ffee43", seed=2))

    assert row_of(found, "docker").verdict is RatioVerdict.CANNOT_TELL
    assert "control" in row_of(found, "docker").doubt


def test_another_image_has_no_control(tmp_path: Path) -> None:
    image = ImageEntry(id="sha256:0", digest="cd" * 32, sizes_bytes={})
    other = write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2, change={"images": {"hello": image}})
    found = compared(write(tmp_path / "a"), other)

    assert "another workload" in row_of(found, "docker").doubt
    assert row_of(found, "process").control is None
    assert " sure" not in shown(found).partition("· ")[0]
    assert ("image of hello, files", "ab" * 6, "cd" * 6) in found.differences
    assert any("gate compare" in note for note in found.notes)


def test_the_only_scenarios_of_two_campaigns_are_compared_whatever_their_names(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", identity="c0ffee43", name="other", seed=2))

    assert {row.b.cell.scenario for row in found.rows} == {"other"}
    assert ("hello, name", "hello", "other") in found.differences


def test_two_hosts_stand_side_by_side_without_a_ratio(tmp_path: Path) -> None:
    host = {**HOST, "fingerprint": "aaaaaaaaaaaa", "cpus_online": 64}
    other = write(tmp_path / "b", STEADY[:2], identity="c0ffee43", change={"host": host})
    found = compared(write(tmp_path / "a"), other)

    assert "two hosts" in found.no_ratios
    assert all(row.comparison is None for row in found.rows)
    assert ("host", HOST["fingerprint"], "aaaaaaaaaaaa") in found.differences
    assert ("host, cpus online", "2", "64") in found.differences
    assert found.only_a == ("hello/libvirt/tcg",)
    text = shown(found)
    assert "×" not in text
    assert "never pooled" in text
    assert "in A, " in answer(found)


def test_mitigations_of_the_cpu_differ_line_by_line(tmp_path: Path) -> None:
    states = {"spectre_v1": "Mitigation: barriers", "retbleed": "Vulnerable"}
    sides = [states, {**states, "retbleed": "Mitigation: IBRS", "meltdown": "Mitigation: PTI"}]
    a, b = (
        write(tmp_path / name, identity=f"c0ffee4{name}", change={"host": {**HOST, "mitigations": side}})
        for name, side in zip("ab", sides, strict=True)
    )
    told = [one for one in compared(a, b).differences if "mitigations" in one.what]
    assert told == [
        ("host, mitigations, meltdown", "not affected, or unknown to its kernel", "Mitigation: PTI"),
        ("host, mitigations, retbleed", "Vulnerable", "Mitigation: IBRS"),
    ]


def test_simulated_campaigns_are_not_divided(tmp_path: Path) -> None:
    a = write(tmp_path / "a")
    manifest = make_manifest(["hello"], STEADY).model_copy(update={"id": "c0ffee43"})
    records = [
        record.model_copy(update={"campaign": "c0ffee43", "source": "simulated"})
        for record in make_records(manifest, STEADY, troubles=False)
    ]
    found = compared(a, write_campaign(tmp_path / "b", manifest, records))

    assert found.no_ratios.startswith("B is simulated")


def test_one_campaign_twice_and_nothing_in_common_are_refused(tmp_path: Path) -> None:
    a = write(tmp_path / "a")
    with pytest.raises(UsageError, match="one campaign, c0ffee42"):
        compared(a, a)
    with pytest.raises(UsageError, match="no box of one scenario in common"):
        compared(a, write(tmp_path / "b", (replace(PROCESS, target="runc"),), identity="c0ffee43"))


def test_the_terminal_keeps_words_and_columns_at_80(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2))

    text = shown(found)
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "process (control)" in text
    assert "slower [" in text


def test_the_directory_is_whole_and_can_be_replaced(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2))
    place = tmp_path / "out"

    page = write_comparison(found, place, command="boxbench compare a b -o out")
    first = {file.name: file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file()}
    check_comparison_place(place)
    write_comparison(found, place, command="boxbench compare a b -o out")

    assert {file.name: file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file()} == first
    assert {"index.html", "report.md", "comparison.json", "compare.svg", "compare.png"} <= first.keys()
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "What differs between them?" in text
    assert json.loads(first["comparison.json"])["answer"] == answer(found)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        check_comparison_place(tmp_path / "else")


def test_json_has_every_row(tmp_path: Path) -> None:
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2))

    value = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    row = next(one for one in value["rows"] if one["cell"] == "hello/docker" and one["metric"] == "endpoint.ready_ns")
    assert (row["verdict"], row["control_moved"]) == ("slower", None)
    assert {one["control_moved"] for one in value["rows"] if one["control"]} == {"stayed"}
    assert row["interval"][0] < row["ratio"] < row["interval"][1]
    assert value["a"]["campaign"] == "c0ffee42"


def test_json_writes_the_page_where_a_place_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = write(tmp_path / "a"), write(tmp_path / "b", identity="c0ffee43", seed=2)
    compare(a, b, out=tmp_path / "out", json=True)

    assert json.loads(capsys.readouterr().out)["a"]["campaign"] == "c0ffee42"
    assert (tmp_path / "out/index.html").is_file()


def test_a_hostile_value_changes_no_terminal(tmp_path: Path) -> None:
    evil = {"hello": ImageEntry(id="sha256:0", digest="\x1b[31m" + "e" * 30, sizes_bytes={})}
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", identity="c0ffee43", change={"images": evil}))

    assert "\x1b" not in shown(found)


def test_an_unpaired_ratio_joins_both_intervals() -> None:
    base = Estimate(100.0, Interval(90.0, 110.0, 0.95), 25)
    other = Estimate(200.0, Interval(180.0, 220.0, 0.95), 30)

    found = unpaired_ratio(base, other)
    low = 2 * math.exp(-math.hypot(math.log(200 / 180), math.log(110 / 100)))
    assert found.value == 2
    assert found.interval.low == pytest.approx(low)
    assert found.n == 25
    lost = unpaired_ratio(base, Estimate(math.inf, Interval(180.0, math.inf, 0.95), 30, 20))
    assert (lost.value, lost.interval.high) == (math.inf, math.inf)
    with pytest.raises(TooFewBootsError):
        unpaired_ratio(Estimate(100.0, None, 4), other)
    with pytest.raises(ValueError, match="above 0"):
        unpaired_ratio(Estimate(0.0, Interval(0.0, 0.0, 0.95), 7), other)
