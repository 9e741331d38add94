"""Sphinx's configuration of the documentation site: ``nox -s docs`` builds it.

The pages are plain Markdown that a forge shows without a build. So the whole repository is the source directory, of
which a few files are pages, and the site has the same paths: a link between two files is right in both places. Added
here are the order of the pages, and copies of the files to which pages link.
"""

from __future__ import annotations

import html
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

ROOT: Final = Path(__file__).resolve().parents[1]

project = "Boxbench"
author = "the Boxbench authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "reports/published/**README.md"]
exclude_patterns = [".*", "bench", "build", "ci", "debian", "dist", "scenarios", "site", "tests", "reports/out"]
myst_heading_anchors = 5
# In prose, -- is an option of a command.
smartquotes = False
html_theme = "furo"
html_title = "Boxbench"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
# An external link needs a network: `nox -s docs -- --external`.
linkcheck_timeout = 20
linkcheck_retries = 2

ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    "Tutorials": (
        "docs/tutorial/first-report",
        "docs/tutorial/your-dockerfile",
        "docs/tutorial/your-first-talk",
        "docs/tutorial/a-red-build",
        "docs/tutorial/*",
    ),
    "Questions": ("docs/questions",),
    "How-to": (
        "docs/how-to/install",
        "docs/how-to/one-line",
        "docs/how-to/read-a-report",
        "docs/how-to/quiet-host",
        "docs/how-to/campaign-over-night",
        "docs/how-to/when-it-fails",
        "docs/how-to/find-why-it-is-slow",
        "docs/how-to/compare",
        "docs/how-to/gate-in-ci",
        "docs/how-to/*",
    ),
    "Reference": (
        "docs/reference/commands",
        "docs/reference/exit-codes",
        "docs/reference/scenario",
        "docs/reference/*",
    ),
    "Explanation": ("docs/explanation/method", "docs/explanation/*"),
    "Published measurements": ("reports/published/README", "reports/published/*/README"),
    "The project": ("README", "CHANGELOG", "DESIGN", "METHOD"),
}
"""By heading of the menu, its pages in their order. A pattern stands for all other pages that it fits."""
CHAPTERS: Final = "docs/explanation/method"
"""The page below which the numbered chapters stand."""
_OF_A_PAGE: Final = re.compile(r'(?:href|src)="([^"#:?]+)"')
"""What a page of ours names in its own directory."""
_CHAPTER: Final = re.compile(r"docs/explanation/\d\d-")


def menu(pages: Iterable[str]) -> dict[str, list[str]]:
    """The pages under each heading of the menu, and the chapters under ``CHAPTERS``; each page once.

    Args:
        pages: names of all pages, which are paths without a suffix.
    """
    left = sorted(set(pages) - {root_doc})
    found = {CHAPTERS: [page for page in left if _CHAPTER.match(page)]}
    left = [page for page in left if page not in found[CHAPTERS]]
    named = {page for patterns in ORDER.values() for page in patterns}
    for heading, patterns in ORDER.items():
        chosen: list[str] = []
        for pattern in patterns:
            chosen += [page for page in left if _fits(page, pattern) and (page == pattern or page not in named)]
        found[heading] = list(dict.fromkeys(chosen))
    return found


def _fits(page: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), page) is not None


def toctrees(page: str, pages: Iterable[str]) -> str:
    """The Markdown that is added to a page so that the menu has other pages below it; empty for most."""
    below = menu(pages)
    if page == CHAPTERS:
        return _toctree("", below[CHAPTERS])
    return "".join(_toctree(heading, below[heading]) for heading in ORDER) if page == root_doc else ""


def _toctree(caption: str, pages: list[str]) -> str:
    lines = [":hidden:", *([f":caption: {caption}"] if caption else []), "", *(f"/{page}" for page in pages)]
    return "\n\n```{toctree}\n" + "\n".join(lines) + "\n```\n" if pages else ""


def _add_menu(app: Any, page: str, source: list[str]) -> None:
    source[0] += toctrees(page, app.env.found_docs)


def _link_to_files(app: Any, doctree: Any) -> None:
    """Makes plain links of those to files that are no pages, and copies the files to the same place in the site."""
    from docutils import nodes  # noqa: PLC0415 - a test reads this file where Sphinx is not installed
    from sphinx import addnodes  # noqa: PLC0415

    here = ROOT / f"{app.env.docname}.md"
    for node in [*doctree.findall(addnodes.download_reference), *doctree.findall(addnodes.pending_xref)]:
        file = linked_file(here, node["reftarget"], node.get("refdomain") == "doc", app.env.found_docs)
        if file is not None:
            address = Path(os.path.relpath(file, here.parent)).as_posix()
            link = nodes.reference("", "", *(child.deepcopy() for child in node.children), refuri=address)
            node.replace_self(link)
            _copy(file, Path(app.outdir))


def linked_file(here: Path, target: str, of_root: bool, pages: Iterable[str]) -> Path | None:
    """The file of this repository to which a link leads that leads to no page; None for other links.

    A directory stands for the page in it: its README, or its index.html.

    Args:
        here: the file with the link.
        target: the link's path, without a suffix and relative to the repository if ``of_root``.
    """
    if of_root:
        return None if target in pages else ROOT / f"{target}.md"
    path = (here.parent / target).resolve()
    if not target or not path.is_relative_to(ROOT):
        return None
    inside = (path / "README.md", path / "index.html") if path.is_dir() else (path,)
    file = next((one for one in inside if one.is_file()), None)
    return file.with_suffix(".html") if file is not None and _page(file) in pages else file


def _page(file: Path) -> str:
    return file.relative_to(ROOT).with_suffix("").as_posix()


def _copy(file: Path, site: Path) -> None:
    """Copies a file, and those that a page shows or links to in its own directory."""
    if not file.is_file():
        return
    place = site / file.relative_to(ROOT)
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    if file.suffix == ".html":
        for name in set(_OF_A_PAGE.findall(file.read_text(encoding="utf-8"))):
            _copy((file.parent / unquote(html.unescape(name))).resolve(), site)


def _begin(app: Any, error: Exception | None) -> None:
    """The site's own address leads to the first page."""
    if error is None and app.builder.format == "html":
        text = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Boxbench</title>'
            '<meta http-equiv="refresh" content="0; url=docs/index.html">'
            '<a href="docs/index.html">Boxbench</a></html>\n'
        )
        (Path(app.outdir) / "index.html").write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", _add_menu)
    # Before Sphinx takes the links to files, which it would copy to places of its own.
    app.connect("doctree-read", _link_to_files, priority=100)
    app.connect("build-finished", _begin)
    return {"parallel_read_safe": True}
