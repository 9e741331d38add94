"""Makes all published results again from their records: ``python -m tests.gallery [--check] [--fast] [DIRECTORY...]``.

Without ``--check`` the repository gets what was made. With it, nothing is written; exits with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.browser import program
from tests.gallery import index
from tests.gallery.install import install, problems, strangers
from tests.gallery.listing import INDEX, LISTING, PUBLISHED, ROOT, Gallery, Result, read_gallery
from tests.gallery.make import copy_sources, make
from tests.gallery.screenshot import take


def main() -> int:
    """The command. Returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("directories", nargs="*", metavar="DIRECTORY", help="such as 2026-11-27-ladder; all")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    parser.add_argument("--fast", action="store_true", help="leave out what is slow: storms, fleets and checks")
    words = parser.parse_args()
    gallery = read_gallery()
    chosen = words.directories or [one.directory for one in gallery.result if not (words.fast and one.slow)]
    results = [one for one in gallery.result if one.directory in chosen]
    if unknown := set(chosen) - {one.directory for one in results}:
        parser.error(f"{LISTING} has no {sorted(unknown)[0]}")
    with tempfile.TemporaryDirectory(prefix="boxbench-gallery-") as root:
        made = copy_sources(gallery, Path(root))
        make(results, Path(root))
        if words.check:
            return _said([*_differences(gallery, results, made), *strangers(gallery)])
        for result in results:
            install(result, made)
    if program() is None:
        print("there is no Chromium: screenshots of pages stay as they are")
    else:
        take(gallery.screenshot)
    (ROOT / PUBLISHED / INDEX).write_text(index.text(gallery, ROOT / PUBLISHED), encoding="utf-8")
    return _said([f"{name} is in no line of gallery.toml" for name in strangers(gallery)])


def _differences(gallery: Gallery, results: list[Result], made: Path) -> Iterator[str]:
    for result in results:
        yield from problems(result, made)
    if index.text(gallery, ROOT / PUBLISHED) != (ROOT / PUBLISHED / INDEX).read_text(encoding="utf-8"):
        yield f"{PUBLISHED / INDEX} is not what its results say"


def _said(lines: list[str]) -> int:
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
