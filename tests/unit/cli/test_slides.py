"""``boxbench slides``: each kind of input, each format, where a deck is written, and what is refused."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from pptx import Presentation

from bench.deck.formats import FORMATS
from bench.gate.model import Verdict
from bench.gate.result import write_result
from bench.history.git import BranchStore
from bench.history.store import DirectoryStore, add_line
from bench.render.figures import campaign_figures
from bench.sim.model.file import write_model
from bench.util.errors import ExitCode
from bench.util.extras import adding
from tests.commands import boxbench
from tests.factories import DOCKER, PROCESS, make_manifest, make_records, write_campaign
from tests.gates import gate_result, gate_row
from tests.histories import git, make_history
from tests.unit.sim.sweep.sweeps import small_model

PUBLISHED = Path(__file__).parents[3] / "reports" / "published" / "2026-11-27-web-service"
Call = Callable[..., int]


@pytest.fixture
def slides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Calls the command in a directory of its own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: boxbench(monkeypatch, "slides", *words)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures, which take most of the time."""
    monkeypatch.setattr("bench.deck.campaign.campaign_figures", lambda *_arguments, **_named: ())
    for kind in ("gate", "history", "model", "simulation", "sweep"):
        monkeypatch.setattr(f"bench.deck.{kind}.drawn", lambda *_arguments: ())


def campaign(path: Path, *, blocks: int = 8, results: bool = True) -> Path:
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), blocks=blocks, warmups=0)
    records = make_records(manifest, (PROCESS, DOCKER), troubles=False) if results else ()
    return write_campaign(path, manifest, records)


def history(path: Path) -> Path:
    for line in make_history([100.0] * 12 + [130.0] * 12):
        add_line(DirectoryStore(path), line)
    return path


def sweep(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small sweep that has run."""
    write_model(Path("m.json"), small_model())
    Path("s.yaml").write_text("question: storm\nfixed: {cpus: 2}\naxes:\n  boxes: [1, 2, 4]\n", encoding="utf-8")
    assert boxbench(monkeypatch, "simulate", "sweep", "s.yaml", "m.json", "-o", "swept", "--scheduler", "serial") == 0
    return Path("swept")


def deck_text(place: Path = Path("d")) -> str:
    return (place / "deck.html").read_text(encoding="utf-8")


def test_all_formats_of_a_campaign_lie_beside_it(
    slides: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # One figure is as good as ten for the files.
    monkeypatch.setattr(
        "bench.deck.campaign.campaign_figures",
        lambda found, **named: campaign_figures(found, **named | {"only": ("hello-ratios",)}),
    )
    campaign(Path("c"))
    assert slides("c") == ExitCode.OK
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(" slides: hello")
    assert said[1:] == [f"c/deck/{one.file}" for one in FORMATS.values()]
    for name, beginning in (("deck.html", b"<!doctype"), ("deck.pdf", b"%PDF"), ("deck.marp.md", b"---\nmarp: true")):
        assert (Path("c/deck") / name).read_bytes().startswith(beginning)
    assert "format:\n  revealjs:" in Path("c/deck/deck.quarto.md").read_text(encoding="utf-8")
    assert len(Presentation("c/deck/deck.pptx").slides) == 7
    for kind in ("marp", "quarto"):
        pictures = list(Path(f"c/deck/deck.{kind}-pictures").iterdir())
        assert pictures
        markdown = Path(f"c/deck/deck.{kind}.md").read_text(encoding="utf-8")
        assert all(f"deck.{kind}-pictures/{file.name}" in markdown for file in pictures)


@pytest.mark.usefixtures("plain")
def test_a_deck_is_made_again_in_a_directory_that_exists(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    assert slides("c", "--format", "html,marp", "-o", "d") == ExitCode.OK
    before = deck_text()
    assert slides("c", "--format", "html", "-o", "d") == ExitCode.OK
    assert deck_text() == before
    assert Path("d/deck.marp.md").exists()
    Path("d/deck.html").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert slides("c", "--format", "html", "-o", "d") == ExitCode.USAGE
    assert "deck.html" in capsys.readouterr().err
    assert deck_text() == "mine"


@pytest.mark.usefixtures("plain")
def test_a_directory_of_somebody_else_is_refused(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    Path("thesis").mkdir()
    Path("thesis/chapter.md").write_text("work of years", encoding="utf-8")
    assert slides("c", "--format", "html", "-o", "thesis") == ExitCode.USAGE
    assert "thesis" in capsys.readouterr().err
    assert [file.name for file in Path("thesis").iterdir()] == ["chapter.md"]


@pytest.mark.usefixtures("plain")
def test_each_kind_of_input_has_a_deck(
    slides: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gate").mkdir()
    write_result(gate_result(gate_row(Verdict.REGRESSED, 1.12)), Path("gate"))
    inputs = (
        (campaign(Path("c")), "hello"),
        (Path("gate"), "Is slow worse than main?"),
        (history(Path("h")), "Did anything become worse over 24 commits?"),
        (PUBLISHED / "storm", "64 boxes of docker"),
        (PUBLISHED / "fleet", "no invocation may wait"),
        (PUBLISHED / "check-1-2", "How well does the model predict"),
        (sweep(monkeypatch), "Last box up: how does it change with boxes that start?"),
        (Path("m.json"), "What is known of starts in 2 targets"),
    )
    for number, (path, said) in enumerate(inputs):
        place = Path(f"deck-{number}")
        assert slides(path, "--format", "html", "-o", place) == ExitCode.OK, (path, capsys.readouterr().err)
        assert said in deck_text(place), path


@pytest.mark.usefixtures("plain")
def test_several_inputs_are_parts_in_a_place_of_their_own(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("one"))
    campaign(Path("two"))
    assert slides("one", "two", "--format", "html") == ExitCode.OK
    (file,) = Path("reports/out").glob("*-slides/deck.html")
    assert "Part 2 of 2: hello" in file.read_text(encoding="utf-8")
    assert str(file) in capsys.readouterr().out
    assert not Path("one/deck").exists()


@pytest.mark.usefixtures("plain")
def test_a_model_has_its_deck_beside_its_file(slides: Call) -> None:
    write_model(Path("model.json"), small_model())
    assert slides("model.json", "--format", "html") == ExitCode.OK
    assert "its numbers are no measurements" in deck_text(Path("model-deck"))


@pytest.mark.usefixtures("plain")
def test_simulated_decks_have_the_day_of_their_file(slides: Call) -> None:
    assert slides(PUBLISHED / "storm", "--format", "html", "-o", "d") == ExitCode.OK
    text = deck_text()
    assert "Simulated, not measured." in text
    assert ", written on 20" in text
    assert "This simulates all of it again." in text


@pytest.mark.host
@pytest.mark.usefixtures("plain")
def test_a_history_on_a_branch(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    Path("repo").mkdir()
    git(Path("repo"), "init", "-q", "-b", "main")
    git(Path("repo"), "commit", "-q", "--allow-empty", "-m", "begin")
    store = BranchStore(Path("repo"), "kept")
    for line in make_history([100.0] * 3):
        add_line(store, line)
    branch = ("--branch", "kept", "--repository", "repo")
    assert slides(*branch, "--format", "html", "-o", "d") == ExitCode.OK
    assert "boxbench history check --branch kept --repository repo" in deck_text()
    assert "boxbench slides --branch kept --repository repo" in deck_text()
    capsys.readouterr()
    for words, why in (
        (("--branch", "none", "--repository", "repo"), "there is no history in branch none"),
        (("--branch", "kept", "--repository", "missing"), "missing is no Git repository"),
        (("--repository", "repo"), "--repository repo has no effect without --branch"),
        ((), "there is nothing to make slides of"),
    ):
        assert slides(*words, "--format", "html", "-o", "other") != ExitCode.OK
        assert why in capsys.readouterr().err
        assert not Path("other").exists()


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize(
    ("blocks", "results", "said"),
    [
        (8, False, "c has no results to show: no trial has ended"),
        (1, True, "hello: no two boxes could be compared."),
    ],
)
def test_no_results_are_refused_and_one_block_is_shown(
    slides: Call, capsys: pytest.CaptureFixture[str], blocks: int, results: bool, said: str
) -> None:
    campaign(Path("c"), blocks=blocks, results=results)
    code = slides("c", "--format", "html", "-o", "d")
    assert code == (ExitCode.OK if results else ExitCode.USAGE)
    assert said in (deck_text() if results else capsys.readouterr().err)
    assert Path("d").exists() == results


def test_inputs_without_a_deck_say_what_to_name(
    slides: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(monkeypatch)
    Path("swept/results.json").rename("swept/results.bak")
    Path("explained").mkdir()
    Path("explained/explained.json").write_text("{}", encoding="utf-8")
    Path("text.md").write_text("# Text", encoding="utf-8")
    Path("damaged").mkdir()
    Path("damaged/results.json").write_text('{"question": "storm"}', encoding="utf-8")
    Path("nothing").mkdir()
    capsys.readouterr()
    for name, why, hint in (
        ("swept", "the sweep swept is not finished", "it goes on"),
        ("explained", "explained explains a model", "such as model.json"),
        ("text.md", "text.md is not a model", "boxbench simulate"),
        ("damaged", "damaged/results.json is not the results of a sweep: ", "ask the question again"),
        ("nothing", "nothing holds neither a campaign", "name the directory that a command printed"),
        ("missing", "missing is not a directory", "name the directory that a command printed"),
    ):
        assert slides(name, "--format", "html", "-o", "d") != ExitCode.OK
        said = " ".join(capsys.readouterr().err.split())
        assert why in said
        assert hint in said
        assert "Traceback" not in said
        assert not Path("d").exists()


@pytest.mark.usefixtures("plain")
def test_hostile_results_of_a_sweep_end_in_an_error(
    slides: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sweep(monkeypatch) / "results.json"
    text = file.read_text(encoding="utf-8")
    for old, new, why in (
        ('"question": "storm"', '"question": "\\u001b[31mx"', "there is no question"),
        ('"baseline"', '"baselin"', "baseline"),
        ('"targets": [', '"targets": ["lxc",', "a target has no numbers"),
        ('"fixed": {', '"fixed": {"evil": 1,', "has no parameter 'evil'"),
        ('"at": {\n    "boxes": 1', '"at": {\n    "cpus": 1', "a point does not lie on its axes"),
    ):
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        assert slides("swept", "--format", "html", "-o", "d") != ExitCode.OK
        said = " ".join(capsys.readouterr().err.split())
        assert why in said
        assert "\x1b" not in said
        assert "Traceback" not in said


def test_an_unknown_format_and_a_template_without_effect(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    for words, why in (
        (("--format", "odp"), "--format odp: there is no such format"),
        (("--format", "html,"), "--format 'html,' has a comma without a format"),
        (("--format", "pttx"), "did you mean 'pptx'? there are html, pdf, pptx, marp, quarto and all"),
        (("--format", "html", "--template", "x.pptx"), "--template x.pptx has no effect without pptx"),
        (("--format", "pptx", "--template", "x.pptx"), "--template x.pptx: there is no such file"),
    ):
        assert slides("c", *words, "-o", "d") == ExitCode.USAGE
        assert why in capsys.readouterr().err
        assert not Path("d").exists()


@pytest.mark.usefixtures("plain")
def test_a_template_without_layouts_leaves_no_deck(slides: Call, capsys: pytest.CaptureFixture[str]) -> None:
    campaign(Path("c"))
    shown = Presentation()
    for layout in list(shown.slide_layouts):
        shown.slide_layouts.remove(layout)
    shown.save("bare.pptx")
    assert slides("c", "--format", "html,pptx", "--template", "bare.pptx", "-o", "d") == ExitCode.USAGE
    assert "bare.pptx has no layout with a title" in " ".join(capsys.readouterr().err.split())
    assert not Path("d").exists()


@pytest.mark.usefixtures("plain")
def test_a_template_gives_its_layouts(slides: Call) -> None:
    campaign(Path("c"))
    shown = Presentation()
    for layout in shown.slide_layouts:
        layout.name = f"Example Inc. {layout.name}"
    shown.save("company.pptx")
    assert slides("c", "--format", "pptx", "--template", "company.pptx", "-o", "d") == ExitCode.OK
    made = Presentation("d/deck.pptx")
    assert {slide.slide_layout.name.partition(" Inc. ")[0] for slide in made.slides} == {"Example"}


@pytest.mark.usefixtures("plain")
def test_without_python_pptx_all_leaves_one_format_out_and_pptx_is_an_error(
    slides: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign(Path("c"))
    monkeypatch.setitem(sys.modules, "pptx", None)
    monkeypatch.setattr("bench.deck.formats.find_spec", lambda _name: None)
    assert slides("c", "-o", "d") == ExitCode.OK
    said = " ".join(capsys.readouterr().err.split())
    assert "deck.pptx is left out: it needs a package: " in said
    assert adding("python-pptx") in said
    assert Path("d/deck.html").exists()
    assert not Path("d/deck.pptx").exists()
    assert slides("c", "--format", "html,pptx", "-o", "e") == ExitCode.HOST_UNFIT
    assert adding("python-pptx") in " ".join(capsys.readouterr().err.split())
    assert not Path("e").exists()


@pytest.mark.usefixtures("plain")
def test_text_of_records_is_escaped_in_each_format(slides: Call) -> None:
    evil = "<script>alert(1)</script>"
    manifest = make_manifest(("hello",), (PROCESS, DOCKER), warmups=0).model_copy(update={"created_at": evil})
    write_campaign(Path("c"), manifest, make_records(manifest, (PROCESS, DOCKER), troubles=False))
    assert slides("c", "-o", "d") == ExitCode.OK
    assert evil not in deck_text()
    content = Path("d/deck.pptx").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any(evil.encode() in archive.read(name) for name in archive.namelist())
