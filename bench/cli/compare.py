"""``boxbench compare``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_results
from bench.cli.console import console, print_json
from bench.cli.loading import timed_directory
from bench.cli.options import Json, given_path
from bench.cli.progress import waiting
from bench.compare.compare import compare_campaigns, read_side
from bench.render.commands.compare import (
    check_comparison_place,
    comparison_json,
    view_compared,
    write_comparison,
)

A = Annotated[
    Path,
    typer.Argument(
        metavar="A",
        parser=given_path,
        help="Directory of a campaign: the base.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
B = Annotated[
    Path,
    typer.Argument(
        metavar="B",
        parser=given_path,
        help="Directory of another campaign.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        help="Directory for the page: a new one, or that of a former comparison.",
        show_default="reports/out/<time>-compare-<A>-<B>",
    ),
]


def compare(a: A, b: B, out: Out = None, json: Json = False) -> None:
    """Puts two stored campaigns beside each other: what differs between them, then every box and metric of both.

    On one host, B is divided by A. The intervals are unpaired, and a difference is sure only where the control stayed.
    Campaigns of two hosts stand side by side without a ratio. With --json, writes no page unless -o names its place.
    """
    if out is not None:
        check_comparison_place(out)
    compared = compare_campaigns(read_side("A", a), read_side("B", b))
    if json and out is None:
        print_json(comparison_json(compared))
        return
    place = out or timed_directory("compare-" + f"{a.resolve().name}-{b.resolve().name}"[:60])
    command = shlex.join(["boxbench", "compare", str(a), str(b), "-o", str(place)])
    with waiting(console(stderr=True), "writing the page"):
        page = write_comparison(compared, place, command=command)
    if json:
        print_json(comparison_json(compared))
        return
    console().print(view_compared(compared))
    print(f"report: {page}")
