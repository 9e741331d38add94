"""``boxbench history add``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.history.options import Branch, Place, Repository, open_store
from bench.cli.messages import note
from bench.cli.options import AllowSimulated
from bench.history.git import find_commit
from bench.history.icount_lines import counted_lines, counts_file
from bench.history.line import Commit, Line, summary_line
from bench.history.store import add_line
from bench.instructions.model import read_instructions
from bench.records.campaign import read_campaign

Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE",
        help="Results of one commit: campaign directories, instructions.json files, or the directory of a gate that "
        "counted instructions.",
        show_default=False,
    ),
]
Revision = Annotated[str, typer.Option("--commit", metavar="REV", help="The commit that was measured.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace what the history has for this commit on this host.")]


def add(
    sources: Sources,
    commit: Revision = "HEAD",
    place: Place = None,
    branch: Branch = None,
    repository: Repository = Path(),
    replace: Replace = False,
    allow_simulated: AllowSimulated = False,
) -> None:
    """The history gets one line per host and commit."""
    found = find_commit(repository, commit)
    store = open_store(place, branch, repository)
    for source in sources:
        for line in _lines(source, found, allow_simulated=allow_simulated):
            add_line(store, line, replace=replace)
            where = "instruction clock" if line.counted else "host"
            print(f"{found.id[:12]} on {where} {line.fingerprint}: {len(line.cells)} cells added to {store.where}")


def _lines(source: Path, commit: Commit, *, allow_simulated: bool) -> Sequence[Line]:
    counts = counts_file(source)
    if counts is None:
        return (summary_line(*read_campaign(source), commit, allow_simulated=allow_simulated),)
    # Counts have no date, so that equal counts are equal files. The file's own date is only a label.
    written = datetime.fromtimestamp(counts.stat().st_mtime, UTC).isoformat(timespec="seconds")
    lines, notes = counted_lines(read_instructions(counts), commit, measured_at=written)
    for text in notes:
        note(f"note: {text}")
    return lines
