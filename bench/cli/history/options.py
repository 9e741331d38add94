"""Options that the history commands share: where the history is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from bench.history.git import BranchStore
from bench.history.store import DirectoryStore, Store
from bench.util.errors import UsageError

DEFAULT: Final = Path("boxbench-history")

Place = Annotated[
    Path | None, typer.Option("--dir", metavar="DIR", help="Directory of the history.", show_default=f"{DEFAULT}")
]
Branch = Annotated[
    str | None, typer.Option("--branch", metavar="NAME", help="A git branch that holds the history, instead of --dir.")
]
Repository = Annotated[
    Path, typer.Option("--repository", metavar="DIR", help="Git repository of the commits and of --branch.")
]


def open_store(place: Path | None, branch: str | None, repository: Path) -> Store:
    """The place of a history. Raises UsageError: two places were named."""
    if place is not None and branch is not None:
        raise UsageError("--dir and --branch are two places", hint="give one of them")
    return DirectoryStore(place or DEFAULT) if branch is None else BranchStore(repository, branch)
