"""``boxbench slides``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_shown, some_of
from bench.cli.console import console
from bench.cli.loading import timed_directory
from bench.cli.messages import note
from bench.cli.options import HistoryBranchName, HistoryRepository, ShownTargets, given_path, history_branch
from bench.cli.progress import waiting
from bench.deck.figures import check_targets
from bench.deck.formats import ALL, FORMATS, is_missing, read_formats, write_deck
from bench.deck.history import HistoryBranch
from bench.deck.pdf import pdf_notes
from bench.deck.reading import deck_of
from bench.render.figures.shown import choosing
from bench.scenario.targets import split_labels
from bench.sim.answer.words import count_text
from bench.util.errors import UsageError
from bench.util.extras import adding
from bench.util.outputs import check_place
from bench.util.paths import is_file

Places = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...",
        parser=given_path,
        help="Directories of campaigns, gates, histories, comparisons, explanations, floors, or answers and sweeps of "
        "`boxbench simulate`; files of models. Each is a part.",
        autocompletion=complete_shown,
        show_default=False,
    ),
]
FormatNames = Annotated[
    str,
    typer.Option(
        "--format",
        "-f",
        metavar="NAMES",
        help=f"Some of {', '.join(FORMATS)}, or {ALL}.",
        autocompletion=some_of((*FORMATS, ALL)),
    ),
]
Template = Annotated[
    Path | None,
    typer.Option("--template", metavar="FILE", help="A .pptx file whose layouts deck.pptx uses.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Where the deck is written.",
        show_default="PATH/deck; of a model beside its file; of several parts in reports/out",
    ),
]


def slides(
    paths: Places = None,
    formats: FormatNames = ALL,
    template: Template = None,
    targets: ShownTargets = None,
    branch: HistoryBranchName = None,
    repository: HistoryRepository = None,
    out: Out = None,
) -> None:
    """The same slides in each format: deck.html (keyboard, notes window, works offline), deck.pdf, deck.pptx,
    and Markdown for Marp and Quarto. Numbers of two parts are never pooled or compared.
    """
    history = history_branch(branch, repository)
    names = _formats(formats, template)
    place = out or _place(paths or [], history)
    check_place(place)
    with waiting(console(stderr=True), "making the slides"):
        wanted = split_labels(targets) if targets else ()
        for path in paths or []:
            check_targets(path, wanted)
        with choosing(wanted):
            options = _again(template)
            deck = deck_of(paths or [], png=any(FORMATS[name].png for name in names), branch=history, options=options)
        files = write_deck(deck, place, names, template=template)
    for line in pdf_notes(deck) if "pdf" in names else ():
        note(line)
    shown = sum(not slide.hidden for slide in deck.slides) + 1
    backup = len(deck.slides) + 1 - shown
    more = f" and {count_text(backup, 'backup slide')}" if backup else ""
    print(f"{shown} slides{more}: {deck.title}")
    for file in files:
        print(file)


def _again(template: Path | None) -> tuple[str, ...]:
    """The option that changes what slides look like: formats and places do not."""
    return ("--template", str(template)) if template is not None else ()


def _place(paths: Sequence[Path], history: HistoryBranch | None) -> Path:
    """Beside what is shown, where that is one thing: ``PATH/deck``, and ``model-deck`` of ``model.json``."""
    if len(paths) != 1 or history is not None:
        return timed_directory("slides")
    return paths[0].with_name(f"{paths[0].stem}-deck") if is_file(paths[0]) else paths[0] / "deck"


def _formats(formats: str, template: Path | None) -> tuple[str, ...]:
    """What is written. Raises UsageError: there is no such format, or the template would have no effect."""
    names = read_formats(formats)
    if template is not None and "pptx" not in names:
        raise UsageError(f"--template {template} has no effect without pptx", hint="add --format pptx")
    if template is not None and not is_file(template):
        raise UsageError(f"--template {template}: there is no such file", hint="name a .pptx file")
    if ALL in formats.split(","):
        return _installed(names, template)
    return names


def _installed(names: tuple[str, ...], template: Path | None) -> tuple[str, ...]:
    """The formats that this installation can write. With a template PowerPoint stays: its absence is an error then."""
    missing = [name for name in names if is_missing(name) and template is None]
    for name in missing:
        note(f"{FORMATS[name].file} is left out: it needs a package: {adding(FORMATS[name].package)}")
    return tuple(name for name in names if name not in missing)
