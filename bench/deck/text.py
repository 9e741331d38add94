"""Text that fits on slides: whole clauses, whole words, tables that say what they leave out, keys, notes."""

from __future__ import annotations

import re
from typing import Final

from bench.deck.slides import Rows

LONGEST: Final = 230
"""Characters of a sentence. A longer one is cut at the end of a word."""
MOST_ROWS: Final = 8
"""Rows of a table on a slide, without its head."""
NO_BREAK: Final = "\N{NO-BREAK SPACE}"
_INTERVAL: Final = re.compile(r"[\[(](?=[^\[\]()]*\d)[^\[\]()]{1,30}[\])]")
_UNIT: Final = re.compile(r"(\d) (%|ns|µs|ms|s|B|KiB|MiB|GiB|k/s|M/s|/s)(?=[\s,.;:)]|$)")


def shortened(text: str, limit: int = LONGEST) -> str:
    """Text of at most ``limit`` characters, cut after a whole word with ``…`` at the end."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    words = text[:limit].rpartition(" ")[0] or text[: limit - 1]
    return f"{words.rstrip(',;: ')} …"


def first_clauses(text: str, limit: int = LONGEST) -> str:
    """The first clauses of a text that have room: whole ones, since half of one can say something else."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    ends = [found.start() for found in re.finditer(r"[;.] ", text) if found.start() < limit]
    return f"{text[: ends[-1]]}." if ends else shortened(text, limit)


def unbroken(text: str) -> str:
    """Text in which no line ends between a number and its unit, or within an interval. Commands stay as they are."""
    if text.startswith("boxbench "):
        # A shell takes no other blank for one.
        return text
    text = _INTERVAL.sub(lambda found: found[0].replace(" ", NO_BREAK), text)
    return _UNIT.sub(rf"\1{NO_BREAK}\2", text)


def key_of(*parts: str) -> str:
    """A key from names: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "slide"


def fitted_rows(rows: Rows, most: int = MOST_ROWS) -> Rows:
    """The table with at most so many rows; a last one then says how many are left out."""
    if len(rows) <= most + 1:
        return rows
    left_out = len(rows) - most
    return (*rows[:most], (f"{left_out} more", *("" for _ in rows[0][1:])))


def paragraphs(*parts: str) -> str:
    """The parts that are not empty, each as a paragraph."""
    return "\n\n".join(part.strip() for part in parts if part.strip())
