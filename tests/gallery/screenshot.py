"""Pictures of pages, taken in Chromium. They are not compared: another version of it draws letters otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from tests.browser import chromium
from tests.gallery.listing import PUBLISHED, ROOT, Screenshot


def take(screenshots: Sequence[Screenshot]) -> None:
    """Take the pictures of pages of this repository again."""
    with chromium() as browser:
        for one in screenshots:
            opened = browser.open(ROOT / PUBLISHED / one.page, width=one.width, height=one.height)
            opened.page.screenshot(path=ROOT / PUBLISHED / one.file)
