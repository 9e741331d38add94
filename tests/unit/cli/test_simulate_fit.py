"""``boxbench simulate fit`` and ``explain`` on invented campaigns: what is printed and written, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.render.commands.model import view_explained, view_fitted
from bench.sim.model.file import model_digest, read_model, write_model
from bench.sim.model.summary import parameters, summaries
from bench.util.errors import ExitCode
from tests.commands import boxbench as call
from tests.factories import DOCKER, make_manifest, make_records, write_campaign
from tests.synthetic_models import STAGES, make_model, make_values
from tests.synthetic_starts import write_storms


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
        (("--only-boxes", "3"), "--only-boxes: storms of 3 boxes were not measured"),
        (("--only-boxes", "1" * 5000), "--only-boxes: 1111111111111111111... is more than 1000000"),
        (("--only-boxes", "\uff11"), "is not a whole number"),
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
    file, page = tmp_path / "model.json", tmp_path / "out" / "index.html"
    write_model(file, make_model(("docker", "libvirt/tcg"), draws=20))
    text = file.read_text(encoding="utf-8")
    value = json.loads(text)["targets"]["docker"]["parameters"]["growth"]["value"]
    file.write_text(text.replace(f'"value": {json.dumps(value)}', '"value": 90000.0', 1), encoding="utf-8")
    assert call(monkeypatch, "simulate", "explain", str(file), "-o", str(page.parent)) == ExitCode.OK
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


def _model_file(tmp_path: Path) -> Path:
    file = tmp_path / "model.json"
    write_model(file, make_model(draws=20))
    return file


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("fitted", [True, False])
def test_nothing_is_cut_at_80_columns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, fitted: bool) -> None:
    """Numbers keep their bands and kinds, whatever the width; only long names may be broken."""
    model = read_model(_model_file(tmp_path))
    view = view_fitted(model) if fitted else view_explained(model, model_digest(model))
    console = Console(width=80, file=io.StringIO(), force_terminal=False)
    with console.capture() as captured:
        console.print(view)
    lines = _lines(captured.get())
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)
    rows = [line for line in lines if "[" in line and line.endswith((" measured", " limit", " assumed"))]
    shown = sum(len(summaries(model, label)) if fitted else len(parameters(model, label)) for label in model.targets)
    assert len(rows) == shown
    assert any(("growth of the hold per box" if fitted else "init.hold_work") in row for row in rows)


def test_the_page_of_a_model_draws_its_stages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    place = tmp_path / "out"
    words = ("simulate", "explain", str(_model_file(tmp_path)), "-o", str(place))
    assert call(monkeypatch, *words) == ExitCode.OK
    assert capsys.readouterr().out.endswith(f"{place / 'index.html'}\n")
    assert sorted(file.name for file in (place / "figures").iterdir()) == [
        "model-stages-dark.svg",
        "model-stages.csv",
        "model-stages.json",
        "model-stages.png",
        "model-stages.svg",
    ]
    assert set(json.loads((place / "explained.json").read_text(encoding="utf-8"))["targets"]) == set(STAGES)
    text = (place / "index.html").read_text(encoding="utf-8")
    assert "<svg" in text
    assert "stages: requested → created → init → ready" in text
    assert call(monkeypatch, *words[:-1], str(tmp_path)) == ExitCode.USAGE
    assert "holds files of something else" in capsys.readouterr().err


def test_an_edited_model_says_so_and_a_forged_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = _model_file(tmp_path)
    text = file.read_text(encoding="utf-8")
    value = json.loads(text)["targets"]["docker"]["parameters"]["growth"]["value"]
    file.write_text(text.replace(f'"value": {json.dumps(value)}', '"value": 90000.0', 1), encoding="utf-8")
    assert call(monkeypatch, "simulate", "explain", str(file), "--json") == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["edited"] == [
        "docker: growth is edited in the model file, and not measured."
    ]
    file.write_text(text.replace('"cpus": 2,', '"cpus": 64,', 1), encoding="utf-8")
    assert call(monkeypatch, "simulate", "explain", str(file)) == ExitCode.USAGE
    assert "something other than a `value` was edited by hand" in capsys.readouterr().err


def test_places_for_the_model_are_looked_at_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], campaign: Path, tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n", encoding="utf-8")
    for place, said in (
        (tmp_path, "is a directory"),
        (table, "is there already, and is no model"),
        (table / "model.json", "is not a directory"),
    ):
        assert call(monkeypatch, "simulate", "fit", str(campaign), "-o", str(place)) == ExitCode.USAGE
        said_now = capsys.readouterr()
        assert said in said_now.err
        assert "fitting" not in said_now.err
        assert said_now.out == ""
    assert table.read_text(encoding="utf-8") == "a,b\n1,2\n"


def test_a_fit_that_is_interrupted_leaves_the_former_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], campaign: Path, tmp_path: Path
) -> None:
    file = _model_file(tmp_path)
    before = file.read_bytes()

    def interrupt(text: str) -> None:
        if text.startswith("fitting"):
            raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.simulate.progress.note", interrupt)
    assert call(monkeypatch, "simulate", "fit", str(campaign), "-o", str(file), "--json") == ExitCode.INTERRUPTED
    assert capsys.readouterr().out == ""
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_a_table_of_any_name_is_fitted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, file = tmp_path / "a.csv", tmp_path / "model.json"
    table.write_text("# cpus: 64\nruntime,n,last,cpu_per_start\nrunc,1,100,50\nrunc,10,98,180\n", encoding="utf-8")
    words = ("simulate", "fit", str(table), "--draws", "50", "-o", str(file), "--json")
    assert call(monkeypatch, *words) == ExitCode.OK
    said = capsys.readouterr()
    assert json.loads(said.out)["workload"] == "not stated"
    assert "runc: Line 4: last is 98 ms with n = 10" in said.err
    assert "runc: Lines 3 and 4: the CPU time" in said.err
    assert any("the CPU time of a start" in note for note in json.loads(said.out)["targets"]["runc"]["notes"])
    assert read_model(file).workload == "not stated"
