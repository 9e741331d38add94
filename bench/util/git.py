"""The only module that runs git."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.util import proc
from bench.util.errors import ProcessError

_LIMIT_S: Final = 300.0
_OBJECT: Final = re.compile("[0-9a-f]{40,64}")
REDIRECTS: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_NAMESPACE",
)
"""Variables that git sets in hooks. Each leads git to another repository, or part of one, than ``-C`` names."""


def git(
    directory: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    check: bool = True,
) -> proc.Result:
    """Run git in a directory, on the repository around it.

    Args:
        env, stdin, check: as for ``proc.run``.

    Raises:
        HostUnfitError: git is not installed.
        ProcessError: git failed, and ``check`` is set.
    """
    proc.require_tool("git", package="git")
    words = ("git", "-C", str(directory), *arguments)
    return proc.run(words, timeout_s=_LIMIT_S, env=env, without=REDIRECTS, stdin=stdin, check=check)


def commit_id(directory: Path, revision: str) -> str:
    """The full hash of the one commit that a revision names.

    Raises:
        HostUnfitError: git is not installed.
        ProcessError: there is no repository, or the revision names no commit, an exclusion or several.
    """
    # A revision that begins with a dash must not be read as an option.
    verify = ("rev-parse", "--verify", "--end-of-options")
    found = git(directory, *verify, revision).text.strip()
    # "^HEAD" and "HEAD..HEAD" pass --verify with a caret or with several lines.
    if not _OBJECT.fullmatch(found):
        raise ProcessError(f"{revision!r} does not name one commit", hint="name one commit, tag or branch")
    return git(directory, *verify, f"{found}^{{commit}}").text.strip()
