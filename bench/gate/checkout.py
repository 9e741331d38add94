"""Revisions of a scenario's repository, unpacked into directories. The repository is not changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.gate.sides import SideName, SidePair, make_side, split_side
from bench.scenario.model import load_scenario
from bench.util.errors import ProcessError, UsageError
from bench.util.git import commit_id, git
from bench.util.package_data import find_scenario

_NAMES: Final[tuple[SideName, SideName]] = ("A", "B")
CHECKOUTS: Final = tuple(name.lower() for name in _NAMES)
"""Directories in a gate's directory, one per side."""


def repository_of(directory: Path) -> Path:
    """The top of the git repository that holds ``directory``.

    Raises:
        UsageError: it is in none, or git is missing.
    """
    return Path(
        _git(directory, "rev-parse", "--show-toplevel", hint="--commits needs a scenario in a git repository")
    ).resolve()


def commit_of(repository: Path, revision: str) -> str:
    """The full hash of a revision. Raises UsageError."""
    try:
        return commit_id(repository, revision)
    except ProcessError:
        raise UsageError(
            f"{revision!r} is not a revision of {repository}",
            hint="`git log --oneline` lists revisions; in CI, fetch more than one commit (fetch-depth: 0)",
        ) from None


def unpack(repository: Path, commit: str, to: Path) -> None:
    """Write the files of a commit below ``to``, as a checkout would (filters, line ends), without a worktree.

    A private index is used: nothing is registered in the repository, and a kill leaves nothing there.

    Raises:
        UsageError: git failed.
    """
    to.mkdir(parents=True, exist_ok=True)
    index = to.with_name(f"{to.name}.index")
    env = {"GIT_INDEX_FILE": str(index.absolute())}
    try:
        _git(repository, "read-tree", commit, env=env)
        # git puts the prefix before file names as it is, so it needs its slash.
        _git(repository, "checkout-index", "--all", "--force", f"--prefix={to.absolute()}/", env=env)
    finally:
        index.unlink(missing_ok=True)


def _git(
    directory: Path, *arguments: str, env: dict[str, str] | None = None, hint: str = "the message is git's own"
) -> str:
    place = directory if directory.is_dir() else directory.parent
    try:
        return git(place, *arguments, env=env).text.strip()
    except ProcessError as error:
        raise UsageError(error.message, hint=hint) from None


def sides_of_commits(name: str, revisions: tuple[str, str], out: Path, targets: Sequence[str] | None) -> SidePair:
    """One scenario at two revisions, unpacked into ``out/a`` and ``out/b``.

    Raises:
        UsageError, ScenarioError: no repository, no such revision, or the revision has no such scenario.
    """
    path, spec = split_side(name)
    here = find_scenario(path).resolve()
    repository = repository_of(here)
    sides = []
    for side, revision in zip(_NAMES, revisions, strict=True):
        commit = commit_of(repository, revision)
        place = out / side.lower()
        unpack(repository, commit, place)
        loaded = load_scenario(place / here.relative_to(repository))
        sides.append(make_side(loaded, side, label=revision, spec=spec, targets=targets, kind="commit", commit=commit))
    return SidePair(*sides)
