"""Decks of comparisons, explanations and floors, and directories of other kinds."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.compare.stored import read_comparison
from bench.deck.figures import figures_of
from bench.deck.reading import deck_of
from bench.deck.slides import Deck, Slide
from bench.floor.model import TargetFloor, write_floors
from bench.render.commands.compare import write_comparison
from bench.render.commands.explain import write_explanations
from bench.render.figures.style import TALK
from bench.util.errors import CampaignError, UsageError
from tests.floors import floors_of, found_floor
from tests.unit.compare.test_compare import HOST, SLOW, compared, write
from tests.unit.explain.test_difference import explained


def _by_key(deck: Deck) -> dict[str, Slide]:
    return {slide.key: slide for slide in deck.slides}


def _compared(tmp_path: Path, change: dict[str, object] | None = None) -> Path:
    a, b = tmp_path / "before", tmp_path / "after"
    found = compared(write(a), write(b, SLOW, identity="c0ffee43", seed=2, change=change))
    write_comparison(found, tmp_path / "out", command="boxbench compare before after")
    return tmp_path / "out"


def test_a_comparison_has_its_answer_what_differs_and_its_limits(tmp_path: Path) -> None:
    place = _compared(tmp_path)
    deck = deck_of([place], png=False)
    slides = _by_key(deck)
    assert [key for key in slides if not slides[key].hidden] == [
        "question", "answer", "headline", "differs", "limits", "repeat",
    ]  # fmt: skip
    assert deck.title == "before against after"
    answer = slides["answer"]
    assert answer.sentence.startswith("B against A: hello/docker time to ready 1.4")
    assert answer.figure is not None
    boxes = {row[1] for row in answer.figure.table[1:]}
    assert "hello/libvirt/tcg" in boxes, "rows of the answer come before those of other metrics"
    for key in ("answer", "headline", "limits", "metric-1"):
        assert slides[key].caveat.startswith("Unpaired: ")
        assert "tcg: emulated CPU" in slides[key].caveat
    command = f"boxbench compare {tmp_path / 'before'} {tmp_path / 'after'}"
    assert slides["repeat"].source.command == command
    (figure,) = figures_of(place, TALK)
    assert figure.title == read_comparison(place).answer


def test_campaigns_of_two_hosts_have_slides_and_no_ratio(tmp_path: Path) -> None:
    place = _compared(tmp_path, {"host": {**HOST, "fingerprint": "0123456789ab"}})
    slides = _by_key(deck_of([place], png=False))
    answer = slides["answer"]
    assert answer.sentence.startswith("Side by side, not divided: ")
    assert answer.figure is None
    assert answer.table is not None
    assert answer.table[0] == ("box", "A", "B")
    assert answer.caveat.startswith("Two hosts (")
    assert "×" not in " ".join(cell for slide in slides.values() for row in slide.table or () for cell in row)
    with pytest.raises(UsageError, match="has no figures: two hosts") as caught:
        figures_of(place, TALK)
    assert "boxbench slides" in caught.value.hint


def test_control_characters_of_a_comparison_reach_no_figure_and_no_slide(tmp_path: Path) -> None:
    place = _compared(tmp_path)
    evil = "\x1b[31m\x01\x00\u202e"
    data = json.loads((place / "comparison.json").read_text(encoding="utf-8"))
    data["answer"] += evil
    for side in (data["a"], data["b"]):
        side.update({key: f"{value}{evil}" for key, value in side.items()})
    data["differences"] = [{key: f"{value}{evil}" for key, value in one.items()} for one in data["differences"]]
    for name in ("same", "only_a", "only_b", "notes", "told"):
        data[name] = [*data[name], f"more{evil}"]
    for row in data["rows"]:
        texts = ("scenario", "name", "label", "ratio_text", "word", "doubt")
        row.update({name: f"{row[name] or 'no'}{evil}" for name in texts})
    (place / "comparison.json").write_text(json.dumps(data), encoding="utf-8")

    (figure,) = figures_of(place, TALK)
    for svg in (figure.light_svg, figure.dark_svg):
        ElementTree.fromstring(svg)
    slides = deck_of([place], png=False).slides
    told = [
        (slide.sentence, slide.lines, slide.table, slide.notes, slide.caveat, slide.alt, slide.source)
        for slide in slides
    ]
    said = repr((figure.title, figure.alt, figure.how, figure.table, figure.data, told))
    for letter in ("\\x1b", "\\x01", "\\x00", "\\u202e"):
        assert letter not in said, letter


def test_a_comparison_whose_ratios_are_all_infinite_has_tables_alone(tmp_path: Path) -> None:
    place = _compared(tmp_path)
    data = json.loads((place / "comparison.json").read_text(encoding="utf-8"))
    for row in data["rows"]:
        row.update(ratio=None, interval=[1.0, None])
    (place / "comparison.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match="no ratio of it is a finite number above 0") as caught:
        figures_of(place, TALK)
    assert "boxbench slides" in caught.value.hint
    assert _by_key(deck_of([place], png=False))["answer"].table is not None


def test_a_comparison_of_an_older_version_is_told(tmp_path: Path) -> None:
    file = _compared(tmp_path) / "comparison.json"
    data = json.loads(file.read_text(encoding="utf-8"))
    del data["rows"][0]["word"]
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(CampaignError, match=r"not a comparison: rows\.0\.word") as caught:
        deck_of([tmp_path / "out"], png=False)
    assert "boxbench compare" in caught.value.hint


def test_an_explanation_has_its_phases_and_its_doubts(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a"), write(tmp_path / "b", SLOW, identity="c0ffee43", seed=2)
    found = [explained(f"{a}:docker", f"{b}:docker"), explained(f"{a}:docker", ":libvirt")]
    write_explanations(found, tmp_path / "out", command="boxbench explain A B -o out")
    deck = deck_of([tmp_path / "out"], png=False)
    slides = _by_key(deck)
    assert deck.title == "2 differences explained"
    assert {"question", "pair-1", "pair-2", "pair-1-phases", "limits", "repeat"} <= slides.keys()
    assert slides["pair-1"].sentence.endswith(".")
    assert slides["pair-1"].figure is not None
    assert "Two campaigns" in slides["pair-1"].caveat
    assert "emulated" not in slides["pair-1"].caveat
    assert "tcg: emulated CPU" in slides["pair-2"].caveat
    assert slides["repeat"].source.command == "boxbench explain A B -o out"
    table = slides["pair-1-phases"].table
    assert table is not None
    assert table[0] == ("phase", "A", "B", "difference [95 %]", "verdict")


def test_a_floor_has_its_figure_its_table_and_every_size(tmp_path: Path) -> None:
    never = found_floor(box="libvirt/tcg", outcome="none", floor_bytes=None)
    write_floors(tmp_path, floors_of(found_floor(), never))
    slides = _by_key(deck_of([tmp_path], png=False))
    assert list(slides) == ["question", "answer", "floors", "limits", "repeat", "tried-1", "tried-2"]
    assert slides["answer"].sentence == (
        "The least memory in which hello works: docker 6.00 MiB, libvirt/tcg more than 6.00 MiB."
    )
    assert slides["floors"].sentence == "Not every box has a floor in the range that was searched."
    assert "libvirt/tcg: emulated CPU" in slides["answer"].caveat
    assert slides["tried-1"].caveat == ""
    assert slides["repeat"].source.command == "boxbench floor hello"
    text = repr([(slide.sentence, slide.table, slide.notes) for slide in slides.values()])
    assert "\\x1b" not in text


def test_a_floor_that_one_boot_confirmed_says_so(tmp_path: Path) -> None:
    found = floors_of(found_floor())
    write_floors(tmp_path, found.model_copy(update={"terms": found.terms.model_copy(update={"confirmations": 1})}))
    question = _by_key(deck_of([tmp_path], png=False))["question"]
    assert question.lines[-1] == "At a floor the one boot had to work."


def test_floors_of_which_nothing_was_tried_are_refused(tmp_path: Path) -> None:
    nothing: TargetFloor = found_floor(outcome="none", floor_bytes=None, levels=())
    write_floors(tmp_path, floors_of(nothing))
    with pytest.raises(UsageError, match="no size of memory was tried"):
        deck_of([tmp_path], png=False)


@pytest.mark.parametrize(
    ("file", "what", "hint"),
    [
        ("request.json", "is a gate that has no verdict yet", "boxbench resume"),
        ("instructions.json", "holds counts of instructions", "boxbench instructions --against"),
        ("anatomy.json", "holds an anatomy without its campaign", "boxbench anatomy"),
        ("deck.html", "holds a deck", "that it was made of"),
        ("scenario.yaml", "holds a scenario, and no results", "boxbench run"),
    ],
)
def test_a_directory_of_another_kind_is_named(tmp_path: Path, file: str, what: str, hint: str) -> None:
    (tmp_path / file).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=what) as caught:
        deck_of([tmp_path])
    assert hint in caught.value.hint
