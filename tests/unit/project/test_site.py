"""The menu of the site has every page once, files to which pages link are copied, and the check finds problems."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any, Final

import pytest

from tests import site_check

ROOT: Final = Path(__file__).parents[3]
CONF: Final[dict[str, Any]] = runpy.run_path(str(ROOT / "docs" / "conf.py"))
"""What Sphinx reads. Sphinx itself is not needed for it."""
STORM: Final = "reports/published/2026-11-27-web-service/storm"
"""A directory that has an index.html and no README."""


def _pages() -> list[str]:
    files = (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("reports/published/**/README.md"))
    return sorted(file.relative_to(ROOT).with_suffix("").as_posix() for file in files)


def test_every_page_is_in_the_menu_once() -> None:
    listed = [page for pages in CONF["menu"](_pages()).values() for page in pages]
    assert sorted([*listed, CONF["root_doc"]]) == sorted(_pages())


def test_a_new_page_needs_no_change_and_named_ones_come_first() -> None:
    found = CONF["menu"](["docs/how-to/a-new-one", "docs/how-to/install", "docs/explanation/01-x", "docs/elsewhere"])
    assert found["How-to"] == ["docs/how-to/install", "docs/how-to/a-new-one"]
    assert found[CONF["CHAPTERS"]] == ["docs/explanation/01-x"]
    assert "docs/elsewhere" not in [page for pages in found.values() for page in pages]


def test_only_two_pages_have_others_below_them() -> None:
    assert [page for page in _pages() if CONF["toctrees"](page, _pages())] == [CONF["CHAPTERS"], CONF["root_doc"]]


@pytest.mark.parametrize(
    ("target", "of_root", "file"),
    [
        ("../../ci/gate.sh", False, "ci/gate.sh"),
        (f"../../{STORM}/", False, f"{STORM}/index.html"),
        ("reports/published/2026-11-27-ladder/report", True, "reports/published/2026-11-27-ladder/report.md"),
        ("README", True, None),
        ("../../nothing", False, None),
        ("../../../outside.txt", False, None),
        ("", False, None),
    ],
)
def test_links_to_files(target: str, of_root: bool, file: str | None) -> None:
    found = CONF["linked_file"](ROOT / "docs" / "how-to" / "slides.md", target, of_root, ["README"])
    assert found == (None if file is None else ROOT / file)


def test_a_directory_with_a_page_stands_for_the_page() -> None:
    page = next(page for page in _pages() if page.startswith("reports/published/2"))
    found = CONF["linked_file"](ROOT / "README.md", str(Path(page).parent), False, _pages())
    assert found == ROOT / f"{page}.html"


GOOD: Final = (
    '<link href="s.css" rel="stylesheet"><img src="data:image/png;base64,AA"><h1 id="top">x</h1>'
    '<a href="#top">x</a><a href="https://example.org/">x</a><a href="below/">x</a><a href="below/index.html#y">x</a>'
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ""),
        ('<a href="gone.html">x</a>', "the link gone.html has no target"),
        ('<a href="below/#z">x</a>', "the link below/#z: there is no such anchor"),
        ('<a href="../other/a.html">x</a>', "the link ../other/a.html leaves the site"),
        ('<script src="https://example.org/a.js"></script>', "https://example.org/a.js is loaded from elsewhere"),
        ('<img src="//example.org/a.png">', "//example.org/a.png is loaded from elsewhere"),
        ('<p style="background: url(http://example.org/a)">', "http://example.org/a is loaded from elsewhere"),
        ("<style>@import 'https://example.org/a.css';</style>", "https://example.org/a.css is loaded from elsewhere"),
        ('<img src="gone.png">', "the link gone.png has no target"),
    ],
)
def test_the_check_finds(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "index.html").write_text('<a id="y"></a>', encoding="utf-8")
    (tmp_path / "s.css").write_text("p { background: url(below/index.html) }", encoding="utf-8")
    (tmp_path / "a.html").write_text(GOOD + text, encoding="utf-8")
    assert list(site_check.problems(tmp_path)) == ([f"a.html:1: {problem}"] if problem else [])


def test_a_style_sheet_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "s.css").write_text("@font-face { src: url('https://example.org/f.woff2') }", encoding="utf-8")
    assert list(site_check.problems(tmp_path)) == ["s.css:1: https://example.org/f.woff2 is loaded from elsewhere"]


def test_a_directory_without_pages_is_no_site(tmp_path: Path) -> None:
    assert site_check.main([str(tmp_path)]) == 1
