"""The page and the Markdown of one command's result: a verdict, figures, tables, notes. One content gives both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.render.figures.base import Figure, write_figure
from bench.render.markdown import escape, fence, table
from bench.render.simulation.skeleton import render_page
from bench.util.durable import replace_durably
from bench.util.errors import ResultError
from bench.util.nofollow import real_directory

PAGE: Final = "index.html"
TEXT: Final = "report.md"
FIGURES: Final = "figures"

Rows = tuple[tuple[str, ...], ...]
"""A table of clean text; the first row is its head."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One section of a page.

    Attributes:
        anchor: its id, which is also its name in the navigation.
        intro: how to read it, in a sentence or two.
        numbers: the columns are numbers, so they stand at the right.
        first: it stands before the figures.
    """

    anchor: str
    title: str
    intro: str = ""
    table: Rows = ()
    lines: tuple[str, ...] = ()
    numbers: bool = True
    first: bool = False


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
    """

    kind: str
    verdict: str
    lead: str = ""
    warnings: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    command: str
    provenance: str


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
        generator=f"boxbench {content.kind}",
        words=False,
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
