"""``boxbench figures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_shown, one_of
from bench.cli.console import console
from bench.cli.loading import timed_directory
from bench.cli.messages import note
from bench.cli.options import HistoryBranchName, HistoryRepository, ShownTargets, given_path, history_branch
from bench.cli.progress import waiting
from bench.deck.figures import figures_of
from bench.deck.history import HistoryBranch
from bench.render.figure_files import check_figures_place, write_figures
from bench.render.figures.font import font_notes
from bench.render.figures.style import STYLES
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError
from bench.util.paths import is_file
from bench.util.text import meant_or_listed

Place = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        parser=given_path,
        help="Directory of a campaign, a gate, a history, a comparison, an explanation, a floor, or an answer or a "
        "sweep of `boxbench simulate`; file of a model.",
        autocompletion=complete_shown,
        show_default=False,
    ),
]
StyleName = Annotated[
    str,
    typer.Option("--style", "-s", metavar="NAME", help=f"One of {', '.join(STYLES)}.", autocompletion=one_of(STYLES)),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="A figure, such as hello-ecdf or ecdf; repeat it for several.",
        show_default="all",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Where they are written.",
        show_default="PATH/figures-STYLE; of a branch in reports/out",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write into a directory that holds other files, too.")]


def figures(
    path: Place = None,
    style: StyleName = "talk",
    only: Only = None,
    targets: ShownTargets = None,
    branch: HistoryBranchName = None,
    repository: HistoryRepository = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Each figure as SVG (light and dark), PNG, and its numbers as CSV and JSON. Text in SVG is text.

    talk is 16:9, talk-square 1:1, slide 16:9 without a title, paper 85 mm, paper-wide 170 mm, page as in reports.
    """
    if style not in STYLES:
        raise UsageError(
            f"--style {style}: there is no such style",
            hint=meant_or_listed(style, STYLES, f"there are {', '.join(STYLES)}"),
        )
    source = _source(path, history_branch(branch, repository))
    place = out or _place(source, style)
    check_figures_place(place, force=force)
    with waiting(console(stderr=True), "drawing the figures"):
        found = figures_of(source, STYLES[style], only=only or (), targets=split_labels(targets) if targets else ())
        files = write_figures(place, found, force=force, all_of_them=not only)
    for line in font_notes(found):
        note(line)
    for file in files:
        print(file)


def _source(path: Path | None, branch: HistoryBranch | None) -> Path | HistoryBranch:
    """Of what figures are made. Raises UsageError: of nothing, or of two things."""
    if path is None and branch is None:
        raise UsageError("there is nothing to draw", hint="name a directory, the file of a model, or --branch NAME")
    if path is not None and branch is not None:
        raise UsageError(f"{path} and --branch {branch.name} are two places", hint="give one of them")
    return branch or path or Path()


def _place(source: Path | HistoryBranch, style: str) -> Path:
    """Beside what is drawn; figures of a branch are in a directory of their own."""
    if isinstance(source, HistoryBranch):
        return timed_directory(f"figures-{style}")
    return source.with_name(f"{source.stem}-figures-{style}") if is_file(source) else source / f"figures-{style}"
