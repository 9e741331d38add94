"""The search for a floor, with thresholds that are known, sharp and blurred; and what it says."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.agent.boxconf import BoxConfig
from bench.cli.report import report
from bench.floor.model import Level, Terms, levels_of, read_floors, write_floors
from bench.floor.run import _TargetSearch, find_floors
from bench.floor.search import Edge, find_edge, success_at_least
from bench.image.model import Image
from bench.plan.trials import Cell, Trial
from bench.records.campaign import read_records
from bench.records.record import Failure, Record
from bench.render.commands.floor import floor_markdown, floor_notes, floor_rows
from bench.run.box import Setting
from bench.run.session import Request
from bench.scenario.model import ReadyFirstLine, Scenario, load_scenario, narrowed
from bench.targets.base import Output
from bench.util.clock import VirtualClock
from bench.util.errors import CampaignError, ResultError, UsageError
from bench.util.package_data import scenarios_dir
from tests.floors import MIB, floors_of, found_floor
from tests.unit.run.test_campaign import Silent


def sharp(threshold: int) -> Callable[[int], bool]:
    return lambda level: level >= threshold


@pytest.mark.parametrize("threshold", range(1, 41))
def test_a_sharp_edge_is_found_exactly(threshold: int) -> None:
    edge = find_edge(sharp(threshold), lowest=1, highest=40, confirmations=3)
    assert edge.level == threshold
    assert edge.open_below == (threshold == 1)
    assert edge.tally[threshold] == (True, True, True)
    if threshold > 1:
        assert edge.tally[threshold - 1] == (False, False, False)


def test_few_tries_are_needed() -> None:
    edge = find_edge(sharp(77), lowest=1, highest=128, confirmations=3)
    assert sum(map(len, edge.tally.values())) <= 1 + 7 + 2 + 3


def test_when_the_largest_fails_there_is_no_floor() -> None:
    edge = find_edge(sharp(41), lowest=1, highest=40, confirmations=3)
    assert edge == Edge(None, open_below=False, tally={40: (False,)})


def test_the_end_of_the_range_is_no_floor() -> None:
    edge = find_edge(sharp(1), lowest=4, highest=40, confirmations=2)
    assert (edge.level, edge.open_below) == (4, True)
    assert min(edge.tally) == 4


def test_one_level_alone() -> None:
    assert find_edge(sharp(1), lowest=7, highest=7, confirmations=2).level == 7


def test_a_range_without_a_level_is_refused() -> None:
    """An edge would be looked for downwards, without end."""
    with pytest.raises(ValueError, match="no level from 2 to 1"):
        find_edge(sharp(-1000), lowest=2, highest=1, confirmations=3)


@pytest.mark.parametrize(
    ("lowest", "highest", "step", "expected"),
    [(1, 128, 1, (1, 128)), (100, 128, 64, (2, 2)), (100, 110, 64, (2, 1)), (1, 3, 4, (1, 0)), (5, 5, 5, (1, 1))],
)
def test_only_multiples_of_the_step_are_tried(lowest: int, highest: int, step: int, expected: tuple[int, int]) -> None:
    terms = Terms(lowest_bytes=lowest, highest_bytes=highest, step_bytes=step, confirmations=3)
    assert terms.level_range == expected


def test_a_range_between_two_steps_is_refused_before_anything_is_set_up(tmp_path: Path) -> None:
    loaded = narrowed(load_scenario(scenarios_dir() / "hello"), targets=["docker"])
    terms = Terms(lowest_bytes=100 * MIB, highest_bytes=110 * MIB, step_bytes=64 * MIB, confirmations=3)
    with pytest.raises(UsageError, match=r"between 100 MiB and 110 MiB.* of 64\.0 MiB .* is 128 MiB") as caught:
        find_floors(Request((loaded,), tmp_path / "out", seed=0), terms, Silent())
    assert "--to 128MiB" in caught.value.hint
    assert not (tmp_path / "out").exists()


def _search_of(directory: Path) -> _TargetSearch:
    config = BoxConfig(("/x",), (), "/", 0, 0, (0,), "", 15)
    image = Image("made", "made:1", "sha256:0", "0" * 64, "0" * 64, config, directory / "tar", {})
    scenario = Scenario(question="?", name="s", ready=ReadyFirstLine(when="first-line"))
    target: Any = SimpleNamespace(name="fake")
    return _TargetSearch(
        trials=iter(range(10)),
        cell=Cell(scenario="s", target="docker", accel="native"),
        setting=Setting("abcdef12", scenario, image, target, (0,), VirtualClock()),
        terms=Terms(lowest_bytes=MIB, highest_bytes=8 * MIB, step_bytes=MIB, confirmations=1),
        directory=directory,
        progress=Silent(),
        limit_ns=10**10,
    )


def _tried(search: _TargetSearch, monkeypatch: pytest.MonkeyPatch, output: Output | None) -> bool:
    def run(trial: Trial, _setting: Setting) -> tuple[Record, Output | None]:
        return _record(trial.number, "the exercise ended with status 1"), output

    monkeypatch.setattr("bench.floor.run.run_trial", run)
    return search.works(4)


def test_output_of_a_failed_exercise_is_kept_with_the_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(b"", b"oh", {"exercise.stdout": b"half a table"})
    assert not _tried(_search_of(tmp_path), monkeypatch, output)
    (record,) = read_records(tmp_path)
    assert set(record.artefacts) == {"stderr", "exercise.stdout"}
    assert (tmp_path / record.artefacts["exercise.stdout"]).read_bytes() == b"half a table"


def test_a_full_disk_ends_a_search_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CampaignError, match="record of trial t0000 cannot be written") as caught:
        _tried(_search_of(tmp_path), monkeypatch, None)
    assert "another --out" in caught.value.hint


def test_a_lucky_try_does_not_make_a_floor() -> None:
    # 20 worked once, by luck, in the bisection; it is not taken, since its next try fails.
    luck = iter([True])

    def works(level: int) -> bool:
        return level >= 24 or (level == 20 and next(luck, False))

    edge = find_edge(works, lowest=1, highest=40, confirmations=3)
    assert edge.level == 24
    assert edge.tally[20][0]
    assert not all(edge.tally[20])


def test_an_unlucky_try_is_made_good_downwards() -> None:
    # 20 failed once by bad luck, and so did nothing else from 10 on: the search may stop above it, never below 10.
    failed = iter([False])

    def works(level: int) -> bool:
        return next(failed, True) if level == 20 else level >= 10

    edge = find_edge(works, lowest=1, highest=40, confirmations=3)
    assert edge.level == 21
    assert edge.tally[20] == (False, True, True)


@pytest.mark.parametrize("seed", range(200))
def test_a_search_at_a_noisy_edge_ends_with_its_confirmations(seed: int) -> None:
    rng = random.Random(seed)

    def works(level: int) -> bool:
        return rng.random() < (level - 20) / 15

    edge = find_edge(works, lowest=1, highest=60, confirmations=4)
    assert edge.level is not None
    assert edge.tally[edge.level] == (True,) * len(edge.tally[edge.level])
    assert len(edge.tally[edge.level]) >= 4
    assert len(edge.tally[edge.level - 1]) >= 4 or not all(edge.tally[edge.level - 1])
    assert not all(edge.tally[edge.level - 1])
    assert 20 < edge.level <= 36


def test_success_at_least() -> None:
    assert success_at_least(3) == pytest.approx(0.368, abs=0.001)
    assert success_at_least(59) > 0.95
    assert success_at_least(0) == 0


def _record(number: int, why: str = "") -> Record:
    trial = Trial(number=number, block=0, cell=Cell(scenario="s", target="docker", accel="native"), warmup=False)
    return Record(
        campaign="abcdef12",
        trial=trial,
        started_at="2031-02-03T04:05:06.000+00:00",
        outcome="failed" if why else "ok",
        failure=Failure(code="NotReadyError", message=why, hint="") if why else None,
        endpoints_ns={},
    )


def test_the_most_frequent_reason_is_given_without_the_names_of_boxes() -> None:
    records = [
        _record(0, "slow"),
        _record(1, "boxbench-abcdef12-t0001 was refused"),
        _record(2, "boxbench-abcdef12-t0002-b3 was refused"),
        _record(3),
    ]
    (level, other) = levels_of(records, [MIB, MIB, MIB, 2 * MIB])
    assert level == Level(memory_bytes=MIB, tried=3, worked=0, why_not="the box was refused")
    assert other == Level(memory_bytes=2 * MIB, tried=1, worked=1)


def test_floors_are_written_and_read_back(tmp_path: Path) -> None:
    floors = floors_of(found_floor())
    write_floors(tmp_path, floors)
    assert read_floors(tmp_path) == floors
    (tmp_path / "floor.json").write_text("{}")
    with pytest.raises(CampaignError, match="not a floor"):
        read_floors(tmp_path)
    with pytest.raises(CampaignError, match="holds no floor"):
        read_floors(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("floor_bytes", 0), r"floors\.0\.floor_bytes"),
        (("levels", [{"memory_bytes": 0, "tried": 1, "worked": 1}]), r"floors\.0\.levels\.0\.memory_bytes"),
        (("levels", [{"memory_bytes": -1, "tried": 1, "worked": 1}]), r"floors\.0\.levels\.0\.memory_bytes"),
    ],
)
def test_a_floor_of_no_bytes_is_refused(change: tuple[str, object], words: str, tmp_path: Path) -> None:
    write_floors(tmp_path, floors_of(found_floor()))
    data = json.loads((tmp_path / "floor.json").read_text())
    data["floors"][0] |= dict([change])
    (tmp_path / "floor.json").write_text(json.dumps(data))
    with pytest.raises(CampaignError, match=words):
        read_floors(tmp_path)


def test_an_unwritable_floor_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "floor.json").symlink_to("/dev/full")
    with pytest.raises(ResultError, match=r"floor\.json cannot be written: No space left on device") as caught:
        write_floors(tmp_path, floors_of(found_floor()))
    assert "make room" in caught.value.hint


def test_the_table_of_floors() -> None:
    none = found_floor(
        box="libvirt/tcg",
        outcome="none",
        floor_bytes=None,
        success_at_least=None,
        levels=(Level(memory_bytes=128 * MIB, tried=1, worked=0, why_not="no word"),),
    )
    low = found_floor(box="runc", outcome="at-most", levels=(Level(memory_bytes=6 * MIB, tried=3, worked=3),))
    rows = floor_rows(floors_of(found_floor(), none, low))
    assert [row[:4] for row in rows] == [
        ("docker", "6.00 MiB", "3 of 3", "1 of 3"),
        ("libvirt/tcg", "more than 128 MiB", "–", "–"),
        ("runc", "at most 6.00 MiB", "3 of 3", "not tried"),
    ]


@pytest.mark.parametrize(("goal", "words"), [("ready", "is ready in time"), ("replied", "has replied in time")])
def test_the_note_says_in_words_what_a_boot_had_to_reach(goal: str, words: str) -> None:
    assert words in floor_notes(floors_of(found_floor()).model_copy(update={"goal": goal}))[0]


def test_output_of_a_box_cannot_break_the_report() -> None:
    text = floor_markdown(floors_of(found_floor()))
    assert "\x1b" not in text
    assert "evil \\|" in text
    assert any("evil" in note for note in floor_notes(floors_of(found_floor())))


def test_the_page_has_every_size_and_is_made_again_by_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_floors(tmp_path, floors_of(found_floor()))
    report(tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "The least memory in which hello works: docker 6.00 MiB" in text
    assert "1 of 3" in text
    assert "<b>" not in text
    assert "\x1b" not in text
    assert f"report: {tmp_path}/index.html" in capsys.readouterr().out
