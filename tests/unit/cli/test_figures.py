"""``boxbench figures``: each kind of input, where figures are written, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.gate.model import Verdict
from bench.gate.result import write_result
from bench.history.git import BranchStore
from bench.history.store import DirectoryStore, add_line
from bench.render.figures import settings
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.commands import boxbench
from tests.factories import DOCKER, PROCESS, make_manifest, make_records, write_campaign
from tests.gates import gate_result, gate_row
from tests.histories import git, make_history
from tests.unit.sim.sweep.sweeps import small_model

PUBLISHED = Path(__file__).parents[3] / "reports" / "published" / "2026-11-27-web-service"
ENDS = (".talk.svg", ".talk-dark.svg", ".talk.png", ".talk.csv", ".talk.json")
Call = Callable[..., int]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Calls the command in a directory of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: boxbench(monkeypatch, "figures", *words)


def campaign(path: Path) -> Path:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), blocks=8, warmups=0)
    return write_campaign(path, manifest, make_records(manifest, (PROCESS, DOCKER), troubles=False))


def names(place: Path) -> set[str]:
    return {file.name for file in place.iterdir() if not file.name.startswith(".")}


def test_figures_of_a_campaign_lie_beside_it(figures: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    assert figures("c", "--only", "ratios") == ExitCode.OK
    (stem,) = {name.partition(".")[0] for name in names(Path("c/figures-talk"))}
    assert stem.endswith("-hello-ratios")
    assert names(Path("c/figures-talk")) == {f"{stem}{end}" for end in ENDS}
    assert f"c/figures-talk/{stem}.talk.svg" in capsys.readouterr().out
    rows = list(csv.DictReader((Path("c/figures-talk") / f"{stem}.talk.csv").read_text(encoding="utf-8").splitlines()))
    assert {row["box"] for row in rows} == {"process", "docker"} - {rows[0]["baseline"]}
    assert (Path("c/figures-talk") / f"{stem}.talk.png").read_bytes().startswith(b"\x89PNG")


def test_each_kind_of_input_has_figures(
    figures: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gate").mkdir()
    write_result(gate_result(gate_row(Verdict.REGRESSED, 1.12)), Path("gate"))
    for line in make_history([100.0] * 12 + [130.0] * 12):
        add_line(DirectoryStore(Path("h")), line)
    write_model(Path("m.json"), small_model())
    Path("s.yaml").write_text("question: storm\nfixed: {cpus: 2}\naxes:\n  boxes: [1, 2, 4]\n", encoding="utf-8")
    assert boxbench(monkeypatch, "simulate", "sweep", "s.yaml", "m.json", "-o", "swept", "--scheduler", "serial") == 0
    for number, (path, name) in enumerate(
        (
            (Path("gate"), "gate"),
            (Path("h"), "history-0"),
            (PUBLISHED / "storm", "simulated-bands"),
            (Path("swept"), "simulated-fan-0"),
            (Path("m.json"), "model-stages"),
        )
    ):
        place = Path(f"f{number}")
        assert figures(path, "--only", name, "-o", place) == ExitCode.OK, capsys.readouterr().err
        (stem,) = {file.partition(".")[0] for file in names(place)}
        assert stem.endswith(f"-{name}")
    assert figures("m.json") == ExitCode.OK
    assert names(Path("m-figures-talk"))


@pytest.mark.host
def test_a_history_on_a_branch(figures: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Path("repo").mkdir()
    git(Path("repo"), "init", "-q", "-b", "main")
    git(Path("repo"), "commit", "-q", "--allow-empty", "-m", "begin")
    for line in make_history([100.0] * 12 + [130.0] * 12):
        add_line(BranchStore(Path("repo"), "kept"), line)
    branch = ("--branch", "kept", "--repository", "repo")
    assert figures(*branch, "-o", "f") == ExitCode.OK, capsys.readouterr().err
    (file,) = Path("f").glob("*-history-0.talk.json")
    about = json.loads(file.read_text())
    assert "boxbench history check --branch kept --repository repo" in about["source"]
    assert about["again"].startswith("boxbench figures --branch kept --repository repo --style talk --only history-0")
    for words, why in (
        (("--branch", "none", "--repository", "repo"), "there is no history in branch none"),
        (("--repository", "repo"), "--repository repo has no effect without --branch"),
        (("c", *branch), "c and --branch kept are two places"),
        (("-t", "docker", *branch), "--targets has no effect on the branch kept"),
        ((), "there is nothing to draw"),
    ):
        assert figures(*words, "-o", "other") != ExitCode.OK
        assert why in " ".join(capsys.readouterr().err.split())
        assert not Path("other").exists()


def test_a_letter_that_the_font_lacks_is_told_and_kept_as_text(
    figures: Call, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), blocks=8, warmups=0)
    made = make_records(manifest, (PROCESS, DOCKER), troubles=False)
    host = {**manifest.host, "cpu_model": "\u9f8d\u82af 3C5000"}
    write_campaign(Path("c"), manifest.model_copy(update={"host": host}), made)
    assert figures("c", "--only", "ratios") == ExitCode.OK
    said = " ".join(capsys.readouterr().err.split())
    assert "DejaVu Sans, has no \u82af \u9f8d: PNG files show a box" in said
    assert "\u9f8d\u82af 3C5000" in next(Path("c").glob("figures-talk/*.talk.svg")).read_text(encoding="utf-8")


def test_a_missing_font_is_told_and_its_text_is_there(
    figures: Call, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign(Path("c"))
    monkeypatch.setattr(settings, "FONT", "No Such Sans")
    assert figures("c", "--only", "ratios") == ExitCode.OK
    said = " ".join(capsys.readouterr().err.split())
    assert "the font No Such Sans is not installed: DejaVu Sans stands for it" in said
    assert "install fonts-dejavu-core" in said
    assert "findfont" not in said
    assert "docker" in next(Path("c").glob("figures-talk/*.talk.svg")).read_text(encoding="utf-8")


def test_what_cannot_be_drawn_is_named(figures: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    write_campaign(Path("empty"), make_manifest(("hello",), (PROCESS, DOCKER)), ())
    for words, why, hint in (
        (("c", "--style", "poster"), "--style poster: there is no such style", "there are page, talk"),
        (("c", "--style", "TLAK"), "--style TLAK: there is no such style", "did you mean 'talk'? there are page"),
        (("c", "--only", "pie"), "--only pie: c has no such figure", "hello-ratios"),
        (("empty",), "empty has no figures: no boot of it has a result", "boxbench report empty"),
        (("missing",), "missing is not a directory", "name the directory"),
    ):
        assert figures(*words, "-o", "f") == ExitCode.USAGE
        said = " ".join(capsys.readouterr().err.split())
        assert why in said
        assert hint in said
        assert not Path("f").exists()


def test_a_directory_of_somebody_else_needs_force(figures: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    Path("f").mkdir()
    Path("f/mine.txt").write_text("mine", encoding="utf-8")
    assert figures("c", "--only", "ratios", "-o", "f") == ExitCode.USAGE
    assert "f" in capsys.readouterr().err
    assert names(Path("f")) == {"mine.txt"}
    assert figures("c", "--only", "ratios", "-o", "f", "--force") == ExitCode.OK
    assert Path("f/mine.txt").read_text(encoding="utf-8") == "mine"
    assert len(names(Path("f"))) == 1 + len(ENDS)
