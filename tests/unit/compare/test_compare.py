"""Two campaigns beside each other: sure, open and refused differences, and what differs between them."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.analysis.stats import Estimate, Interval, RatioVerdict, unpaired_ratio
from bench.compare.compare import compare_campaigns, read_side
from bench.compare.model import Compared, ComparedRow
from bench.records.manifest import ImageEntry
from bench.render.commands.compare import (
    answer,
    check_comparison_place,
    comparison_json,
    view_compared,
    write_comparison,
)
from bench.util.errors import TooFewBootsError, UsageError
from tests.factories import DOCKER, LIBVIRT, PROCESS, Box, make_manifest, make_records, write_campaign

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
) -> Path:
    manifest = make_manifest([name], boxes, blocks=blocks).model_copy(update={"id": identity, **(change or {})})
    records = [
        record.model_copy(update={"campaign": identity})
        for record in make_records(manifest, boxes, seed=seed, troubles=False)
    ]
    return write_campaign(path, manifest, records)


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
    assert not found.no_ratios
    assert "hello/docker time to ready 1.4" in answer(found)
    assert ", sure" in answer(found)
    assert row_of(found, "docker", "disk.box.allocated_bytes").verdict is RatioVerdict.SAME, "the control wrote nothing"


def test_a_host_that_became_slower_makes_no_difference_sure(tmp_path: Path) -> None:
    everything = tuple(slower(box, 1.4) for box in STEADY)
    found = compared(write(tmp_path / "a"), write(tmp_path / "b", everything, identity="c0ffee43", seed=2))

    docker = row_of(found, "docker")
    assert docker.verdict is RatioVerdict.CANNOT_TELL
    assert "the control itself moved" in docker.doubt
    assert row_of(found, "process").verdict is RatioVerdict.SLOWER, "the control's own row says that it moved"
    assert "sure" not in answer(found)


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
    assert row["verdict"] == "slower"
    assert row["interval"][0] < row["ratio"] < row["interval"][1]
    assert value["a"]["campaign"] == "c0ffee42"


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
