"""``boxbench explain``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_results
from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.explain.cells import pairs
from bench.explain.difference import explain_difference
from bench.render.commands.explain import KIND, explanation_json, view_explanation, write_explanations
from bench.render.results import check_place

CellA = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="A cell of a campaign: DIR:SCENARIO/BOX. Only DIR means every cell that A and B have.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
CellB = Annotated[
    str,
    typer.Argument(
        metavar="B",
        help="Likewise. :SCENARIO/BOX is another cell of A's campaign.",
        show_default=False,
        autocompletion=complete_results,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Also write a page to this directory.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Compare even if host or limits differ; the result says so.")]


def explain(a: CellA, b: CellB, force: Force = False, out: Out = None, json: Json = False) -> None:
    """Splits the difference of two stored cells into phases of the start, and into steps where starts were traced."""
    if out is not None:
        check_place(out, generator=f"boxbench {KIND}")
    found = [explain_difference(left, right, force=force) for left, right in pairs(a, b)]
    words = ["boxbench", "explain", a, b, *(["--force"] if force else []), "-o", str(out)]
    page = None if out is None else write_explanations(found, out, command=shlex.join(words))
    if json:
        print_json([explanation_json(one) for one in found])
        return
    for one in found:
        console().print(view_explanation(one), "")
    if page is not None:
        print(f"report: {page}")
