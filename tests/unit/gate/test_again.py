"""A gate judged again from what it stored."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from bench import cli
from bench.gate import icount_run as counting_module
from bench.gate.again import judge_again
from bench.gate.icount_run import Watchers, run_counted
from bench.gate.measure import Silent
from bench.gate.model import CONFIRMATION, RESULT, SCREENING, GateResult
from bench.gate.request import REQUEST, GateRequest, read_request
from bench.gate.run import run_gate
from bench.gate.sides import SidePair, read_side
from bench.gate.thresholds import parse_thresholds
from bench.instructions.model import FILE, Count, Instant, Instructions, write_instructions
from bench.plan.trials import Cell
from bench.records.campaign import RECORDS
from bench.records.record import Record
from bench.util.errors import CampaignError, ExitCode, ResultError
from tests.gates import edit, install, of_side, scenario_at

FULL: Final = "/dev/full"
"""Every write to it fails as on a full disk."""
IN_B: Final = of_side("b", "docker")


def slower(record: Record) -> Record:
    changed = {name: 2 * value for name, value in record.endpoints_ns.items()}
    return edit(record, endpoints_ns=changed) if IN_B(record) else record


def said(_questions: object, _blocks: object) -> None:
    """Ignore it."""


def warned(_text: str) -> None:
    """Ignore it."""


@pytest.fixture
def request_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GateRequest:
    """B's docker is twice as slow, so that docker has a confirmation and runc is settled by screening."""
    install(monkeypatch, slower)
    places = [str(scenario_at(tmp_path / name)) for name in ("old", "new")]
    return GateRequest(
        sides=SidePair(read_side(places[0], "A", None), read_side(places[1], "B", None)),
        out=tmp_path / "g",
        seed=7,
        thresholds=parse_thresholds(["endpoint.*=3%", "memory.*=7%"]),
        metrics=("endpoint.ready", "memory.*"),
        detect=0.03,
        command=("boxbench", "gate", "compare", "old", "new"),
    )


def without_date(out: Path) -> bytes:
    lines = (out / RESULT).read_bytes().split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(b' "created_at"'))


def judged(out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["boxbench", "gate", "judge", str(out), *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_the_same_verdict_comes_from_the_stored_stages(
    request_of_two: GateRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = request_of_two.out
    result = run_gate(request_of_two, Silent(), said)
    assert result.exit_code is ExitCode.REGRESSION
    assert (out / CONFIRMATION).exists()
    before = without_date(out)
    (out / RESULT).unlink()
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    assert without_date(out) == before
    # Where there is a verdict, both are compared.
    stored = (out / RESULT).read_bytes()
    assert judged(out, monkeypatch, "--json") == ExitCode.REGRESSION
    printed = capsys.readouterr()
    assert "has the same verdicts and numbers" in printed.err
    assert (out / RESULT).read_bytes() == stored


def test_a_full_disk_loses_no_verdict(
    request_of_two: GateRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = request_of_two.out
    out.mkdir()
    (out / RESULT).symlink_to(FULL)
    with pytest.raises(ResultError, match=r"gate\.json cannot be written: No space left on device") as caught:
        run_gate(request_of_two, Silent(), said)
    assert f"`boxbench gate judge {out}` gives the verdict" in caught.value.hint
    (out / RESULT).unlink()
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    capsys.readouterr()
    # A verdict that a former version tore is replaced.
    whole = without_date(out)
    (out / RESULT).write_bytes((out / RESULT).read_bytes()[:100])
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    assert "it is replaced" in capsys.readouterr().err
    assert without_date(out) == whole


def test_another_verdict_is_told_and_not_replaced(
    request_of_two: GateRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = request_of_two.out
    run_gate(request_of_two, Silent(), said)
    stored = json.loads((out / RESULT).read_bytes())
    stored["rows"][0]["verdict"] = "not regressed"
    (out / RESULT).write_text(json.dumps(stored), encoding="utf-8")
    edited = (out / RESULT).read_bytes()
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    error = capsys.readouterr().err
    assert f"{stored['rows'][0]['metric']}: not regressed then, regressed now" in error
    assert "the file was kept" in error
    assert "remove it and judge again" in error
    assert (out / RESULT).read_bytes() == edited
    (out / RESULT).unlink()
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    assert json.loads((out / RESULT).read_bytes())["rows"][0]["verdict"] == "regressed"


def test_a_gate_is_judged_where_it_lies(request_of_two: GateRequest, tmp_path: Path) -> None:
    result = run_gate(request_of_two, Silent(), said)
    moved = shutil.move(request_of_two.out, tmp_path / "elsewhere")
    assert judge_again(Path(moved), said, warned).rows == result.rows
    assert read_request(Path(moved)).request == replace(request_of_two, out=Path(moved))


def test_no_secret_value_is_in_a_gates_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_of_two: GateRequest
) -> None:
    for name in ("old", "new"):
        file = tmp_path / name / "scenario.yaml"
        scenario = json.loads(file.read_bytes()) | {"workload": {"env": {"API_TOKEN": "hush-hush"}}}
        file.write_text(json.dumps(scenario), encoding="utf-8")
    sides = SidePair(read_side(str(tmp_path / "old"), "A", None), read_side(str(tmp_path / "new"), "B", None))
    assert sides.a.loaded.scenario.workload.env == {"API_TOKEN": "hush-hush"}
    out = request_of_two.out
    result = run_gate(replace(request_of_two, sides=sides), Silent(), said)
    # Its campaigns are fakes here; tests of campaigns look at real ones.
    assert [name for name in (REQUEST, RESULT) if b"hush" in (out / name).read_bytes()] == []
    assert judge_again(out, said, warned).rows == result.rows


def test_a_request_that_was_edited_is_a_clean_error(request_of_two: GateRequest) -> None:
    out = request_of_two.out
    run_gate(request_of_two, Silent(), said)
    whole = json.loads((out / REQUEST).read_bytes())
    for changed in (whole | {"request": whole["request"] | {"seed": -1}}, whole | {"baseline_at": "x" * 300}):
        (out / REQUEST).write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(CampaignError):
            judge_again(out, said, warned)


def cut(file: Path, lines: int) -> None:
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-lines]))


@pytest.mark.parametrize(
    ("what", "words", "hint"),
    [
        (lambda out: shutil.rmtree(out / CONFIRMATION), "has no confirmation", "boxbench resume"),
        (lambda out: shutil.rmtree(out / SCREENING), "has no screening", "boxbench resume"),
        (
            lambda out: cut(out / CONFIRMATION / RECORDS, 2),
            r"confirmation has no record of 2 of its \d+ trials",
            "resume",
        ),
        (
            lambda out: (out / SCREENING / RECORDS).unlink(),
            r"screening has no record of (\d+) of its \1 trials",
            "resume",
        ),
        (lambda out: (out / REQUEST).unlink(), "is not the directory of a comparison", "gate compare"),
        (lambda out: (out / REQUEST).write_bytes(b"\xff"), "not the request of a gate", "edited"),
        (lambda out: (out / REQUEST).write_bytes(b"{}"), "not the request of a gate", "edited"),
    ],
)
def test_what_is_missing_is_said(request_of_two: GateRequest, what: Any, words: str, hint: str) -> None:
    out = request_of_two.out
    run_gate(request_of_two, Silent(), said)
    what(out)
    with pytest.raises(CampaignError, match=words) as caught:
        judge_again(out, said, warned)
    assert hint in caught.value.hint


def test_a_stored_baseline_is_read_from_where_it_was(
    request_of_two: GateRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_gate(request_of_two, Silent(), said)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    side = request_of_two.sides.b
    against = replace(
        request_of_two,
        sides=SidePair(side, side),
        out=tmp_path / "against",
        baseline=Path(os.path.relpath(request_of_two.out)),
        metrics=(),
        thresholds=parse_thresholds([]),
    )
    result = run_gate(against, Silent(), said)
    monkeypatch.chdir(tmp_path)
    # The host on which it is judged is not the one on which it was measured.
    monkeypatch.setattr("bench.gate.run.fingerprint", lambda _facts: "elsewhere")
    again = judge_again(against.out, said, warned)
    assert again.model_copy(update={"created_at": result.created_at}) == result
    shutil.rmtree(request_of_two.out)
    with pytest.raises(CampaignError, match="not a campaign directory"):
        judge_again(against.out, said, warned)


def counts(total: int, *more: int, tree: str = "t") -> Instructions:
    count = Count(
        cell=Cell(scenario="made", target="docker", accel="icount", factors={"start": "first"}),
        clocks=(total, *more),
        waits=(0,) * (1 + len(more)),
        steps=(Instant(name="ready", at=total),),
        inputs={"qemu": "10.0", "tree": tree},
    )
    return Instructions(scenario="made", question="?", runs=1 + len(more), counts=(count,))


def keep(place: Path, counted: Instructions) -> None:
    place.mkdir()
    write_instructions(place / FILE, counted)


def counted(request: GateRequest, monkeypatch: pytest.MonkeyPatch, *sides: Instructions) -> GateResult:
    left = list(sides)
    monkeypatch.setattr(counting_module, "room_of", lambda _loaded, _say: 0)
    monkeypatch.setattr(counting_module, "count_instructions", lambda _request, _say: left.pop(0))
    monkeypatch.setattr(counting_module, "host_facts", lambda: {"cpu_model": "one"})
    counting = replace(request, accel="icount", metrics=("instructions",), thresholds=parse_thresholds([]), blocks=1)
    return run_counted(counting, keep, Watchers(Silent(), said, warned))


def test_counts_are_judged_again(request_of_two: GateRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    out = request_of_two.out
    result = counted(request_of_two, monkeypatch, counts(10**6), counts(2 * 10**6, tree="u"))
    assert result.exit_code is ExitCode.REGRESSION
    before = without_date(out)
    (out / RESULT).unlink()
    monkeypatch.setattr(counting_module, "host_facts", lambda: {"cpu_model": "another"})
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    assert without_date(out) == before
    (out / "b" / FILE).unlink()
    with pytest.raises(CampaignError, match=r"has no b/instructions\.json"):
        judge_again(out, said, warned)


def test_counts_that_do_not_repeat_are_judged_again_by_their_times(
    request_of_two: GateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = request_of_two.out
    result = counted(request_of_two, monkeypatch, counts(10**6), counts(10**6 + 2))
    assert [row.counted for row in result.rows] == [False] * len(result.rows)
    before = without_date(out)
    (out / RESULT).unlink()
    assert judged(out, monkeypatch) == ExitCode.REGRESSION
    assert without_date(out) == before
    shutil.rmtree(out / SCREENING)
    with pytest.raises(CampaignError, match="has no screening"):
        judge_again(out, said, warned)


def test_a_gate_without_data_leaves_no_request(
    request_of_two: GateRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    del request_of_two

    def broken(*_: object, **__: object) -> None:
        raise CampaignError("no engine", hint="install one")

    monkeypatch.setattr("bench.gate.run.start_campaign", broken)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["boxbench", "gate", "compare", "old", "new", "-o", "none"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "no engine" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
