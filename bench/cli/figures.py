"""``boxbench figures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_results
from bench.cli.console import console
from bench.cli.options import ShownTargets
from bench.cli.progress import waiting
from bench.deck.figures import figures_of
from bench.render.figure_files import check_figures_place, write_figures
from bench.render.figures.style import STYLES
from bench.scenario.targets import split_labels
from bench.util.errors import UsageError
from bench.util.paths import is_file

Place = Annotated[
    Path,
    typer.Argument(
        metavar="PATH",
        help="Directory of a campaign, a gate, a history, or an answer or a sweep of `boxbench simulate`; "
        "file of a model.",
        autocompletion=complete_results,
        show_default=False,
    ),
]
StyleName = Annotated[str, typer.Option("--style", "-s", metavar="NAME", help=f"One of {', '.join(STYLES)}.")]
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
    typer.Option("--out", "-o", metavar="DIR", help="Where they are written.", show_default="PATH/figures-STYLE"),
]
Force = Annotated[bool, typer.Option("--force", help="Write into a directory that holds other files, too.")]


def figures(
    path: Place,
    style: StyleName = "talk",
    only: Only = None,
    targets: ShownTargets = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Each figure as SVG (light and dark), PNG, and its numbers as CSV and JSON. Text in SVG is text.

    talk is 16:9, talk-square 1:1, slide 16:9 without a title, paper 85 mm, paper-wide 170 mm, page as in reports.
    """
    if style not in STYLES:
        raise UsageError(f"--style {style}: there is no such style", hint=f"there are {', '.join(STYLES)}")
    place = out or (path.with_name(f"{path.stem}-figures-{style}") if is_file(path) else path / f"figures-{style}")
    check_figures_place(place, force=force)
    with waiting(console(stderr=True), "drawing the figures"):
        found = figures_of(path, STYLES[style], only=only or (), targets=split_labels(targets) if targets else ())
        files = write_figures(place, found, force=force, all_of_them=not only)
    for file in files:
        print(file)
