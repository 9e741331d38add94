"""``boxbench published``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.completing import complete_targets, one_of
from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.published.table import METRICS, select
from bench.render.commands.published import published_json, published_view


def published(
    target: Annotated[
        str,
        typer.Option(
            "--target",
            "-t",
            metavar="TARGET",
            help="Only figures like this target.",
            show_default=False,
            autocompletion=complete_targets,
        ),
    ] = "",
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            metavar="METRIC",
            help=f"Only one of {', '.join(METRICS)}.",
            show_default=False,
            autocompletion=one_of(METRICS),
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Figures of papers and projects, with what was timed from where to where, the host, and where it is written.

    Is 187 ms for a container plausible? Reports have a table of those that are like their boxes. They come from other
    hosts, so they are never part of a ratio.
    """
    rows = select(target, metric)
    if json:
        print_json(published_json(rows))
        return
    console().print(published_view(rows))
