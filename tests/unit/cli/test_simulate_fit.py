"""``boxbench simulate fit`` and ``explain`` on invented campaigns: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.sim.model.file import read_model, write_model
from bench.util.errors import ExitCode
from tests.factories import DOCKER, make_manifest, make_records, write_campaign
from tests.synthetic_models import make_model, make_values
from tests.synthetic_starts import write_storms


@pytest.fixture(autouse=True)
def _signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` takes SIGTERM and SIGHUP, which pytest must keep."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `boxbench WORDS`; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["boxbench", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_storms(tmp_path_factory.mktemp("storms") / "c", {"docker": make_values("docker")}, blocks=4)


def test_a_campaign_becomes_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], campaign: Path, tmp_path: Path
) -> None:
    file = tmp_path / "m" / "model.json"
    words = ("simulate", "fit", str(campaign), "--draws", "50", "--only-boxes", "1,2")
    assert call(monkeypatch, *words, "-o", str(file)) == ExitCode.OK
    said = capsys.readouterr()
    assert said.out.endswith(f"{file}\n")
    assert "hold of its lock" in said.out
    assert "Only 4 blocks of single starts" in said.out
    assert "fitting docker" in said.err
    model = read_model(file)
    assert model.targets["docker"].measured["boxes"] == (1, 2)
    assert call(monkeypatch, *words, "-o", str(file), "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert set(found["targets"]["docker"]["summary"]) >= {"single start", "CPU time", "hold", "growth"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only-boxes", "3"), "--only-boxes: '3' is not a number of boxes that was measured"),
        (("--only-boxes", "1"), "there is no storm among these trials"),
        (("-t", "podman"), "nothing was measured of target 'podman'"),
        (("--scenario", "web"), "there is no scenario 'web'"),
        (("--table-cpus", "4"), "--table-cpus is for tables"),
        (("rund-2022",), "is a table, and other sources were named beside it"),
    ],
)
def test_mistakes_leave_no_file(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    campaign: Path,
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    file = tmp_path / "model.json"
    assert call(monkeypatch, "simulate", "fit", str(campaign), *words, "-o", str(file)) == ExitCode.USAGE
    assert said in capsys.readouterr().err
    assert not file.exists()


def test_a_campaign_without_storms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    manifest = make_manifest(("hello",), (DOCKER,))
    path = write_campaign(tmp_path / "c", manifest, make_records(manifest, (DOCKER,), troubles=False))
    assert call(monkeypatch, "simulate", "fit", str(path)) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "there is no storm among these trials" in said
    assert "boxbench run calibrate" in said


def test_a_model_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file, page = tmp_path / "model.json", tmp_path / "page.html"
    write_model(file, make_model(("docker", "libvirt/tcg"), draws=20))
    text = file.read_text(encoding="utf-8")
    value = json.loads(text)["targets"]["docker"]["parameters"]["growth"]["value"]
    file.write_text(text.replace(f'"value": {json.dumps(value)}', '"value": 90000.0', 1), encoding="utf-8")
    assert call(monkeypatch, "simulate", "explain", str(file), "--page", str(page)) == ExitCode.OK
    said = capsys.readouterr().out
    assert "init.hold_work" in said
    assert "assumed by you" in said
    shown = page.read_text(encoding="utf-8")
    assert "assumed by you" in shown
    assert "libvirt/tcg" in shown
    assert "<script" not in shown
    assert call(monkeypatch, "simulate", "explain", str(file), "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["assumed"]
    assert call(monkeypatch, "simulate", "explain", "--schema") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["title"] == "Boxbench model of starts"
    assert call(monkeypatch, "simulate", "explain") == ExitCode.USAGE
    assert call(monkeypatch, "simulate", "explain", str(tmp_path / "none.json")) == ExitCode.USAGE
