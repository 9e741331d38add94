"""What pages about simulations share: banners, figures, the words that occur, and how to make the page again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any, Final

from markupsafe import Markup

from bench.render.figures.base import Figure, with_variables
from bench.render.figures.explained import kind_of, more
from bench.render.html import attach, page_environment
from bench.render.palette import PALETTE
from bench.render.results import GENERATOR
from bench.render.simulation.glossary import GLOSSARY, Word, words_in
from bench.render.text import clean

SIMULATED: Final = "simulated, not measured"
_UNREAD: Final = re.compile(r"<(style|svg)\b.*?</\1>|<[^>]*>", re.DOTALL)
"""What readers of a page do not read as text."""


def render_page(
    template: str,
    *,
    figures: Sequence[Figure] = (),
    warnings: Sequence[str] = (),
    eyebrow: str = SIMULATED,
    figures_title: str = "Simulated, in figures",
    command: str = "",
    provenance: str = "",
    files: Mapping[str, bytes] | None = None,
    generator: str = GENERATOR,
    words: Sequence[Word] = GLOSSARY,
    **values: Any,
) -> str:
    """The text of a page that extends ``simulated.html.j2``. The same input gives the same bytes.

    Args:
        figures: shown in this order, before everything else.
        warnings: sentences above the headline.
        command: that makes the page again; without one there is no such section.
        provenance: what the numbers come from, without a full stop.
        files: that readers can save from the page, by name.
        generator: the page's mark.
        words: those that occur on the page are explained on it.
        values: of the template's own blocks.
    """
    environment = page_environment()
    shared = {
        # The style sheet is ours and holds colours only; autoescape would turn its quotes into entities.
        "style": Markup(environment.get_template("report.css.j2").render(colours=PALETTE)),
        "generator": generator,
        "figures": _figures(figures),
        "warnings": [clean(line, limit=2000) for line in warnings],
        "eyebrow": eyebrow,
        "figures_title": figures_title,
        "command": command,
        "provenance": provenance,
        **values,
    }
    page = environment.get_template(template)
    said = page_text(page.render(words=(), attachments=(), **shared)) if words else ""
    attachments = [attach(name, content) for name, content in (files or {}).items()]
    return page.render(words=words_in(said, words), attachments=attachments, **shared)


def page_text(page: str) -> str:
    """The text of a page without elements, styles and drawings."""
    return unescape(_UNREAD.sub(" ", page))


def _figures(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """How to read them is said below the first of each kind."""
    found, said = [], set()
    for figure in figures:
        how = "" if figure.how in said else f"{figure.how} {more(kind_of(figure.name))}".strip()
        svg = Markup(with_variables(figure.light_svg))
        found.append({"name": figure.name, "title": figure.title, "table": figure.table, "svg": svg, "how": how})
        said.add(figure.how)
    return found
