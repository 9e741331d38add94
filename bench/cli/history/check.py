"""``boxbench history show`` and ``boxbench history check``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console, print_json
from bench.cli.history.options import Branch, Place, Repository, open_store
from bench.cli.options import Json
from bench.history.acknowledge import FILE, read_acknowledgements
from bench.history.detect import Checked, check_lines
from bench.history.otava import otava_detector
from bench.history.store import Store, read_history
from bench.render.commands.history import checked_json, view_history, write_page
from bench.util.errors import UsageError
from bench.util.units import parse_change

Acknowledged = Annotated[
    Path | None,
    typer.Option(
        "--acknowledged", metavar="FILE", help="TOML file of accepted changes.", show_default=f"{FILE}, if it exists"
    ),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        metavar="N%",
        help="Smaller changes are shown but are no regression. 2% and 0.02 are the same.",
        show_default="2%, 0.5% of instructions",
    ),
]
Detector = Annotated[
    str,
    typer.Option(
        "--detector", metavar="own|otava", help="How changes are found: own rank tests, or Apache Otava if installed."
    ),
]
Page = Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Also write an HTML page with figures.")]


def _command(details: str, *, everything: bool) -> Callable[..., None]:
    """``show`` (every series) or ``check`` (only what became worse, and its exit code)."""

    def command(
        place: Place = None,
        branch: Branch = None,
        repository: Repository = Path(),
        acknowledged: Acknowledged = None,
        threshold: Threshold = None,
        detector: Detector = "own",
        page: Page = None,
        json: Json = False,
    ) -> None:
        checked = _check(open_store(place, branch, repository), acknowledged, threshold, detector)
        _show(checked, page, json=json, everything=everything)
        if not everything and checked.exit_code:
            raise typer.Exit(checked.exit_code)

    command.__doc__ = details
    return command


show = _command("A series is one metric of one cell on one host, over commits.", everything=True)
check = _command(
    "Exit codes: 0 nothing became worse, 3 something did, 4 every series is too short to tell. Changes listed in the "
    "file of accepted changes are not counted until their entry expires.",
    everything=False,
)


def _check(store: Store, acknowledged: Path | None, threshold: str | None, detector: str) -> Checked:
    if detector not in ("own", "otava"):
        raise UsageError(f"there is no detector {detector!r}", hint="own, or otava")
    try:
        limit = None if threshold is None else parse_change(threshold)
    except ValueError as error:
        raise UsageError(f"--threshold: {error}", hint="write for example --threshold 3%") from None
    file = acknowledged or Path(FILE)
    # A file that was named must exist; the default one may be missing.
    entries = read_acknowledgements(file) if acknowledged is not None or file.exists() else ()
    return check_lines(
        read_history(store),
        acknowledgements=entries,
        today=datetime.now(UTC).date(),
        threshold=limit,
        detector=otava_detector if detector == "otava" else None,
        name=detector,
    )


def _show(checked: Checked, page: Path | None, *, json: bool, everything: bool) -> None:
    if page is not None:
        write_page(checked, page, command=shlex.join(["boxbench", *sys.argv[1:]]))
    if json:
        print_json(checked_json(checked))
        return
    console().print(view_history(checked, everything=everything))
    if page is not None:
        print(page)
