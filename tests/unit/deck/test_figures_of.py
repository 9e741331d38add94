"""Figures of directories in any style: which are made, and what they say of their origin."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from bench.deck.figures import figures_of
from bench.deck.reading import deck_of
from bench.deck.simulated import model_name
from bench.explain.stored import FILE as EXPLAINED
from bench.history.acknowledge import FILE
from bench.history.store import DirectoryStore, add_line
from bench.render.figures import base
from bench.render.figures.shown import choosing
from bench.render.figures.style import TALK
from bench.util.errors import UsageError
from tests.commands import boxbench
from tests.histories import make_history


def test_only_the_figures_that_are_wanted_are_finished(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    png_of = base.png_of

    def counted(*given: object, **named: object) -> bytes:
        made.append(1)
        return png_of(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(base, "png_of", counted)
    found = figures_of(campaign, TALK, only=("blocks", "hello-cpu"))
    assert {figure.name for figure in found} == {"hello-blocks", "hello-cpu"}
    assert len(made) == 2
    assert all(figure.light_png for figure in found)
    assert [figure.order for figure in found] == sorted(figure.order for figure in found)
    assert found[-1].order > 2
    with pytest.raises(UsageError, match=r"--only fan: .* has no such figure") as error:
        figures_of(campaign, TALK, only=("blocks", "fan"))
    assert "hello-ratios" in error.value.hint
    with pytest.raises(UsageError, match="--only RATIO:") as error:
        figures_of(campaign, TALK, only=("RATIO",))
    assert error.value.hint.startswith("did you mean 'ratios'? it has hello-")


def test_a_user_chooses_the_boxes(campaign: Path, tmp_path: Path) -> None:
    every, some = (figures_of(campaign, TALK, only=("ecdf",), targets=targets) for targets in ((), ("docker",)))
    assert {row[0] for figure in some for row in figure.data.rows} == {"docker"}
    assert {row[0] for figure in every for row in figure.data.rows} > {"docker"}
    assert all("not shown" in figure.notes for figure in some)
    with pytest.raises(UsageError, match="--targets dokcer: the campaign has no such target") as error:
        figures_of(campaign, TALK, targets=("docker", "dokcer"))
    assert error.value.hint.startswith("did you mean 'docker'? it has process")
    add_line(DirectoryStore(tmp_path / "history"), make_history([100.0])[0])
    with pytest.raises(UsageError, match="it holds no campaign"):
        figures_of(tmp_path / "history", TALK, targets=("docker",))


def test_a_figure_names_the_command_that_draws_it_again(
    campaign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (figure,) = figures_of(campaign, TALK, only=("ecdf",), targets=("docker", "process"))
    words = shlex.split(figure.again)
    assert words[:1] == ["boxbench"]
    assert boxbench(monkeypatch, *words[1:], "--out", tmp_path / "f") == 0
    (svg,) = (tmp_path / "f").glob("*.talk.svg")
    assert svg.read_text() == figure.light_svg
    assert json.loads(svg.with_suffix(".json").read_text())["again"] == figure.again
    with choosing(("docker",)):
        assert shlex.split(deck_of([campaign], png=False).source)[-2:] == ["--targets", "docker"]
    assert "--targets" not in deck_of([campaign], png=False).source


def test_a_figure_that_needs_more_boxes_says_how_many(campaign: Path) -> None:
    with pytest.raises(UsageError, match="this figure needs at least 4 boxes that were ready") as error:
        figures_of(campaign, TALK, only=("ladder",), targets=("docker",))
    assert "of docker are fewer" in str(error.value)
    assert "-t" in error.value.hint
    with pytest.raises(UsageError, match="needs at least 4 boxes"):
        figures_of(campaign, TALK, only=("hello-ladder",))


@pytest.mark.parametrize("wanted", ["helo-ratios", "other-ladder", "exercise", "hello-exercise"])
def test_a_figure_that_no_box_would_add_is_not_known(campaign: Path, wanted: str) -> None:
    """Its scenario is not the campaign's, or has no exercise."""
    with pytest.raises(UsageError, match=f"--only {wanted}: .* has no such figure"):
        figures_of(campaign, TALK, only=(wanted,))


def test_an_explanation_in_a_campaign_does_not_hide_its_figures(campaign: Path, tmp_path: Path) -> None:
    both = shutil.copytree(campaign, tmp_path / "both")
    (both / EXPLAINED).write_text("[]", encoding="utf-8")
    (figure,) = figures_of(both, TALK, only=("ecdf",), targets=("docker",))
    assert figure.name == "hello-ecdf"


def test_figures_and_slides_of_a_history_have_the_same_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = make_history([100.0] * 12 + [130.0] * 12)
    for line in lines:
        add_line(DirectoryStore(tmp_path / "history"), line)
    (tmp_path / FILE).write_text(f'[[acknowledge]]\ncommit = "{lines[12].commit.id}"\nreason = "known"\n')
    monkeypatch.chdir(tmp_path)
    picture = next(slide for slide in deck_of([Path("history")], png=False).slides if slide.key == "series-1")
    assert "(acknowledged)" in picture.sentence
    (figure,) = figures_of(Path("history"), TALK)
    assert "(acknowledged)" in figure.alt


def test_a_model_is_named_by_a_short_digest() -> None:
    assert model_name("sha256:" + "0123456789abcdef" * 4) == "sha256:0123456789ab"
    assert model_name(None) == model_name("") == "fitted for this check"
    assert model_name("evil\x1b[31m\u202e\nmodel") == "evil model"
