"""The gate's command line: what it refuses, what it leaves behind, and what a CI job sees of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import pytest

from bench import cli
from bench.cli.gate.sides import SideSelection
from bench.gate.model import RESULT, GateResult
from bench.gate.request import read_request
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


@pytest.mark.parametrize(
    ("words", "useless"),
    [
        (["aa", "CAMPAIGN", "--targets", "docker"], "--targets has no effect"),
        (["aa", "CAMPAIGN", "--accel", "tcg"], "--accel has no effect"),
        (["aa", "CAMPAIGN", "--skip-unavailable"], "--skip-unavailable has no effect"),
        (["aa", "CAMPAIGN", "--out", "o"], "--out has no effect"),
        (["compare", "hello", "hello", "--blocks", "5", "--detect", "5%"], "--detect has no effect"),
        (["compare", "hello", "hello", "--blocks", "5", "--max-blocks", "5"], "--max-blocks has no effect"),
        (["compare", "hello", "hello", "--accel", "icount", "--detect", "5%"], "--detect has no effect"),
        (["compare", "hello", "hello", "--accel", "icount", "--max-blocks", "9"], "--max-blocks has no effect"),
        (
            ["compare", "hello", "hello", "--accel", "icount", "--screening-blocks", "5"],
            "--screening-blocks has no eff",
        ),
    ],
)
def test_an_option_without_effect_is_refused(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], useless: str
) -> None:
    campaign = stored(tmp_path / "c")
    assert call(*(campaign if word == "CAMPAIGN" else word for word in words)) == ExitCode.USAGE
    assert useless in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"c"}


EACH: Final = {
    "aa": ["--summary", "--screening-blocks", "--max-blocks", "--detect", "--baseline", "--commits"],
    "bounds": ["--metric", "--threshold", "--blocks", "--seed", "--targets", "--accel", "--skip-unavailable"],
    "import-kata": ["--json", "--metric", "--out", "--summary"],
}


@pytest.mark.parametrize(("command", "option"), [(name, option) for name in EACH for option in EACH[name]])
def test_a_command_has_no_option_without_a_meaning(
    call: Call, capsys: pytest.CaptureFixture[str], command: str, option: str
) -> None:
    assert call(command, "x", "y", option, "1") == ExitCode.USAGE
    assert f"No such option: {option}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "now"),
    [
        (["before", "after"], "`boxbench gate compare before after`"),
        (["my-api", "--commits", "a", "b"], "`boxbench gate compare my-api --commits a b`"),
        (["--commits", "a", "b", "my-api"], "`boxbench gate compare --commits a b my-api`"),
        (["my-api", "--null"], "`boxbench gate aa CAMPAIGN|SCENARIO`"),
        (["--null", "my-api"], "`boxbench gate aa CAMPAIGN|SCENARIO`"),
        (["--bounds", "b.toml", "c"], "`boxbench gate bounds BOUNDS.toml CAMPAIGN`"),
        (["c", "--bounds=b.toml"], "`boxbench gate bounds BOUNDS.toml CAMPAIGN`"),
        (["checkmetrics", "k.toml", "docker"], "`boxbench gate import-kata FILE TARGET`"),
        (["null", "hello"], "`boxbench gate aa CAMPAIGN|SCENARIO`"),
        (["--checkmetrics", "k.toml", "docker"], "`boxbench gate import-kata FILE TARGET`"),
        (["a", "b", "--first", "5"], "--first is now called --screening-blocks"),
        (["compare", "a", "b", "--first=5"], "--first is now called --screening-blocks"),
        (["compare", "a", "b", "--most", "50"], "--most is now called --max-blocks"),
        (["compare", "a", "b", "--see", "5%"], "--see is now called --detect"),
        (["aa", "c", "--null"], "`boxbench gate aa CAMPAIGN|SCENARIO`"),
    ],
)
def test_a_former_spelling_names_the_new_one(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], now: str
) -> None:
    assert call(*words) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert now in shown.err
    assert shown.out == ""
    assert list(tmp_path.iterdir()) == []


def test_bounds_store_their_result_for_exports(call: Call, tmp_path: Path) -> None:
    campaign = stored(tmp_path / "c")
    (tmp_path / "b.toml").write_text('[[bound]]\ntarget = "docker"\nmetric = "endpoint.ready"\nmax = "10s"\n')
    assert call("bounds", "b.toml", campaign, "-o", "g") == ExitCode.OK
    assert GateResult.model_validate_json((tmp_path / "g" / RESULT).read_text()).bounds


def test_an_unwritable_summary_is_refused_before_anything_runs(
    call: Call, tmp_path: Path, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    made = scenario_at(tmp_path / "made")
    for file in ("nowhere/s.md", "made"):
        assert call("compare", made, f"{made}/", "-o", "g", "--summary", file) == ExitCode.USAGE
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
    assert (
        call(
            "compare",
            made,
            f"{made}/",
            "-o",
            "g",
            "--json",
            "--summary",
            place / "s.md",
            "--screening-blocks",
            "5",
            "-b",
            "5",
        )
        == code
    )
    shown = capsys.readouterr()
    assert json.loads(shown.out)["exit_code"] == code
    assert "page/s.md cannot be written" in shown.err
    assert "the verdict stands" in shown.err


def test_a_summary_is_appended(call: Call, tmp_path: Path, campaigns: Campaigns) -> None:
    made = scenario_at(tmp_path / "made")
    (tmp_path / "s.md").write_text("before\n")
    assert call("compare", made, f"{made}/", "-o", "g", "--summary", "s.md") in (ExitCode.OK, ExitCode.CANNOT_TELL)
    assert campaigns.asked
    text = (tmp_path / "s.md").read_text()
    assert text.startswith("before\n## ")


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "made", "nosuch"],
        ["compare", "made"],
        ["compare", "made", "./made", "--detect", "x"],
        ["compare", "made", "./made", "--detect", "0%"],
        ["compare", "made", "./made", "--detect", "nan"],
        ["compare", "made", "./made", "--detect", "2000%"],
        ["aa", "nosuch"],
        ["compare", "made", "made:["],
    ],
)
def test_bad_sides_leave_no_directory(call: Call, tmp_path: Path, words: list[str]) -> None:
    scenario_at(tmp_path / "made")
    assert call(*words, "-o", "g") == ExitCode.USAGE
    assert not (tmp_path / "g").exists()


def test_the_change_to_detect_is_given_like_a_threshold(
    call: Call, tmp_path: Path, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario_at(tmp_path / "made")
    for number, text in enumerate(("2%", "0.02")):
        call("compare", "made", "./made", "--detect", text, "--max-blocks", "5", "-o", f"g{number}")
        assert read_request(tmp_path / f"g{number}").request.detect == 0.02
    assert campaigns.asked
    capsys.readouterr()
    assert call("compare", "made", "./made", "--detect", "5", "-o", "g") == ExitCode.USAGE
    assert "--detect: '5' has no unit; write \"5%\"" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("words", [["--detect", "x"], ["--threshold", "endpoint.ready=x"]])
def test_a_change_that_is_none_is_refused_before_images_are_built(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr(SideSelection, "read", lambda *_, **__: pytest.fail("the sides were read"))
    assert call("compare", "redis:7", "redis:8", *words) == ExitCode.USAGE
    assert f"boxbench: {words[0]}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.host
def test_a_bad_revision_leaves_no_directory(call: Call, tmp_path: Path, campaigns: Campaigns) -> None:
    """The first revision was unpacked before the second was found to be none."""
    made = scenario_at(tmp_path / "made")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "one")):
        proc.run(["git", "-C", made, *identity, *words], timeout_s=30)
    assert call("compare", made, "--commits", "HEAD", "nosuch", "-o", "g") == ExitCode.USAGE
    assert not (tmp_path / "g").exists()
    assert call("compare", made, "--commits", "HEAD", "HEAD", "-o", "g") in (ExitCode.OK, ExitCode.CANNOT_TELL)
    assert campaigns.asked


def test_a_directory_that_is_not_empty_is_refused_and_kept(
    call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario_at(tmp_path / "made")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "mine").touch()
    assert call("compare", "made", "./made", "-o", "g") == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "exists and is not empty" in said
    assert "resume" not in said
    assert (tmp_path / "g" / "mine").exists()


def test_the_hint_of_a_directory_that_holds_a_gate_names_resume(
    call: Call, tmp_path: Path, campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario_at(tmp_path / "made")
    call("compare", "made", "./made", "--max-blocks", "5", "-o", "my g")
    assert campaigns.asked
    capsys.readouterr()
    assert call("compare", "made", "./made", "-o", "my g") == ExitCode.USAGE
    assert "`boxbench resume 'my g'`" in " ".join(capsys.readouterr().err.split())
