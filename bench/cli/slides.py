"""``boxbench slides``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console
from bench.cli.loading import timed_directory
from bench.cli.messages import note
from bench.cli.progress import waiting
from bench.deck.formats import ALL, FORMATS, is_missing, read_formats, write_deck
from bench.deck.reading import deck_of
from bench.util.errors import UsageError
from bench.util.outputs import check_place
from bench.util.paths import is_file

Places = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH",
        help="Directories of campaigns, gates, histories, or answers of `boxbench simulate`; a part for each.",
        show_default=False,
    ),
]
FormatNames = Annotated[
    str, typer.Option("--format", "-f", metavar="NAMES", help=f"Some of {', '.join(FORMATS)}, or {ALL}.")
]
Template = Annotated[
    Path | None,
    typer.Option("--template", metavar="FILE", help="A .pptx file whose layouts deck.pptx uses.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Where the deck is written.", show_default="PATH/deck"),
]


def slides(paths: Places, formats: FormatNames = ALL, template: Template = None, out: Out = None) -> None:
    """The same slides in each format: deck.html (keyboard, notes window, works offline), deck.pdf, deck.pptx,
    and Markdown for Marp and Quarto. Numbers of two directories are never pooled or compared.
    """
    names = read_formats(formats)
    if template is not None and "pptx" not in names:
        raise UsageError(f"--template {template} has no effect without pptx", hint="add --format pptx")
    if template is not None and not is_file(template):
        raise UsageError(f"--template {template}: there is no such file", hint="name a .pptx file")
    if ALL in formats.split(","):
        names = _installed(names, template)
    place = out or (paths[0] / "deck" if len(paths) == 1 else timed_directory("slides"))
    check_place(place)
    with waiting(console(stderr=True), "making the slides"):
        deck = deck_of(paths, png=any(FORMATS[name].png for name in names))
        files = write_deck(deck, place, names, template=template)
    shown = sum(not slide.hidden for slide in deck.slides) + 1
    backup = len(deck.slides) + 1 - shown
    print(f"{shown} slides{f' and {backup} backup slides' if backup else ''}: {deck.title}")
    for file in files:
        print(file)


def _installed(names: tuple[str, ...], template: Path | None) -> tuple[str, ...]:
    """The formats that this installation can write. With a template PowerPoint stays: its absence is an error then."""
    missing = [name for name in names if is_missing(name) and template is None]
    for name in missing:
        note(f"{FORMATS[name].file} is left out: it needs the extra {name}; pip install 'boxbench[{name}]'")
    return tuple(name for name in names if name not in missing)
