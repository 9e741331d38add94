"""Checks a built documentation site: every link leads to something, and no page loads anything from elsewhere.

Run as ``python -m tests.site_check DIRECTORY``, as ``nox -s docs`` does. It prints every problem, and exits with 1 if
there is one. Links to other sites need a network: ``nox -s docs -- --external`` follows them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADED: Final = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
"""By element, the attributes whose address a browser loads without being asked."""
_IN_STYLE: Final = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])([^'\")]+)")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)


class _Page(HTMLParser):
    """What a page links to, loads, and can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.loads: list[tuple[int, str]] = []
        self.anchors: set[str] = set()
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        line = self.getpos()[0]
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append((line, given["href"]))
        self.loads += [(line, given[name]) for name in _LOADED.get(tag, ()) if given.get(name)]
        self.loads += [(line, address) for address in _IN_STYLE.findall(given.get("style", ""))]
        self._style = tag == "style"

    def handle_endtag(self, _tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style:
            self.loads += [(self.getpos()[0], address) for address in _IN_STYLE.findall(data)]


def problems(site: Path) -> Iterator[str]:
    """Every problem of the pages and style sheets of a site, as ``FILE:LINE: problem``."""
    for file in sorted(site.rglob("*.html")):
        page = _read(file)
        name = file.relative_to(site)
        for line, address in page.loads:
            yield from (f"{name}:{line}: {problem}" for problem in _of_loaded(site, file, address))
        for line, address in page.links:
            yield from (f"{name}:{line}: {problem}" for problem in _of_link(site, file, address))
    for file in sorted(site.rglob("*.css")):
        for address in _IN_STYLE.findall(file.read_text(encoding="utf-8")):
            yield from (f"{file.relative_to(site)}:1: {problem}" for problem in _of_loaded(site, file, address))


def _of_loaded(site: Path, file: Path, address: str) -> Iterator[str]:
    if address.startswith("data:"):
        return
    if _SCHEME.match(address):
        yield f"{address[:80]} is loaded from elsewhere"
    else:
        yield from _of_link(site, file, address)


def _of_link(site: Path, file: Path, address: str) -> Iterator[str]:
    if _SCHEME.match(address):
        return
    parts = urlsplit(address)
    target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site.resolve()):
        yield f"the link {address} leaves the site"
    elif not target.is_file():
        yield f"the link {address} has no target"
    elif parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _read(target).anchors:
        yield f"the link {address}: there is no such anchor"


@cache
def _read(file: Path) -> _Page:
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    return page


def main(arguments: list[str]) -> int:
    """Print every problem of the site in the directory that is the only argument. Returns 1 if there is one."""
    site = Path(arguments[0]).resolve()
    found = list(problems(site))
    sys.stdout.writelines(f"{problem}\n" for problem in found)
    pages = len(list(site.rglob("*.html")))
    summary = f"{len(found)} problems" if found else "every link has a target, and nothing is loaded from elsewhere"
    sys.stdout.write(f"site of {pages} pages: {summary}\n")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
