"""``boxbench simulate check`` on a table that nobody has seen, and its refusals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.factories import make_manifest, make_records, write_campaign
from tests.synthetic_storms import known_model, values


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` takes SIGTERM and SIGHUP, which pytest must keep."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def call(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Run `boxbench simulate check WORDS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["boxbench", "simulate", "check", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def _law(boxes: int) -> float:
    """Time of the last box, ms, by the Universal Scalability Law: contention and coherence, which no model here has."""
    return 200 * (1 + 0.08 * (boxes - 1) + 0.0004 * boxes * (boxes - 1))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"some,{n},{_law(n):.0f},{0.8 * _law(n) + 0.2 * _law(1):.0f},150" for n in (1, 2, 5, 10, 20, 40, 80)]
    file = tmp_path / "unseen.csv"
    file.write_text("\n".join(["# cpus: 16", "runtime,n,last,median,cpu_per_start", *rows]) + "\n")
    return file


def test_a_table_that_nobody_has_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: Path, tmp_path: Path
) -> None:
    code = call(monkeypatch, "--table", table, "--fit-below", "10", "--json", "-o", tmp_path / "out")
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert code == found["exit_code"]
    [target] = found["targets"]
    assert [(level["boxes"], level["scored"]) for level in target["levels"]] == [
        (1, False), (2, False), (5, False), (10, False), (20, True), (40, True), (80, True),
    ]  # fmt: skip
    assert target["verdict"] == "better than CPU only"
    assert target["error"] < 0.3
    assert (tmp_path / "out" / "check.html").exists()
    assert "fitting" in said.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing is named that could be scored"),
        (("--fit", "1;2"), "no list of numbers of boxes"),
        (("--table", "{table}", "--fit-below", "80"), "no level is larger than 80"),
        (("--table", "{table}", "--odd-even"), "a table has no blocks"),
        (("--table", "{table}", "--fit", "1,2", "--fit-below", "4"), "split in different ways"),
        (("--table", "{table}", "--fit", "1,3"), "storms of 3 boxes were not measured"),
        (("--table", "{table}", "--fit", "1", "--score", "1"), "level 1 is to be fitted and scored"),
        (("--table", "{table}", "-t", "other"), "no runtime 'other'"),
        (("--table", "{table}", "somewhere"), "a table and campaigns cannot be scored together"),
    ],
)
def test_bad_words_are_one_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    assert call(monkeypatch, *(word.format(table=table) for word in words)) == ExitCode.USAGE
    said = capsys.readouterr()
    assert message in " ".join(said.err.split())
    assert said.out == ""


def test_a_fitted_model_says_what_to_fit_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "model.json"
    write_model(file, known_model({"docker": values()}, draws=4))
    campaign = tmp_path / "campaign"
    manifest = make_manifest(("hello",))
    write_campaign(campaign, manifest, make_records(manifest, troubles=False))
    assert call(monkeypatch, file, campaign, "--fit", "1,2") == ExitCode.USAGE
    assert "is fitted already" in " ".join(capsys.readouterr().err.split())
    assert call(monkeypatch, file, campaign) == ExitCode.USAGE
    assert "another workload" in " ".join(capsys.readouterr().err.split())
