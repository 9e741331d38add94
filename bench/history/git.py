"""A git branch as a store for a history, and commits by revision. No work tree is touched."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.history.line import Commit, HistoryError, valid_time
from bench.history.store import SUFFIX, Edit
from bench.util.errors import ProcessError
from bench.util.git import commit_id, git
from bench.util.text import plain

_ATTEMPTS: Final = 5
_IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "boxbench",
    "GIT_AUTHOR_EMAIL": "boxbench@localhost",
    "GIT_COMMITTER_NAME": "boxbench",
    "GIT_COMMITTER_EMAIL": "boxbench@localhost",
}


def find_commit(repository: Path, revision: str) -> Commit:
    """The commit of a revision in the repository around a directory.

    Raises:
        HistoryError: no repository, or no such commit.
    """
    try:
        commit = commit_id(repository, revision)
        # One line, whatever the subject has in it: %s has no line end, and NUL cannot occur.
        text = git(repository, "log", "-1", "--no-show-signature", "--format=%cI%x00%ct%x00%s", commit, "--").text
    except ProcessError as error:
        raise HistoryError(
            f"{revision!r} is not a commit of the repository at {repository}: {error.message}",
            hint="name one commit, tag or branch; run this inside the repository under test, or name it with "
            "--repository",
        ) from None
    committed_at, seconds, subject = text.removesuffix("\n").split("\0", 2)
    return Commit(id=commit, committed_at=_valid_time(committed_at, seconds), subject=plain(subject)[:200])


def _valid_time(text: str, seconds: str) -> str:
    """The committer's time, ISO 8601. Commits may name a zone that does not exist, such as +51:30; UTC replaces it."""
    try:
        return valid_time(text)
    except ValueError:
        return datetime.fromtimestamp(int(seconds), UTC).isoformat()


class BranchStore:
    """Files at the root of a branch. Only objects and the branch's reference are written."""

    def __init__(self, repository: Path, branch: str) -> None:
        self.where = f"branch {branch}"
        self._repository = repository
        self._ref = f"refs/heads/{branch}"
        if git(repository, "rev-parse", "--git-dir", check=False).returncode:
            raise HistoryError(f"{repository} is no Git repository", hint="name one with --repository")
        valid = git(repository, "check-ref-format", self._ref, check=False).returncode == 0
        if not valid or branch.startswith("-"):
            raise HistoryError(f"{branch!r} is not a name for a branch", hint="try boxbench-history")

    def read(self) -> dict[str, str]:
        head = self._head()
        if head is None:
            return {}
        names = git(self._repository, "ls-tree", "-z", "--name-only", head).text.split("\0")
        return {name: self._blob(head, name) for name in names if name.endswith(SUFFIX)}

    def change(self, name: str, edit: Edit, message: str) -> None:
        self._refuse_checked_out()
        for _ in range(_ATTEMPTS):
            head = self._head()
            known = head is not None and name in self.read()
            text = edit(self._blob(head, name) if head is not None and known else "")
            if self._commit(head, name, text, message):
                return
        raise HistoryError(
            f"{self.where} changed {_ATTEMPTS} times while a line was added",
            hint="another program writes to it; try again",
        )

    def _commit(self, head: str | None, name: str, text: str, message: str) -> bool:
        """Add a commit on top of ``head``; False when the branch has moved meanwhile."""
        blob = git(self._repository, "hash-object", "-w", "--stdin", stdin=text.encode()).text.strip()
        with tempfile.TemporaryDirectory() as directory:
            # A private index: the user's must not change.
            index = {"GIT_INDEX_FILE": str(Path(directory) / "index")}
            if head is not None:
                git(self._repository, "read-tree", head, env=index)
            git(self._repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=index)
            tree = git(self._repository, "write-tree", env=index).text.strip()
        parents = ("-p", head) if head is not None else ()
        made = git(self._repository, "commit-tree", tree, *parents, "-m", message, env=self._identity()).text.strip()
        # The old value makes this a compare-and-swap; zeros mean that the branch must not exist yet.
        old = head or "0" * len(made)
        return git(self._repository, "update-ref", self._ref, made, old, check=False).returncode == 0

    def _head(self) -> str | None:
        found = git(self._repository, "rev-parse", "--verify", "--quiet", f"{self._ref}^{{commit}}", check=False)
        return found.text.strip() if found.returncode == 0 else None

    def _blob(self, head: str, name: str) -> str:
        return git(self._repository, "cat-file", "blob", f"{head}:{name}").text

    def _refuse_checked_out(self) -> None:
        """Refuse a branch that is checked out: new commits on it would show as deletions in its work tree."""
        listing = git(self._repository, "worktree", "list", "--porcelain").text
        if f"branch {self._ref}\n" in listing:
            raise HistoryError(f"{self.where} is checked out in a work tree", hint="switch that one to another branch")

    def _identity(self) -> dict[str, str]:
        # CI runners have no git user. Otherwise the user is the author.
        known = git(self._repository, "var", "GIT_COMMITTER_IDENT", check=False).returncode == 0
        return {} if known else _IDENTITY
