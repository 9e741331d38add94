"""A private directory is this user's alone, and no other user can replace it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bench.util.errors import HostUnfitError
from bench.util.private import private_directory

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_directory_and_its_parents_are_closed_to_others(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert made == tmp_path / "a" / "b"
    assert [mode(path) for path in (made, made.parent)] == [0o700, 0o700]
    assert private_directory(made) == made


def test_an_open_directory_of_ours_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o777)
    private_directory(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o700


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(HostUnfitError, match="is a link"):
        private_directory(tmp_path / "link")
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(HostUnfitError, match="is a link"):
        private_directory(tmp_path / "dangling")


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HostUnfitError, match="is not a directory"):
        private_directory(tmp_path / "file")


def test_a_parent_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(HostUnfitError, match="other users can replace"):
        private_directory(tmp_path / "open" / "cache")
    (tmp_path / "open").chmod(0o1777)  # the sticky bit, as /tmp has it
    private_directory(tmp_path / "open" / "cache")


@needs_root
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs" / "inner").mkdir(parents=True)
    os.chown(tmp_path / "theirs", 65534, 65534)
    for path in (tmp_path / "theirs", tmp_path / "theirs" / "inner", tmp_path / "theirs" / "new"):
        with pytest.raises(HostUnfitError, match="belongs to the user with uid 65534") as caught:
            private_directory(path)
        assert "BOXBENCH_CACHE" in caught.value.hint
        assert "remove" not in caught.value.hint, "it may be the home of a user who called sudo"
