"""``boxbench gate judge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completing import complete_results
from bench.cli.gate.options import Summary
from bench.cli.gate.result import announce, check_summary, finish, keep
from bench.cli.messages import note
from bench.cli.options import Json
from bench.gate.again import judge_again

Directory = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        help="Directory of a `boxbench gate compare`.",
        show_default=False,
        autocompletion=complete_results,
    ),
]


def judge(directory: Directory, summary: Summary = None, json: Json = False) -> None:
    """Gives the verdict of a gate that measured all and then was killed, or had no space for its verdict.

    Reads the stored stages and runs nothing. A gate.json in DIR is kept, and compared with the new verdict.

    Exit codes: 0 not regressed, 3 regressed, 4 cannot tell.
    """
    check_summary(summary)
    result = judge_again(directory, announce, note)
    keep(result, directory)
    finish(result, directory, summary=summary, json=json)
