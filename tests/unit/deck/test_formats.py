"""Decks in each format, and a directory that gets all of them or none."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bench.deck import formats
from bench.deck.formats import FORMATS, Format, read_formats, write_deck
from bench.deck.html import render_html
from bench.deck.markdown import write_marp, write_quarto
from bench.deck.pdf import pdf_notes, write_pdf
from bench.deck.reading import deck_of
from bench.deck.slides import Deck, Slide
from bench.util.errors import ResultError, UsageError
from bench.util.outputs import LISTING
from tests.factories import DOCKER, HOSTILE, PROCESS, make_manifest, make_records, write_campaign
from tests.pages import Page

TEXT = ("html", "pdf", "marp", "quarto")
NASTY = "<script>alert(1)</script> --> {{x}} \"'& | `a`"


@pytest.fixture(scope="module")
def nasty() -> Deck:
    slide = Slide(
        key="a",
        sentence=NASTY,
        lines=(NASTY,),
        table=(("a", NASTY), (NASTY, "b")),
        caveat=NASTY,
        notes=NASTY,
        alt=NASTY,
    )
    return Deck(title=NASTY, subtitle=NASTY, slides=(slide,), date="2031-02-03", source=NASTY)


def test_the_page_has_a_section_for_each_slide(deck: Deck) -> None:
    page = Page(render_html(deck))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    sections = [attributes for tag, attributes in page.tags if tag == "section"]
    assert [one["id"] for one in sections] == [str(number) for number in range(1, len(deck.slides) + 2)]
    for _, attributes in page.tags:
        for name in attributes.get("aria-labelledby", "").split():
            assert name in ids


def test_the_policy_allows_the_one_script_and_no_request(deck: Deck) -> None:
    text = render_html(deck)
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert f"script-src 'sha256-{digest}'" in policy[1].replace("&#43;", "+")
    assert "default-src 'none'" in policy[1]
    assert len(script[0]) < 9_000
    outside = [one for _, attributes in Page(text).tags for name, one in attributes.items() if name in ("src", "href")]
    assert all(one.startswith(("#", "data:")) for one in outside)
    assert not re.search(r"url\((?!#)", text)


@pytest.mark.usefixtures("no_pictures")
def test_hostile_facts_of_a_host_are_text_in_every_format(tmp_path: Path) -> None:
    hostile = f"{HOSTILE}\ufffe\uffff\x0b $x_1$ %n " + "W" * 400
    manifest = make_manifest(("hello",), (PROCESS, DOCKER))
    host = manifest.host | {"cpu_model": hostile, "kernel_release": hostile}
    changed = {"host": host, "created_at": f"2031-02-03{hostile}", "boxbench": hostile, "notes": (hostile,)}
    manifest = manifest.model_copy(update={**changed, "command": ("boxbench", "run", "hello", hostile)})
    place = write_campaign(tmp_path / "campaign", manifest, make_records(manifest, (PROCESS, DOCKER)))
    files = write_deck(deck_of([place]), tmp_path / "deck", tuple(FORMATS))
    assert all(file.stat().st_size > 1000 for file in files)
    for file in files:
        content = file.read_bytes()
        assert b"\x1b[31m" not in content
        assert "\u202e".encode() not in content
        assert b"<script>alert('box')" not in (content if file.suffix == ".html" else b"")


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of the time, and have tests of their own."""
    monkeypatch.setattr("bench.deck.campaign.campaign_figures", lambda *_arguments, **_named: ())


def test_letters_that_the_font_of_a_pdf_lacks_are_named(nasty: Deck) -> None:
    assert pdf_notes(nasty) == ()
    (note,) = pdf_notes(replace(nasty, title="漢字"))
    assert "has no 字 漢: deck.pdf shows a box in its place" in note


def test_the_page_has_the_same_bytes_again(deck: Deck) -> None:
    assert render_html(deck) == render_html(deck)


def test_text_is_text_in_every_format(nasty: Deck, tmp_path: Path) -> None:
    page = render_html(nasty)
    assert page.count("<script") == 1
    assert "<script>alert" not in page
    write_marp(nasty, tmp_path / "m.md")
    write_quarto(nasty, tmp_path / "q.md")
    marp = (tmp_path / "m.md").read_text(encoding="utf-8")
    body = marp.split("\n---\n", 1)[1]
    assert body.count("-->") == body.count("<!--") == 3
    unescaped = re.compile(r"(?<!\\)<script")
    assert not unescaped.search(re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL))
    quarto = (tmp_path / "q.md").read_text(encoding="utf-8")
    head = yaml.safe_load(quarto.split("---\n")[1])
    assert head["title"] == NASTY
    assert not unescaped.search(quarto.split("---\n", 2)[2])


def test_a_pdf_has_a_page_of_text_for_each_slide(deck: Deck, tmp_path: Path) -> None:
    some = [next(slide for slide in deck.slides if slide.key == key) for key in ("question", "hello-answer", "repeat")]
    deck = replace(deck, slides=tuple(some))
    write_pdf(deck, tmp_path / "one.pdf")
    write_pdf(deck, tmp_path / "two.pdf")
    content = (tmp_path / "one.pdf").read_bytes()
    assert content == (tmp_path / "two.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", content)) == len(deck.slides) + 1
    assert b"/MediaBox [ 0 0 960 540 ]" in content
    assert b"/CIDFontType2" in content
    assert b"/Type3" not in content
    assert b"/Subtype /Image" not in content
    assert content.count(b"/Subtype /Text") >= len(deck.slides) - 1


def test_a_pdf_takes_long_sentences_and_tables(tmp_path: Path) -> None:
    rows = (("name", "what"), *((f"row {number}", "word " * 40 + "x" * 200) for number in range(8)))
    slide = Slide(key="a", sentence="word " * 45 + "end.", lines=("line " * 60,), table=rows, caveat="caveat " * 30)
    write_pdf(Deck(title="", subtitle="", slides=(slide,), date="", source=""), tmp_path / "long.pdf")
    assert (tmp_path / "long.pdf").stat().st_size > 1000


def test_markdown_has_pictures_beside_and_notes(deck: Deck, tmp_path: Path) -> None:
    write_marp(deck, tmp_path / "deck.marp.md")
    write_quarto(deck, tmp_path / "deck.quarto.md")
    marp, quarto = ((tmp_path / f"deck.{name}.md").read_text(encoding="utf-8") for name in ("marp", "quarto"))
    for name, text in (("marp", marp), ("quarto", quarto)):
        folder = tmp_path / f"deck.{name}-pictures"
        pictures = sorted(file.name for file in folder.iterdir())
        assert len(pictures) == sum(slide.figure is not None for slide in deck.slides)
        assert sorted(re.findall(rf"\({folder.name}/([^)]*)\)", text)) == pictures
    assert marp.startswith("---\nmarp: true\n")
    # A command in the notes can be run as it is.
    assert "boxbench run hello --seed 1" in marp
    assert len(re.split(r"\n---\n", marp)) == len(deck.slides) + 2
    assert quarto.count("::: {.notes}") == len(deck.slides)
    assert quarto.count("fig-alt=") == len(pictures)
    assert quarto.count('visibility="uncounted"') == sum(slide.hidden for slide in deck.slides)


def test_formats_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_formats("pdf, html,pdf") == ("pdf", "html")
    assert read_formats("all") == tuple(FORMATS)
    with pytest.raises(UsageError, match="--format odp: there is no such format"):
        read_formats("html,odp")


def test_a_new_directory_appears_whole(nasty: Deck, tmp_path: Path) -> None:
    files = write_deck(nasty, tmp_path / "a" / "deck", TEXT)
    assert [file.name for file in files] == [FORMATS[name].file for name in TEXT]
    assert all(file.is_file() for file in files)
    assert [place.name for place in (tmp_path / "a").iterdir()] == ["deck"]


def test_an_earlier_deck_is_replaced_and_other_formats_stay(nasty: Deck, tmp_path: Path) -> None:
    place = tmp_path / "deck"
    write_deck(nasty, place, TEXT)
    pdf = (place / "deck.pdf").read_bytes()
    write_deck(replace(nasty, title="new"), place, ("html",))
    assert "<title>new</title>" in (place / "deck.html").read_text(encoding="utf-8")
    assert (place / "deck.pdf").read_bytes() == pdf
    assert [file.name for file in place.iterdir() if file.name.startswith(".")] == [LISTING]


def test_nothing_is_written_when_a_writer_fails(nasty: Deck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(formats.FORMATS, "pdf", Format("deck.pdf", f"{__name__}:full_disk"))
    with pytest.raises(ResultError, match="No space left"):
        write_deck(nasty, tmp_path / "new" / "deck", ("html", "pdf"))
    assert not list(tmp_path.iterdir())
    old = tmp_path / "old"
    write_deck(nasty, old, ("html",))
    before = (old / "deck.html").read_bytes()
    with pytest.raises(ResultError):
        write_deck(replace(nasty, title="new"), old, ("html", "pdf"))
    assert (old / "deck.html").read_bytes() == before
    assert {file.name for file in old.iterdir()} == {LISTING, "deck.html"}


def full_disk(deck: Deck, path: Path) -> None:
    """A writer on a full disk."""
    raise OSError(28, "No space left on device", str(path))


def test_a_directory_of_something_else_is_refused(nasty: Deck, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match=r"holds files of something else, such as 'thesis\.tex'"):
        write_deck(nasty, tmp_path, ("html",))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UsageError, match="Not a directory"):
        write_deck(nasty, tmp_path / "thesis.tex", ("html",))


def test_a_slide_that_was_edited_is_not_replaced(nasty: Deck, tmp_path: Path) -> None:
    write_deck(nasty, tmp_path / "deck", ("html", "marp"))
    (tmp_path / "deck" / "deck.html").write_text("my words")
    with pytest.raises(UsageError, match=r"deck\.html was changed since it was written"):
        write_deck(nasty, tmp_path / "deck", ("html",))
    assert (tmp_path / "deck" / "deck.html").read_text() == "my words"


def test_notes_cannot_end_themselves(tmp_path: Path) -> None:
    slide = Slide(key="a", sentence="Sentence.", notes=":::\n\n---\n\nlast words")
    write_quarto(Deck(title="t", subtitle="", slides=(slide,), date="", source=""), tmp_path / "deck.quarto.md")
    lines = (tmp_path / "deck.quarto.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(":::")] == ["::: {.notes}", ":::"]
    assert lines.index("last words") < max(at for at, line in enumerate(lines) if line == ":::")
