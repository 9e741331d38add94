"""METHOD's chapter about figures, with an anchor for each kind, made from the texts that pages have.

Run as ``python -m tests.docs_figures`` to write it again. A unit test says when it is not current.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.render.figures.explained import CHAPTER, EXPLAINED

CHAPTERS: Final = Path(__file__).parent.parent / "docs" / "explanation"
FILE: Final = CHAPTERS / f"{CHAPTER}-every-figure.md"

_INTRO: Final = """\
**What it is.** A figure's name ends in its kind: `hello-ecdf` is the `ecdf` of the scenario hello. Here is each kind:
the question that it answers, what is drawn, and what it does not say. A caption on a page says how to read its
figure, and refers to this chapter. This page is made by `python -m tests.docs_figures`.
"""
_NAV: Final = "[28. Figures, pages and decks](28-figures-pages-and-decks.md) · [all chapters](method.md)"


def chapter(number: int) -> Path:
    """The file of a chapter of METHOD."""
    return next(CHAPTERS.glob(f"{number:02d}-*.md"))


def text() -> str:
    """The chapter."""
    return "\n".join((f"# {CHAPTER}. Every figure\n", _INTRO, *_parts(), f"---\n\n{_NAV}\n"))


def _parts() -> Iterator[str]:
    for kind, one in EXPLAINED.items():
        links = ", ".join(f"[chapter {number}]({chapter(number).name})" for number in one.chapters)
        yield f"## Fig. {kind}\n\n**{one.shows}** {one.made}\n\n**Its error.** {one.error}\n\nIts numbers: {links}.\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
