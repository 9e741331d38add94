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
    """The verdict from the stored stages of a gate that could not store it. Where it is stored, both are compared.

    Nothing is run. Exit codes: 0 not regressed, 3 regressed, 4 cannot tell.
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
    complain(f"{file} is another result: {'; '.join(changed[:5])}", "it was not changed")
