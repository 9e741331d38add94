"""Git runs on the repository that is named, and a revision is one commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gate.checkout import commit_of, repository_of, unpack
from bench.util.errors import ProcessError, UsageError
from bench.util.git import REDIRECTS, commit_id, git
from tests.histories import git as run_git
from tests.histories import make_repository

pytestmark = pytest.mark.host


def test_every_form_of_one_commit_is_its_hash(tmp_path: Path) -> None:
    first, last = make_repository(tmp_path, 2)
    run_git(tmp_path, "tag", "-a", "v1", "-m", "one", first)
    for revision in (first, first[:10], "v1", "HEAD~1", "main^", ":/number 0"):
        assert commit_id(tmp_path, revision) == first
    assert commit_id(tmp_path, "HEAD") == last


@pytest.mark.parametrize(
    "revision", ["^HEAD", "HEAD..HEAD", "HEAD~1..HEAD", "HEAD^!", "HEAD^{tree}", "HEAD:version", "", "-x", "nothing"]
)
def test_what_is_not_one_commit_is_refused(tmp_path: Path, revision: str) -> None:
    make_repository(tmp_path, 2)
    with pytest.raises(ProcessError):
        commit_id(tmp_path, revision)
    with pytest.raises(UsageError, match="is not a revision of"):
        commit_of(tmp_path, revision)


def test_the_variables_of_a_hook_lead_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine,) = make_repository(tmp_path / "mine", 1)
    other = tmp_path / "other"
    make_repository(other, 3)
    for name in REDIRECTS:
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert repository_of(tmp_path / "mine") == tmp_path / "mine"
    assert commit_id(tmp_path / "mine", "HEAD") == mine
    unpack(tmp_path / "mine", mine, tmp_path / "files")
    assert (tmp_path / "files" / "version").read_text(encoding="ascii") == "0\n"


def test_a_failure_has_git_s_own_words(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="not a git repository"):
        git(tmp_path, "rev-parse", "HEAD")
