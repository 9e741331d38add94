"""Opens pages that Boxbench has written in Chromium, as readers do: looks, keys, colours, and what a page asks for.

Playwright drives the Chromium of the system. Nothing but files is opened: every other request is kept and refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.needs import need
from tests.waiting import LIMIT_S

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
LOCAL: Final = ("file:", "data:", "blob:", "about:")
_WORDS_CUT: Final = """
() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode());) {
    const cell = node.parentElement.closest("td, th");
    if (!cell || !cell.checkVisibility()) continue;
    for (const word of node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
      if (word[0].length > 24) continue;  // no word, but a digest
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].filter(box => box.width).map(box => Math.round(box.top)));
      if (tops.size > 1) found.push(word[0]);
    }
  }
  return found;
}
"""
_WIDE: Final = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_SCROLLED: Final = """
() => [...document.querySelectorAll(".scroll")]
  .filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map(one => one.querySelector("thead").innerText)
"""
_SMALL: Final = """
least => [...document.querySelectorAll("a, button, input, select, summary, [tabindex='0']")].filter(one => {
  if (!one.checkVisibility() || one.closest(".unseen, p, li, td, dd, figcaption, footer")) return false;
  const label = one.matches("input") && document.querySelector(`label[for="${one.id}"]`);
  const target = label || one.closest("label") || one;
  const box = target.getBoundingClientRect();
  return box.width && box.height && (box.width < least || box.height < least);
}).map(one => one.outerHTML.slice(0, 120))
"""


@dataclass
class Opened:
    """A page that is open in a browser, and what it did.

    Attributes:
        asked: addresses that are not local and that the page asked for. Each request was refused.
        errors: errors of scripts, refusals of the content policy, and other complaints of the browser.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def violations(self, within: str | None = None, *, rules: Sequence[str] = ()) -> list[str]:
        """What axe-core finds: the rule, the help, and the first place of each.

        Args:
            within: a selector; the whole page when None.
            rules: only these, such as ``color-contrast``.
        """
        options = {"runOnly": list(rules)} if rules else None
        found: list[dict[str, Any]] = Axe().run(self.page, context=within, options=options).response["violations"]
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['target']}" for one in found]

    def words_cut(self) -> list[str]:
        """Words in tables that a line break cuts. A break at a seam, such as a slash, cuts nothing."""
        found: list[str] = self.page.evaluate(_WORDS_CUT)
        return found

    def too_wide(self) -> int:
        """CSS pixels by which the page is wider than its window. A table that scrolls by itself does not count."""
        found: int = self.page.evaluate(_WIDE)
        return found

    def scrolled(self) -> list[str]:
        """Tables that are wider than their place, by the words of their heads: readers must scroll sideways."""
        found: list[str] = self.page.evaluate(_SCROLLED)
        return found

    def small_targets(self, least_px: int = 24) -> list[str]:
        """Controls that are narrower or lower than that. Links within a sentence do not count."""
        found: list[str] = self.page.evaluate(_SMALL, least_px)
        return found


@dataclass
class Chromium:
    """A browser that runs. It opens pages until it is closed."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)

    def open(
        self,
        file: Path,
        *,
        width: int = 1280,
        height: int = 900,
        colours: Literal["light", "dark"] = "light",
        script: bool = True,
        fragment: str = "",
    ) -> Opened:
        """Open a file in a new window.

        Args:
            width: of the window, in CSS pixels.
            colours: what the reader prefers.
            script: whether scripts run.
            fragment: of the address, with its ``#``.
        """
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colours,
            reduced_motion="reduce",
            java_script_enabled=script,
        )
        context.set_default_timeout(LIMIT_S * 1000)
        self.contexts.append(context)
        opened = Opened(context.new_page())
        context.route(lambda address: not address.startswith(LOCAL), lambda route: _refuse(route, opened))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on(
            "console", lambda said: opened.errors.append(said.text) if said.type in ("error", "warning") else None
        )
        opened.page.goto(file.resolve().as_uri() + fragment)
        return opened


def _refuse(route: Route, opened: Opened) -> None:
    opened.asked.append(route.request.url)
    route.abort()


def program() -> str | None:
    """The path of a Chromium; None when there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser until the context ends. Skips the test without one; in CI, fails it."""
    found = program()
    need(None if found else "Chromium is not installed: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, timeout=LIMIT_S * 1000)
        try:
            yield Chromium(browser)
        finally:
            browser.close()
