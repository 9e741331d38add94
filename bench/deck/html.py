"""``deck.html``: one self-contained page that is shown slide by slide, and is a long page without its script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from bench.deck.slides import Deck, Rows, Slide
from bench.deck.text import unbroken
from bench.render.figures.base import with_variables
from bench.render.html import page_environment
from bench.render.palette import PALETTE
from bench.render.script.policy import policy
from bench.util.package_data import templates_dir

SCRIPT: Final = "deck.js"
KEYS: Final = (
    ("→ ↓ Space PageDown", "next slide"),
    ("← ↑ Shift+Space PageUp", "slide before"),
    ("Home, End", "first slide, last slide"),
    ("F", "full screen"),
    ("O", "overview: arrows and Enter choose"),
    ("S", "window with notes, clock and next slide"),
    ("B", "black, and back"),
    ("P", "all slides as one page, and back"),
    ("?", "these keys"),
)
_SIZES: Final = ((60, "large"), (110, "middle"), (170, "small"))
"""Up to so many characters a sentence has this size."""
_ROW_CHARS: Final = 64
"""Letters of a row of a table that are sure to have room in one line."""
_DENSITIES: Final = ((9, ""), (12, "dense"))
"""Up to so many lines a table has letters of this size."""
_ROOMY: Final = (5, 52)
"""A table of at most so many rows, none with more letters than this, has larger ones."""
_MOST_NUMBERS: Final = 24
"""Rows of a figure's table in the notes."""
_ID: Final = re.compile(r'\b(id="|href="#|url\(#)')
_LABELS: Final = re.compile(r'aria-labelledby="([^"]*)"')
_SIZE: Final = re.compile(r'(<svg\b[^>]*?) width="[^"]*"| height="[^"]*"')


def write_html(deck: Deck, path: Path) -> None:
    """Write the page. The same deck gives the same bytes. Raises OSError."""
    path.write_text(render_html(deck), encoding="utf-8")


def render_html(deck: Deck) -> str:
    """The page's text."""
    environment = page_environment()
    script = (templates_dir() / SCRIPT).read_text(encoding="utf-8").strip()
    return environment.get_template("deck.html.j2").render(
        deck=deck,
        slides=[_opening(deck), *(_slide(slide, number) for number, slide in enumerate(deck.slides, start=2))],
        # Style sheet, script and policy are ours; autoescape would turn their quotes into entities.
        style=Markup(environment.get_template("deck.css.j2").render(colours=PALETTE)),
        script=Markup(script),
        policy=Markup(policy(script)),
        keys=KEYS,
    )


def _opening(deck: Deck) -> dict[str, Any]:
    lines = tuple(line for line in (deck.subtitle, deck.date) if line)
    return {
        "opening": True,
        "sentence": deck.title,
        "size": size_of(deck.title),
        "lines": lines,
        "notes": tuple(filter(None, [deck.told])),
        "svg": None,
        "table": None,
        "dense": "",
        "numbers": None,
        "caveat": "",
        "hidden": False,
    }


def _slide(slide: Slide, number: int) -> dict[str, Any]:
    figure = slide.figure
    return {
        "opening": False,
        "sentence": unbroken(slide.sentence),
        "size": size_of(slide.sentence),
        "lines": tuple(map(unbroken, slide.lines)),
        "dense": _density(slide.table),
        "svg": None if figure is None else _picture(figure.light_svg, number),
        "table": slide.table and tuple(tuple(map(unbroken, row)) for row in slide.table),
        "caveat": slide.caveat,
        "notes": (*filter(None, slide.notes.split("\n\n")), *slide.source.lines),
        "numbers": None if figure is None or len(figure.table) > _MOST_NUMBERS else figure.table,
        "hidden": slide.hidden,
    }


def size_of(sentence: str) -> str:
    """The name of the size of a sentence: the longer, the smaller."""
    return next((name for most, name in _SIZES if len(sentence) <= most), "tiny")


def _density(rows: Rows | None) -> str:
    """A name for how much smaller or larger the letters of a table are; empty where they have the usual size."""
    if len(rows or ()) <= _ROOMY[0] and all(sum(map(len, row)) <= _ROOMY[1] for row in rows or ()):
        return "roomy"
    lines = sum(max(1, -(-sum(map(len, row)) // _ROW_CHARS)) for row in rows or ())
    return next((name for most, name in _DENSITIES if lines <= most), "densest")


def _picture(svg: str, number: int) -> Markup:
    """A figure for one slide: in the page's colours, as large as its place, with ids of its own.

    Two campaigns can have figures of one name, and ids of a page are unique.
    """
    prefix = f"s{number}-"
    text = _ID.sub(lambda found: f"{found[1]}{prefix}", with_variables(svg))
    text = _LABELS.sub(lambda found: f'aria-labelledby="{" ".join(prefix + one for one in found[1].split())}"', text)
    return Markup(_SIZE.sub(lambda found: found[1] or "", text, count=2))
