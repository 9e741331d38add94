"""``boxbench explain``."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.options import Json
from bench.explain.cells import pairs
from bench.explain.difference import explain_difference
from bench.render.commands.explain import explanation_json, view_explanation

CellA = Annotated[
    str,
    typer.Argument(
        metavar="A",
        help="A cell of a campaign: DIR:SCENARIO/BOX. Only DIR means every cell that A and B have.",
        show_default=False,
    ),
]
CellB = Annotated[
    str,
    typer.Argument(metavar="B", help="Likewise. :SCENARIO/BOX is another cell of A's campaign.", show_default=False),
]
Force = Annotated[bool, typer.Option("--force", help="Compare even if host or limits differ; the result says so.")]


def explain(a: CellA, b: CellB, force: Force = False, json: Json = False) -> None:
    """Splits the difference of two stored cells into phases of the start, and into steps where starts were traced."""
    found = [explain_difference(left, right, force=force) for left, right in pairs(a, b)]
    if json:
        print_json([explanation_json(one) for one in found])
        return
    for one in found:
        console().print(view_explanation(one), "")
