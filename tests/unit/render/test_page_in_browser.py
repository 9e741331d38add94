"""The page of a report as a browser shows it: accessible, whole at every width, silent, and usable by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.render.report import write_report
from tests.browser import Chromium, chromium
from tests.factories import DOCKER, LIBVIRT, make_manifest, make_records, write_campaign

BOXES = (DOCKER, LIBVIRT)

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = make_manifest(("hello",), BOXES)
    folder = tmp_path_factory.mktemp("page") / "campaign"
    return write_report(write_campaign(folder, manifest, make_records(manifest, BOXES)), png=False).page


def test_axe_finds_nothing(browser: Chromium, page: Path) -> None:
    opened = browser.open(page)
    assert opened.violations() == []
    # Nothing but the contrast depends on the colours.
    opened.page.emulate_media(color_scheme="dark")
    assert opened.violations(rules=["color-contrast"]) == []
    assert opened.errors == []
    assert opened.asked == []


@pytest.mark.parametrize("width", [320, 390, 1280, 1920])
def test_it_fits_every_width(browser: Chromium, page: Path, width: int) -> None:
    opened = browser.open(page, width=width)
    assert opened.too_wide() == 0
    assert opened.words_cut() == []
    assert opened.small_targets() == []
    if width >= 1280:
        assert opened.scrolled() == []
    if width == 320:
        assert opened.violations() == []


def test_a_wide_table_says_on_a_phone_that_there_is_more(browser: Chromium, page: Path) -> None:
    opened = browser.open(page, width=320)
    assert opened.scrolled()
    found = opened.page.evaluate(
        "() => [...document.querySelectorAll('.scroll')].map(one => getComputedStyle(one).backgroundAttachment)"
    )
    assert set(found) == {"local, scroll"}, "the cover moves with the table, the shade stays at the edge"


def test_print_cuts_no_table_and_no_figure(browser: Chromium, page: Path) -> None:
    opened = browser.open(page, width=700)
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate(
        "() => [...document.querySelectorAll('.scroll')].every(one => getComputedStyle(one).overflowX === 'visible')"
    )
    heights = opened.page.evaluate(
        "() => [...document.querySelectorAll('figure svg')].map(one => one.getBoundingClientRect().height)"
    )
    assert max(heights) <= 21 / 2.54 * 96 + 1
