"""The page and the Markdown of one command's result: a verdict, figures, tables, notes. One content gives both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.render.commands.words import WORDS
from bench.render.figures.base import Figure
from bench.render.figures.contents import write_figure
from bench.render.markdown import escape, fence, table
from bench.render.results import write_results
from bench.render.simulation.glossary import Word
from bench.render.simulation.skeleton import render_page
from bench.render.text import clean
from bench.util.durable import replace_durably
from bench.util.errors import ResultError
from bench.util.nofollow import real_directory

PAGE: Final = "index.html"
TEXT: Final = "report.md"
FIGURES: Final = "figures"

_LONGEST_LINK: Final = 40

Rows = tuple[tuple[str, ...], ...]
"""A table of clean text; the first row is its head."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One section of a page.

    Attributes:
        anchor: its id.
        link: its name in the navigation; nothing: the id as words.
        intro: how to read it, in a sentence or two.
        numbers: the columns are numbers, so they stand at the right.
        first: it stands before the figures.
    """

    anchor: str
    title: str
    link: str = ""
    intro: str = ""
    table: Rows = ()
    lines: tuple[str, ...] = ()
    numbers: bool = True
    first: bool = False

    @property
    def name(self) -> str:
        """What the navigation calls it."""
        return clean(self.link or self.anchor.replace("-", " ").capitalize(), limit=_LONGEST_LINK)


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a command found, as clean text.

    Attributes:
        kind: what the page is: ``gate``, ``comparison``.
        verdict: one sentence, before everything else.
        lead: what was compared, in a sentence.
        warnings: what a reader must know before the numbers.
        command: that writes the page again.
        provenance: what the numbers come from, without a full stop.
        words: those that occur on the page are explained on it.
    """

    kind: str
    verdict: str
    lead: str = ""
    warnings: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    command: str
    provenance: str
    words: tuple[Word, ...] = WORDS


def page_of(content: Content, figures: Sequence[Figure] = (), files: Mapping[str, bytes] | None = None) -> str:
    """The page's text. The same content gives the same bytes."""
    return render_page(
        "command.html.j2",
        figures=figures,
        warnings=content.warnings,
        eyebrow=content.kind,
        figures_title="In one figure" if len(figures) == 1 else "Figures",
        command=content.command,
        provenance=content.provenance,
        files=files,
        generator=generator_of(content.kind),
        words=content.words,
        content=content,
        parts=[part for part in content.parts if len(part.table) > 1 or part.lines],
    )


def markdown_of(content: Content, figures: Sequence[Figure] = ()) -> str:
    """The same as Markdown, with links to the figures beside it."""
    found = [f"# {escape(content.verdict)}", escape(content.lead)]
    found += [f"> **{escape(line)}**" for line in content.warnings]
    for part in (part for part in content.parts if part.first):
        found += _section(part)
    found += [f"![{escape(figure.alt)}]({FIGURES}/{figure.name}.svg)" for figure in figures]
    for part in (part for part in content.parts if not part.first):
        found += _section(part)
    found += ["## Redo", f"{escape(content.provenance)}.", fence(content.command)]
    return "\n\n".join(filter(None, found)) + "\n"


def _section(part: Part) -> list[str]:
    has_table = len(part.table) > 1
    if not (has_table or part.lines):
        return []
    found = [f"## {escape(part.title)}", escape(part.intro)]
    found += [table(part.table[0], part.table[1:], numbers=part.numbers)] if has_table else []
    return [*found, "\n".join(f"- {escape(line)}" for line in part.lines)]


def write_answer(directory: Path, content: Content, figures: Sequence[Figure], data: tuple[str, object]) -> Path:
    """Write a directory with page, Markdown, figures and one file of data; returns the page's path.

    Args:
        data: the file's name, and its value for JSON.

    Raises:
        UsageError: the directory holds something else.
        ResultError: it cannot be written.
    """
    name, value = data
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    page = page_of(content, figures, {name: text.encode()})
    texts = {name: text, TEXT: markdown_of(content, figures)}
    return write_results(directory, page, figures, texts, generator=generator_of(content.kind))


def generator_of(kind: str) -> str:
    """The mark of the pages of a command."""
    return f"boxbench {kind}"


def write_beside(
    directory: Path,
    content: Content,
    figures: Sequence[Figure] = (),
    files: Mapping[str, bytes] | None = None,
    *,
    names: tuple[str, str | None] = (PAGE, TEXT),
) -> Path:
    """Write page, Markdown and figures into a directory that holds the results; returns the page's path.

    Args:
        files: that readers can save from the page, by name.
        names: of the page and of the Markdown file; None: there is another one.

    Raises:
        ResultError: they cannot be written. The results are kept.
    """
    try:
        if figures:
            with real_directory(directory / FIGURES) as place:
                for figure in figures:
                    write_figure(place, figure)
        if names[1] is not None:
            replace_durably(directory / names[1], markdown_of(content, figures))
        replace_durably(directory / names[0], page_of(content, figures, files))
    except OSError as error:
        raise ResultError(
            f"the page of {directory} cannot be written: {error.strerror}",
            hint=f"the results are kept: make room, then `{content.command}` writes it",
        ) from None
    return directory / names[0]
