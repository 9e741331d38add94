"""Show a gate's result, append its summary, end with its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import typer

from bench.cli.console import console, print_json_text
from bench.cli.messages import complain, note
from bench.export.jobsummary import bounded
from bench.export.jobsummary import summary as summary_text
from bench.gate.model import RESULT, GateResult
from bench.gate.result import differences, read_result, write_result
from bench.gate.rows import Question
from bench.render.commands.gate import gate_report, plan_lines
from bench.render.commands.gate_page import write_gate_page
from bench.util.errors import BoxbenchError, RecordError, UsageError


def finish(result: GateResult, place: Path | None, *, summary: Path | None, json: bool) -> NoReturn:
    """Print the result, append the summary, and exit with the verdict's code, even if the summary fails."""
    page = None if place is None else _page(result, place)
    # A closed pipe (rich ends the program then) does not change the verdict.
    with suppress(BrokenPipeError, SystemExit):
        _show(result, place, page, json=json)
    if summary is not None:
        try:
            append_summary(result, summary)
        except UsageError as error:
            complain(error.message, f"the verdict stands; {error.hint}")
    raise typer.Exit(result.exit_code)


def _page(result: GateResult, place: Path) -> Path | None:
    """The page's path; None where it could not be written, which changes no verdict."""
    try:
        return write_gate_page(result, place)
    except BoxbenchError as error:
        complain(error.message, f"the verdict stands; {error.hint}")
        return None


def _show(result: GateResult, place: Path | None, page: Path | None, *, json: bool) -> None:
    if json:
        print_json_text(result.model_dump_json(indent=2))
        return
    console().print(gate_report(result))
    if place is not None:
        print(f"result: {place / RESULT}")
    if page is not None:
        print(f"report: {page}")


def announce(questions: Sequence[Question], blocks: int) -> None:
    """Print on stderr, where progress goes, what confirmation can detect."""
    for line in plan_lines(questions, blocks):
        note(line)


def check_summary(file: Path | None) -> None:
    """Raise UsageError now, and not after an hour of boots, when a summary cannot be appended."""
    if file is None or (file.exists() and not file.is_file() and not file.is_dir()):
        # A pipe or a terminal is not tried: opening one may wait for its reader.
        return
    new = not file.exists()
    try:
        with file.open("a", encoding="utf-8"):
            pass
        if new:
            file.unlink()
    except OSError as error:
        raise _unwritable(file, error) from None


def append_summary(result: GateResult, file: Path) -> None:
    """Append the Markdown summary to a file. Raises UsageError: it cannot be written."""
    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(bounded(summary_text(result)))
    except OSError as error:
        raise _unwritable(file, error) from None


def _unwritable(file: Path, error: OSError) -> UsageError:
    return UsageError(
        f"--summary {file} cannot be written: {error.strerror}", hint="name a file in a directory that exists"
    )


def keep(result: GateResult, directory: Path) -> None:
    """Store a result that was judged again, unless there is one; then say whether both are the same."""
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
