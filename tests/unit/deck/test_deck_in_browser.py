"""deck.html as a browser shows it: by keyboard, with a notes window, on paper, without its script, on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from bench.deck.html import KEYS, write_html
from bench.deck.slides import Deck, Slide
from bench.deck.text import unbroken
from tests.browser import Chromium, Opened, chromium

pytestmark = pytest.mark.host

CUT = """
() => [...document.querySelectorAll(".face")].filter(one => {
  const box = one.getBoundingClientRect();
  const below = part => part.getBoundingClientRect().bottom > box.bottom + 1;
  const scrolls = part => part.scrollHeight > part.clientHeight + 2 || part.scrollWidth > part.clientWidth + 2;
  return box.width && [...one.children].some(part => below(part) || part.matches(".scroll") && scrolls(part));
}).map(one => one.textContent.trim().slice(0, 60))
"""
"""Slides in which something does not fit."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(deck: Deck, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deck") / "deck.html"
    write_html(deck, path)
    return path


def shown(opened: Opened) -> str:
    """The numbers of the slides that can be seen."""
    found: list[str] = opened.page.evaluate(
        "() => [...document.querySelectorAll('.slide')].filter(one => one.checkVisibility()).map(one => one.id)"
    )
    return " ".join(found)


def press(opened: Opened, *keys: str) -> str:
    for key in keys:
        opened.page.keyboard.press(key)
    return shown(opened)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(browser: Chromium, file: Path, colours: Literal["light", "dark"]) -> None:
    opened = browser.open(file, colours=colours)
    # Colours differ in nothing but their contrasts.
    rules = ("color-contrast",) if colours == "dark" else ()
    for keys in ((), ("ArrowRight",), ("End",), ("?",), ("Escape", "o"), ("Escape", "p")):
        press(opened, *keys)
        assert opened.violations(rules=rules) == [], keys
    assert opened.errors == []
    assert opened.asked == []


def test_keys_move_through_the_deck(browser: Chromium, file: Path, deck: Deck) -> None:
    opened = browser.open(file)
    last = str(len(deck.slides) + 1)
    assert shown(opened) == "1"
    assert press(opened, "ArrowRight") == "2"
    assert press(opened, "Space", "PageDown", "ArrowDown") == "5"
    assert press(opened, "PageUp", "ArrowLeft", "Shift+Space") == "2"
    assert press(opened, "End") == last
    assert press(opened, "ArrowRight") == last
    assert opened.page.url.endswith(f"#{last}")
    assert press(opened, "Home", "ArrowLeft") == "1"
    assert opened.page.evaluate("() => document.activeElement.id") == "title-1"


def test_a_number_in_the_address_opens_that_slide(browser: Chromium, file: Path) -> None:
    opened = browser.open(file, fragment="#4")
    assert shown(opened) == "4"
    opened.page.evaluate("() => { location.hash = '#3' }")
    opened.page.wait_for_function("() => document.getElementById('3').checkVisibility()")
    assert shown(opened) == "3"
    assert shown(browser.open(file, fragment="#999")) != ""


def test_overview_black_page_and_help(browser: Chromium, file: Path, deck: Deck) -> None:
    opened = browser.open(file, fragment="#2")
    everything = " ".join(str(number) for number in range(1, len(deck.slides) + 2))
    assert press(opened, "o") == everything
    assert press(opened, "ArrowRight", "Enter") == "3"
    assert press(opened, "p") == everything
    assert press(opened, "p") == "3"
    press(opened, "b")
    assert opened.page.locator("#black").is_visible()
    assert press(opened, "b") == "3"
    assert not opened.page.locator("#black").is_visible()
    press(opened, "?")
    assert opened.page.locator("dialog dt").count() == len(KEYS)
    press(opened, "ArrowRight")
    press(opened, "Escape")
    assert shown(opened) == "3"
    opened.page.get_by_role("button", name="next").click()
    assert shown(opened) == "4"


def test_the_notes_window_follows_and_leads(browser: Chromium, file: Path, deck: Deck) -> None:
    opened = browser.open(file, fragment="#2")
    with opened.page.expect_popup() as waiting:
        opened.page.keyboard.press("s")
    notes = waiting.value
    assert notes.url == "about:blank"
    assert notes.locator("#said").text_content() == deck.slides[0].sentence
    assert notes.locator("#after").text_content() == unbroken(deck.slides[1].sentence)
    assert deck.slides[0].notes.split("\n")[0][:30] in (notes.locator("#notes").text_content() or "")
    assert re.fullmatch(r"\d\d:\d\d", notes.locator("#clock").text_content() or "")
    notes.keyboard.press("ArrowRight")
    assert shown(opened) == "3"
    assert notes.locator("#said").text_content() == unbroken(deck.slides[1].sentence)
    opened.page.keyboard.press("ArrowRight")
    assert notes.locator("#where").text_content() == f"4 / {len(deck.slides) + 1}"
    assert opened.errors == []


def test_tables_of_the_notes_window_have_the_letters_of_the_slide(browser: Chromium, file: Path, deck: Deck) -> None:
    number = next(at for at, slide in enumerate(deck.slides, start=2) if slide.table is not None)
    opened = browser.open(file, height=720, fragment=f"#{number}")
    with opened.page.expect_popup() as waiting:
        opened.page.keyboard.press("s")
    share = """at => {
      const cell = document.querySelector(at + " .face td");
      return parseFloat(getComputedStyle(cell).fontSize) / cell.closest(".face").clientWidth;
    }"""
    assert waiting.value.evaluate(share, "#view") == pytest.approx(opened.page.evaluate(share, ".now"), rel=0.05)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080), (1024, 768)])
def test_nothing_is_cut_from_a_slide(browser: Chromium, file: Path, deck: Deck, width: int, height: int) -> None:
    opened = browser.open(file, width=width, height=height)
    for _ in range(len(deck.slides) + 1):
        assert opened.page.evaluate(CUT) == []
        press(opened, "ArrowRight")


def test_a_small_table_has_large_letters_and_is_not_cut(browser: Chromium, tmp_path: Path) -> None:
    def size(rows: int) -> float:
        table = (("target", "boxes"), *((f"target {row}", "12 per host") for row in range(rows)))
        slide = Slide(key="a", sentence="A sentence of two lines " * 4, lines=("A line.",) * 3, table=table)
        shown = Deck(title="a", subtitle="", slides=(slide,), date="", source="")
        write_html(shown, tmp_path / f"{rows}.html")
        opened = browser.open(tmp_path / f"{rows}.html", height=720, fragment="#2")
        assert opened.page.evaluate(CUT) == []
        return float(opened.page.evaluate("() => parseFloat(getComputedStyle(document.querySelector('td')).fontSize)"))

    assert size(4) > 1.15 * size(6)


def test_without_its_script_it_is_a_long_page(browser: Chromium, file: Path, deck: Deck) -> None:
    opened = browser.open(file, script=False)
    assert opened.page.locator(".slide:visible").count() == len(deck.slides) + 1
    assert not opened.page.locator("#bar").is_visible()
    assert opened.page.locator("details.notes:visible").count() >= len(deck.slides)
    assert opened.errors == []


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_a_long_page(browser: Chromium, file: Path, deck: Deck, width: int) -> None:
    opened = browser.open(file, width=width, height=800)
    assert len(shown(opened).split()) == len(deck.slides) + 1
    assert opened.too_wide() == 0
    assert opened.small_targets() == []
    assert opened.violations() == []


def test_paper_has_a_page_for_each_slide(browser: Chromium, file: Path, deck: Deck, tmp_path: Path) -> None:
    opened = browser.open(file)
    opened.page.pdf(path=tmp_path / "p.pdf", prefer_css_page_size=True, print_background=True)
    content = (tmp_path / "p.pdf").read_bytes()
    assert len(re.findall(rb"/Type /Page\b", content)) == len(deck.slides) + 1
