"""``boxbench simulate storm``, ``density`` and ``reboot``: text, JSON, pages, and one clear error for bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.sim.answer.answer import Answer
from bench.sim.host.storm import StormAnswer
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from tests.commands import simulate as call
from tests.question_models import make_model

QUICK = ("--draws", "4", "--replications", "1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file."""
    file = tmp_path / "model.json"
    write_model(file, make_model())
    return file


def test_a_storm_as_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    assert call(monkeypatch, "storm", model, "--boxes", 8, *QUICK) == ExitCode.OK
    said = capsys.readouterr()
    text = " ".join(said.out.split())
    assert text.startswith("Simulated: on 2 CPUs the last of 8 boxes is up after")
    for part in ("within the data", "last box up", "What limits it", "decides"):
        assert part in text
    # Progress is for terminals; elsewhere a long run says now and then that it goes on.
    assert all(line.endswith("so far)") for line in said.err.splitlines())


def test_a_storm_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    assert call(monkeypatch, "storm", model, "--boxes", "2,4,...,16", "-t", "docker", *QUICK, "--json") == ExitCode.OK
    found = StormAnswer.model_validate_json(capsys.readouterr().out)
    assert found.curve is not None
    assert [point.boxes for point in found.curve.points] == [2, 4, 8, 16]
    assert found.draws == 4


def test_a_page_is_one_file_that_loads_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page"
    assert call(monkeypatch, "storm", model, "--boxes", "1,4,16", *QUICK, "-o", out) == ExitCode.OK
    assert str(out / "index.html") in capsys.readouterr().out
    page = (out / "index.html").read_text(encoding="utf-8")
    for part in (
        "simulated, not measured",
        "Simulated storms of 16 boxes, until the last is up: ",
        "Simulated storms of 16 boxes are limited",
    ):
        assert part in page
    assert "<script" not in page
    assert 'src="http' not in page
    StormAnswer.model_validate_json((out / "answer.json").read_bytes())
    names = sorted(one.name for one in (out / "figures").iterdir())
    ends = (".svg", "-dark.svg", ".png", ".csv", ".json")
    assert {f"simulated-capacity{end}" for end in ends} <= set(names)
    assert len(names) % len(ends) == 0
    first = (out / "index.html").read_bytes()
    assert call(monkeypatch, "storm", model, "--boxes", "1,4,16", *QUICK, "-o", out) == ExitCode.OK
    assert (out / "index.html").read_bytes() == first


def test_a_directory_of_something_else_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    out = model.parent
    assert call(monkeypatch, "storm", model, "--boxes", 8, *QUICK, "-o", out) == ExitCode.USAGE
    said = capsys.readouterr()
    assert "holds files of something else, such as 'model.json'" in " ".join(said.err.split())
    assert said.out == ""
    assert [one.name for one in out.iterdir()] == ["model.json"]


def test_density(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    assert call(monkeypatch, "density", model, "--memory", "600MiB", "--reserve", "100MiB", "--json") == ExitCode.OK
    found = Answer.model_validate_json(capsys.readouterr().out)
    assert {one.name for one in found.quantities} == {"density.boxes", "density.further_box", "density.fixed"}


def test_density_beyond_the_data_is_a_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    assert call(monkeypatch, "density", model, "--memory", "6GiB") == ExitCode.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "fit 27 [25, 30] in libvirt/kvm and at least 160 in docker" in text
    assert "at least 160 boxes: the most that was measured is 16 boxes" in text
    assert call(monkeypatch, "density", model, "--memory", "6GiB", "--beyond") == ExitCode.OK
    text = capsys.readouterr().out
    assert text.startswith("⚠ docker: ")
    assert "Nothing that was measured supports this answer." in " ".join(text.split())


def test_what_cannot_be_answered_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = make_model()
    runc = found.targets["docker"].model_copy(update={"measured": {"boxes": (1, 2, 4, 8)}})
    file = tmp_path / "model.json"
    write_model(file, found.model_copy(update={"targets": found.targets | {"docker": runc}}))
    words = ("storm", file, "--boxes", 8, "--residents", 8, *QUICK)
    assert call(monkeypatch, *words) == ExitCode.OK
    text = " ".join(capsys.readouterr().out.split())
    assert "Not answered docker: 8 residents, and none were measured" in text
    assert call(monkeypatch, *words, "-t", "docker") == ExitCode.CANNOT_TELL


QUESTIONS = {
    "storm": ("--boxes", "4", *QUICK),
    "reboot": ("--boxes", "4", *QUICK),
    "density": ("--memory", "2GiB", "--draws", "4"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_json_is_all_that_is_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, question: str
) -> None:
    out = tmp_path / "page"
    assert call(monkeypatch, question, model, *QUESTIONS[question], "--json", "-o", out) == ExitCode.OK
    said = capsys.readouterr()
    assert json.loads(said.out) == json.loads((out / "answer.json").read_bytes())
    assert all(line.endswith("so far)") for line in said.err.splitlines()), said.err


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_place_with_files_of_others_is_refused_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, question: str
) -> None:
    monkeypatch.setattr(f"bench.cli.simulate.{question}.answer_{question}", _never)
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("42", encoding="utf-8")
    for place in (foreign, model, model / "below"):
        assert call(monkeypatch, question, model, *QUESTIONS[question], "-o", place) == ExitCode.USAGE
        said = capsys.readouterr()
        assert str(place) in "".join(said.err.split("\n"))
        assert "→" in said.err
    assert [one.name for one in foreign.iterdir()] == ["thesis.tex"]
    assert model.is_file()


def _never(*_arguments: object) -> None:
    raise AssertionError("the work began before the place was looked at")


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_interrupted_question_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, question: str
) -> None:
    out = tmp_path / "new" / "page"
    words = (question, model, *QUESTIONS[question], "-o", out)

    def interrupt(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(f"bench.cli.simulate.{question}.answer_{question}", interrupt)
        assert call(once, *words) == ExitCode.INTERRUPTED
    with monkeypatch.context() as once:
        once.setattr("bench.render.figures.answer_bands.draw", interrupt)
        assert call(once, *words) == ExitCode.INTERRUPTED
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == [model]


def test_reboot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path) -> None:
    words = ("reboot", model, "--boxes", "docker=6,libvirt=2", *QUICK)
    assert call(monkeypatch, *words) == ExitCode.OK
    assert "all 8 boxes are up" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("storm", "--boxes", "0"), 2, "--boxes: 0 is less than 1"),
        (("storm", "--boxes", "-4"), 2, "--boxes: -4 is less than 1"),
        (("storm", "--boxes", "many"), 2, "'many' is not a whole number"),
        (("storm", "--boxes", "4,2"), 2, "4, 2 does not ascend"),
        (("storm", "--boxes", "1,...,8"), 2, "'...' needs two numbers before it"),
        (("storm", "--boxes", "8", "--residents", "-1"), 2, "--residents"),
        (("storm", "--boxes", "8", "--cpus", "0"), 2, "--cpus"),
        (("storm", "--boxes", "8", "--residents", "9" * 20), 2, "--residents"),
        (("storm", "--boxes", "8", "--nested", "docker:docker", "--vm-cpus", "65537"), 2, "--vm-cpus"),
        (("storm", "--boxes", "8", "--nested", "docker:docker", "--per-vm", "1000001"), 2, "--per-vm"),
        (("storm", "--boxes", "8", "--seed", str(2**43)), 2, "--seed: 8796093022208 is more than 8796093022207"),
        (("storm", "--boxes", "8", "--seed", "-1"), 2, "--seed: -1 is less than 0"),
        (("storm", "--boxes", "1" * 5000), 2, "--boxes: 1111111111111111111... is more than 1000000"),
        (("storm", "--boxes", "8", "-t", "podman"), 2, "the model has no target 'podman'"),
        (("storm", "--boxes", "8", "--baseline", "podman"), 2, "--baseline podman"),
        (("storm", "--boxes", "8", "--draws", "41"), 2, "the model has 40 draws"),
        (("storm", "--boxes", "8", "--interval", "5"), 2, "has no unit"),
        (("storm", "--boxes", "800"), 4, "800 boxes are 100 times the most that was measured (8)"),
        (("storm", "--boxes", "8", "--cpus", "64"), 4, "64 CPUs are 32 times the most"),
        (("storm", "--boxes", "1000001"), 2, "1000001 is more than 1000000"),
        (("storm", "--boxes", "8", "--per-vm", "4"), 2, "--per-vm has no effect without --nested"),
        (("storm", "--boxes", "8", "--measured", "somewhere"), 2, "--measured has no effect"),
        (("storm", "--boxes", "1,8", "--measured", "somewhere", "--interval", "1s"), 2, "were requested at once"),
        (("storm", "--boxes", "1,8", "--host-change"), 2, "--host-change has no effect without --measured"),
        (("storm", "--boxes", "1,8", "--measured", "rund-2022"), 2, "the measured storms of a table with 104 CPUs"),
        (("storm", "--boxes", "1,8", "--measured", "rund-2022", "--host-change"), 2, "it has kata-qemu, "),
        (("storm", "--boxes", "8", "--nested", "docker"), 2, "is not of the form OUTER:INNER"),
        (("density", "--memory", "lots"), 2, "--memory: 'lots' is not of the form"),
        (("density", "--memory", "16"), 2, "--memory: '16' has no unit"),
        (("density", "--memory", "1GiB", "--reserve", "2GiB"), 2, "leaves nothing of 1.00 GiB"),
        (("storm", "--boxes", "1_0"), 2, "'1_0' is not a whole number"),
        (("density", "-t", "podman"), 2, "the model has no target 'podman'"),
        (("reboot", "--boxes", "docker=2,libvirt=81"), 4, "81 boxes are 10.1 times"),
        (("reboot", "--boxes", "docker=x"), 2, "'x' is not a whole number"),
        (("reboot", "--boxes", "docker=-1"), 2, "-1 is less than 1"),
        (("reboot", "--boxes", "podman=3"), 2, "the model has no target 'podman'"),
        (("reboot", "--boxes", "docker=3,docker=4"), 2, "names docker twice"),
        (("reboot", "--boxes", "docker=3", "-t", "docker"), 2, "-t has no effect"),
    ],
)
def test_bad_input_is_one_error(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Path,
    *,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    out = model.parent / "page"
    assert call(monkeypatch, words[0], model, *words[1:], "-o", out) == code
    text = capsys.readouterr()
    assert text.out == ""
    assert said in " ".join(text.err.split())
    assert "→" in text.err
    assert not out.exists()


def test_an_edited_model_says_so_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    content: dict[str, Any] = json.loads(model.read_text(encoding="utf-8"))
    content["targets"]["docker"]["parameters"]["ready.hold_work"]["value"] = 30e6
    model.write_text(json.dumps(content), encoding="utf-8")
    out = tmp_path / "page"
    assert call(monkeypatch, "storm", model, "--boxes", 8, "-t", "docker", *QUICK, "-o", out) == ExitCode.OK
    assert "assumed by you" in " ".join(capsys.readouterr().out.split())
    assert "assumed by you" in (out / "index.html").read_text(encoding="utf-8")
    assert StormAnswer.model_validate_json((out / "answer.json").read_bytes()).assumed


def test_a_model_without_its_seal_says_why_there_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    content: dict[str, Any] = json.loads(model.read_text(encoding="utf-8"))
    del content["seal"]
    model.write_text(json.dumps(content), encoding="utf-8")
    assert call(monkeypatch, "storm", model, "--boxes", 8, *QUICK) == ExitCode.CANNOT_TELL
    said = " ".join(capsys.readouterr().err.split())
    assert "the file has no seal" in said
    assert call(monkeypatch, "storm", model, "--boxes", 8, *QUICK, "--beyond") == ExitCode.OK
    assert "nothing in it counts as measured" in " ".join(capsys.readouterr().out.split())


def test_code_that_cannot_be_kept_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    monkeypatch.setattr("bench.sim.engine.jit._NOT_KEPT", ["the directory /x cannot be made: no", "another reason"])
    assert call(monkeypatch, "storm", model, "--boxes", 8, *QUICK) == ExitCode.OK
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("compiled code cannot be kept: the directory /x cannot be made: no; every command") == 1
    assert "NUMBA_CACHE_DIR" in said
    assert "another reason" not in said


def test_json_shows_what_a_name_hides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path
) -> None:
    found = make_model()
    evil = "docker\u202egnp\x9b31m"
    parts = {"targets": {evil: found.targets["docker"]}, "draws": {evil: found.draws["docker"]}}
    write_model(model, found.model_copy(update=parts))
    for words in (("storm", model, "--boxes", 8, *QUICK), ("density", model)):
        assert call(monkeypatch, *words, "--json") == ExitCode.OK
        out = capsys.readouterr().out
        assert "\u202e" not in out
        assert "\x9b" not in out
        assert {one["target"] for one in json.loads(out)["quantities"]} == {evil}
