"""Commands about what became slower since when."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import Json, app, console, print_json, shown
from bench.util.errors import UsageError

if TYPE_CHECKING:
    from bench.history.detect import Checked
    from bench.history.line import Commit, Line
    from bench.history.store import Store

history = typer.Typer(
    help="What became slower since when, commit by commit.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(history, name="history")

DEFAULT = Path("boxbench-history")

Place = Annotated[Path | None, typer.Option("--dir", metavar="DIR", help=f"Where the history lies [{DEFAULT}].")]
Branch = Annotated[str | None, typer.Option("--branch", metavar="NAME", help="A git branch instead of a directory.")]
Repository = Annotated[Path, typer.Option("--repository", metavar="DIR", help="The git repository [here].")]
Acknowledged = Annotated[
    Path | None,
    typer.Option("--acknowledged", metavar="FILE", help="Changes that are accepted [boxbench-acknowledged.toml]."),
]
Threshold = Annotated[
    float, typer.Option("--threshold", min=0.0, help="Changes below this are nobody's alarm (0.02: 2 %).")
]
Detector = Annotated[str, typer.Option("--detector", metavar="own|otava", help="Who looks for change points.")]
Page = Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Also write a page with figures.")]


@history.command()
def add(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="CAMPAIGN|COUNTS",
            help="Of one commit: campaign directories, instructions.json files or their gate's.",
        ),
    ],
    commit: Annotated[str, typer.Option("--commit", metavar="REV", help="What was measured.")] = "HEAD",
    place: Place = None,
    branch: Branch = None,
    repository: Repository = Path(),
    replace: Annotated[bool, typer.Option("--replace", help="Instead of what this commit has on this host.")] = False,
) -> None:
    """Add a campaign's medians, or counts, as lines of a history."""
    from bench.history.git import find_commit
    from bench.history.store import add_line

    found = find_commit(repository, commit)
    store = _store(place, branch, repository)
    for source in sources:
        for line in _lines(source, found):
            add_line(store, line, replace=replace)
            where = "instruction clock" if line.counted else "host"
            print(f"{found.id[:12]} on {where} {line.fingerprint}: {len(line.cells)} cells added to {store.where}")


def _lines(source: Path, commit: Commit) -> Sequence[Line]:
    from datetime import UTC, datetime

    from bench.history.instructions import counted_lines, counts_file
    from bench.history.line import summary_line
    from bench.instructions.model import read_instructions
    from bench.records.campaign import read_manifest, read_records

    counts = counts_file(source)
    if counts is None:
        return (summary_line(read_manifest(source), read_records(source), commit),)
    # Counts carry no date, so that the same ones are the same bytes: the file's own is a label.
    written = datetime.fromtimestamp(counts.stat().st_mtime, UTC).isoformat(timespec="seconds")
    lines, notes = counted_lines(read_instructions(counts), commit, measured_at=written)
    for note in notes:
        print(shown(f"note: {note}"), file=sys.stderr)
    return lines


@history.command()
def show(
    place: Place = None,
    branch: Branch = None,
    repository: Repository = Path(),
    acknowledged: Acknowledged = None,
    threshold: Threshold = 0.02,
    detector: Detector = "own",
    page: Page = None,
    json: Json = False,
) -> None:
    """Every series with its change points."""
    checked = _check(_store(place, branch, repository), acknowledged, threshold, detector)
    _tell(checked, page, json, everything=True)


@history.command()
def check(
    place: Place = None,
    branch: Branch = None,
    repository: Repository = Path(),
    acknowledged: Acknowledged = None,
    threshold: Threshold = 0.02,
    detector: Detector = "own",
    page: Page = None,
    json: Json = False,
) -> None:
    """As show; exit code 3 when something became worse.

    What an acknowledgement names does not count as worse until it ends.
    """
    checked = _check(_store(place, branch, repository), acknowledged, threshold, detector)
    _tell(checked, page, json, everything=False)
    if checked.exit_code:
        raise typer.Exit(checked.exit_code)


def _store(place: Path | None, branch: str | None, repository: Path) -> Store:
    from bench.history.git import BranchStore
    from bench.history.store import DirectoryStore

    if place is not None and branch is not None:
        raise UsageError("--dir and --branch are two places", hint="give one of them")
    return DirectoryStore(place or DEFAULT) if branch is None else BranchStore(repository, branch)


def _check(store: Store, acknowledged: Path | None, threshold: float, detector: str) -> Checked:
    from datetime import UTC, datetime

    from bench.history.acknowledge import FILE, read_acknowledgements
    from bench.history.detect import check as check_lines
    from bench.history.otava import otava_detector
    from bench.history.store import read_history

    if detector not in ("own", "otava"):
        raise UsageError(f"there is no detector {detector!r}", hint="own, or otava")
    file = acknowledged or Path(FILE)
    # A file that was named must be there; the usual one may be.
    entries = read_acknowledgements(file) if acknowledged is not None or file.exists() else ()
    return check_lines(
        read_history(store),
        acknowledgements=entries,
        today=datetime.now(UTC).date(),
        threshold=threshold,
        detector=otava_detector if detector == "otava" else None,
        name=detector,
    )


def _tell(checked: Checked, page: Path | None, json: bool, *, everything: bool) -> None:
    from bench.render.commands.history import checked_json, view_history, write_page

    if page is not None:
        write_page(checked, page)
    if json:
        print_json(checked_json(checked))
        return
    console().print(view_history(checked, everything=everything))
    if page is not None:
        print(page)
