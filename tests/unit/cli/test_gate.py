"""The gate's command line: what it refuses, what it leaves behind, and what a CI job sees of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import pytest

from bench import cli
from bench.gate.model import RESULT, GateResult
from bench.records.record import Record
from bench.util import proc
from bench.util.errors import ExitCode
from tests.factories import make_manifest, make_records, write_campaign
from tests.gates import Campaigns, failed, install, of_side, scenario_at


@pytest.fixture
def campaigns(monkeypatch: pytest.MonkeyPatch) -> Campaigns:
    return install(monkeypatch)


class Call:
    """Runs the command in a directory of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def __call__(self, *words: str | Path) -> int:
        self.monkeypatch.setattr(sys, "argv", ["boxbench", "gate", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return Call(monkeypatch)


def stored(path: Path, *, blocks: int = 10) -> Path:
    manifest = make_manifest(("hello",), blocks=blocks)
    return write_campaign(path, manifest, make_records(manifest, troubles=False))


NULL: Final = ["--summary", "--first", "--most", "--see", "--baseline", "--commits"]
STORED: Final = ["--targets", "--accel", "--skip-unavailable"]
BOUNDS: Final = ["--metric", "--threshold", "--blocks", "--seed", "--null", *STORED, *NULL[1:]]
VALUES: Final = {
    "--summary": ["s.md"],
    "--first": ["5"],
    "--most": ["5"],
    "--see": ["5%"],
    "--baseline": ["x"],
    "--commits": ["a", "b"],
    "--metric": ["endpoint.ready"],
    "--threshold": ["endpoint.ready=3%"],
    "--targets": ["docker"],
    "--blocks": ["5"],
    "--accel": ["tcg"],
    "--seed": ["0"],
    "--out": ["o"],
}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        *((["CAMPAIGN", "--null"], option) for option in (*NULL, *STORED, "--out")),
        *((["hello", "--null"], option) for option in NULL),
        *((["CAMPAIGN", "--bounds", "b.toml"], option) for option in BOUNDS),
        *((["docker", "--checkmetrics", "k.toml"], option) for option in ("--json", "--bounds", "--null", "--metric")),
        *((["hello", "hello", "--blocks", "5"], option) for option in ("--see", "--most")),
        *((["hello", "hello", "--accel", "icount"], option) for option in ("--see", "--first", "--most", "--null")),
    ],
)
def test_no_option_is_ignored_without_a_word(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], option: str
) -> None:
    campaign = stored(tmp_path / "c")
    given = [option, *VALUES.get(option, ["b.toml"] if option == "--bounds" else [])]
    assert call(*(campaign if word == "CAMPAIGN" else word for word in words), *given) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert f"{option} has no meaning there" in said
    assert {path.name for path in tmp_path.iterdir()} == {"c"}


def test_limits_are_kept_where_exports_read_them(call: Call, tmp_path: Path) -> None:
    campaign = stored(tmp_path / "c")
    (tmp_path / "b.toml").write_text('[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "10s"\n')
    assert call("--bounds", "b.toml", campaign, "-o", "g") == ExitCode.OK
    assert GateResult.model_validate_json((tmp_path / "g" / RESULT).read_text()).bounds


def test_a_summary_that_cannot_be_written_is_told_before_anything_runs(
    call: Call, tmp_path: Path, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    made = scenario_at(tmp_path / "made")
    for file in ("nowhere/s.md", "made"):
        assert call(made, made, "-o", "g", "--summary", file) == ExitCode.USAGE
        assert f"--summary {file} cannot be written" in capsys.readouterr().err
    assert campaigns.asked == []
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("code", [ExitCode.REGRESSION, ExitCode.CANNOT_TELL])
def test_a_summary_that_fails_at_the_end_leaves_result_and_verdict(
    call: Call,
    tmp_path: Path,
    campaigns: Campaigns,
    capsys: pytest.CaptureFixture[str],
    code: ExitCode,
) -> None:
    made, place, in_b = scenario_at(tmp_path / "made"), tmp_path / "page", of_side("b")
    place.mkdir()

    def vanish(record: Record) -> Record:
        if place.exists():
            place.rmdir()
        return failed(record) if in_b(record) and (code is ExitCode.REGRESSION or record.trial.block == 2) else record

    campaigns.change = vanish
    assert call(made, made, "-o", "g", "--json", "--summary", place / "s.md", "--first", "5", "-b", "5") == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exit_code"] == code
    assert "page/s.md cannot be written" in shown.err
    assert "the verdict stands" in shown.err


def test_a_summary_is_appended(call: Call, tmp_path: Path, campaigns: Campaigns) -> None:
    made = scenario_at(tmp_path / "made")
    (tmp_path / "s.md").write_text("before\n")
    assert call(made, made, "-o", "g", "--summary", "s.md") in (ExitCode.OK, ExitCode.CANNOT_TELL)
    assert campaigns.asked
    text = (tmp_path / "s.md").read_text()
    assert text.startswith("before\n## ")


@pytest.mark.parametrize(
    "words", [["made", "nosuch"], ["made"], ["made", "made", "--see", "x"], ["nosuch", "--null"], ["made", "made:["]]
)
def test_bad_sides_leave_no_directory(call: Call, tmp_path: Path, words: list[str]) -> None:
    scenario_at(tmp_path / "made")
    assert call(*words, "-o", "g") == ExitCode.USAGE
    assert not (tmp_path / "g").exists()


@pytest.mark.host
def test_a_bad_revision_leaves_no_directory(call: Call, tmp_path: Path, campaigns: Campaigns) -> None:
    """The first revision was unpacked before the second was found to be none."""
    made = scenario_at(tmp_path / "made")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "one")):
        proc.run(["git", "-C", made, *identity, *words], timeout_s=30)
    assert call(made, "--commits", "HEAD", "nosuch", "-o", "g") == ExitCode.USAGE
    assert not (tmp_path / "g").exists()
    assert call(made, "--commits", "HEAD", "HEAD", "-o", "g") in (ExitCode.OK, ExitCode.CANNOT_TELL)
    assert campaigns.asked


def test_a_taken_place_is_not_to_be_resumed(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scenario_at(tmp_path / "made")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "mine").touch()
    assert call("made", "made", "-o", "g") == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "exists and is not empty" in said
    assert "resume" not in said
    assert (tmp_path / "g" / "mine").exists()
