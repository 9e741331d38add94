"""``boxbench gate judge``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.gate.options import Summary
from bench.cli.gate.result import announce, check_summary, finish
from bench.cli.messages import complain, note
from bench.cli.options import Json
from bench.gate.again import judge_again
from bench.gate.model import RESULT, GateResult
from bench.gate.result import differences, read_result, write_result
from bench.util.errors import RecordError

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory of a `boxbench gate compare`.", show_default=False)
]


def judge(directory: Directory, summary: Summary = None, json: Json = False) -> None:
    """Gives the verdict of a gate that measured all and then was killed, or had no space for its verdict.

    Reads the stored stages and runs nothing. A gate.json in DIR is kept, and compared with the new verdict.

    Exit codes: 0 not regressed, 3 regressed, 4 cannot tell.
    """
    check_summary(summary)
    result = judge_again(directory, announce, note)
    _keep(result, directory)
    finish(result, directory, summary=summary, json=json)


def _keep(result: GateResult, directory: Path) -> None:
    """Store the result, unless there is one; then say whether both are the same."""
    file = directory / RESULT
    if not file.exists():
        write_result(result, directory)
        return
    try:
        changed = differences(read_result(directory), result)
    except RecordError as error:
        complain(error.message, "it is replaced by the result of this judgement")
        write_result(result, directory)
        return
    if not changed:
        note(f"{file} has the same verdicts and numbers")
        return
    complain(
        f"warning: {file} does not say what its stages say: {'; '.join(changed[:5])}",
        "the file was kept; if it was edited or is of an older version, remove it and judge again",
    )
