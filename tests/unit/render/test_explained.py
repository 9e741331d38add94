"""Every figure has its explanation on the page and its anchor in METHOD."""

from __future__ import annotations

import re

import pytest

from bench.render.figures.explained import EXPLAINED, anchor, explanations, kind_of, more
from tests import docs_figures
from tests.docs_check import ROOT, anchors


def published_names() -> set[str]:
    """The names of the figures in all published directories and pages."""
    published = ROOT / "reports" / "published"
    files = {file.stem.removesuffix("-dark") for file in published.rglob("*.svg")}
    pages = [file.read_text(encoding="utf-8") for file in published.rglob("index.html")]
    return files | {name for page in pages for name in re.findall(r'<figure id="([^"]+)"', page)}


def test_every_published_figure_has_an_anchor() -> None:
    known = anchors(docs_figures.FILE.read_text(encoding="utf-8"))
    names = published_names()
    assert len(names) > 50
    assert [name for name in sorted(names) if anchor(kind_of(name)) not in known] == []


def test_the_chapter_is_current() -> None:
    # When this fails: python -m tests.docs_figures
    assert docs_figures.FILE.read_text(encoding="utf-8") == docs_figures.text()


@pytest.mark.parametrize(
    ("name", "scenario", "kind"),
    [
        ("hello-ecdf", "hello", "ecdf"),
        ("first-start-first-start", "first-start", "first-start"),
        ("check-memory-cpu", "check-memory", "cpu"),
        ("simulated-tornado-docker", "", "tornado"),
        ("check_beside_8-uml", "", "check"),
        ("history-3", "", "history"),
        ("gate", "", "gate"),
        ("hello-anatomy", "hello", "anatomy"),
        ("unheard-of", "", ""),
    ],
)
def test_the_name_of_a_figure_has_its_kind(name: str, scenario: str, kind: str) -> None:
    assert kind_of(name, scenario) == kind


def test_a_page_explains_each_kind_once_and_in_order() -> None:
    found = explanations(["ecdf", "", "ratios", "ecdf"])
    assert [kind for kind, _, _ in found] == ["ecdf", "ratios"]
    assert found[0][1].startswith(EXPLAINED["ecdf"].made)
    assert more("ecdf") == "More: METHOD 29, fig-ecdf."
    assert more("") == ""


def test_explanations_are_sentences() -> None:
    texts = [text for one in EXPLAINED.values() for text in (one.shows, one.made, one.error)]
    assert [text for text in texts if not text.endswith(".") or "  " in text or text[0].islower()] == []


def test_every_chapter_is_in_both_indexes_and_begins_with_its_answer() -> None:
    chapters = sorted(docs_figures.CHAPTERS.glob("[0-9][0-9]-*.md"))
    numbers = [int(chapter.name[:2]) for chapter in chapters]
    assert numbers == list(range(1, len(chapters) + 1))
    for index in (docs_figures.CHAPTERS / "method.md", ROOT / "METHOD.md"):
        text = index.read_text(encoding="utf-8")
        assert [chapter.name for chapter in chapters if f"{chapter.name})" not in text] == []
    for chapter, number in zip(chapters, numbers, strict=True):
        head, _, first, *_ = chapter.read_text(encoding="utf-8").splitlines()
        assert head.startswith(f"# {number}. ")
        assert first.startswith(("**In short.**", "**What it is.**", "Numbers"))
