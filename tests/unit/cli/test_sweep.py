"""``boxbench simulate sweep``: results, continuation, and errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.unit.cli.test_cli import call
from tests.unit.sim.sweep.sweeps import small_model

FILE = "question: storm\nfixed: {cpus: 2}\naxes:\n  boxes: [1, 2, 4]\n"


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    write_model(Path("model.json"), small_model())
    Path("sweep.yaml").write_text(FILE, encoding="utf-8")


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    usual = ("sweep.yaml", "model.json", "-o", "out", "--scheduler", "serial")
    return call(monkeypatch, "simulate", "sweep", *usual, *words)


def test_a_sweep_and_its_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch) == ExitCode.OK
    said = capsys.readouterr()
    assert "Simulated: last box up over 3 points: docker" in said.out
    assert "page: out/index.html" in said.out
    assert "6 of 6 units" in said.err
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "simulated, not measured" in page
    assert "<svg" in page
    first = Path("out/results.json").read_bytes()
    assert run(monkeypatch, "--json") == ExitCode.OK
    again = capsys.readouterr()
    assert json.loads(again.out) == json.loads(first)
    assert "6 units were finished before" in again.err


def test_a_directory_of_another_seed_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch) == ExitCode.OK
    assert run(monkeypatch, "--seed", "2") == ExitCode.USAGE
    assert "out holds another sweep: sweep differs: seed was 1, is 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words", "code"),
    [
        ("question: storm\naxes: {boxes: [-1]}\n", "boxes is -1, less than 1", ExitCode.USAGE),
        ("question: storm\naxes: {boxs: [1]}\n", "storm has no parameter 'boxs'", ExitCode.USAGE),
        ("question: storm\naxes: {boxes: [100000]}\n", "more than 10 times beyond the data", ExitCode.CANNOT_TELL),
    ],
)
def test_wrong_questions_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, words: str, code: ExitCode
) -> None:
    Path("sweep.yaml").write_text(text, encoding="utf-8")
    assert run(monkeypatch) == code
    assert words in capsys.readouterr().err
    assert not Path("out").exists()


def test_an_interrupted_sweep_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.simulate.sweep.run_sweep", interrupted)
    assert run(monkeypatch) == ExitCode.INTERRUPTED
    assert "go on with `boxbench simulate sweep sweep.yaml model.json -o out" in capsys.readouterr().err


def test_an_interrupt_before_the_first_unit_speaks_of_a_simulation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_file: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.cli.simulate.sweep.read_model", interrupted)
    assert run(monkeypatch) == ExitCode.INTERRUPTED
    said = capsys.readouterr().err
    assert "each file is written whole or stays as it was" in said
    assert "trial" not in said


def test_a_place_of_something_else_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").write_text("mine", encoding="utf-8")
    assert run(monkeypatch) == ExitCode.USAGE
    assert "out is a file, not a directory" in capsys.readouterr().err
    assert Path("out").read_text(encoding="utf-8") == "mine"
    Path("out").unlink()
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine", encoding="utf-8")
    assert run(monkeypatch) == ExitCode.USAGE
    assert "holds no sweep (but notes.txt)" in capsys.readouterr().err
    assert [one.name for one in Path("out").iterdir()] == ["notes.txt"]
