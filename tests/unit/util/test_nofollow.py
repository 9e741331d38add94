"""Links and files of other kinds are refused where content may come from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.util.nofollow import real_directory, regular_file


def test_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with regular_file(tmp_path / "file") as descriptor:
        assert os.read(descriptor, 100) == b"content"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "file")
    with pytest.raises(OSError, match=r"no regular file|it is a link"), regular_file(tmp_path / "file"):
        pass


def test_a_directory_is_made_and_stays_the_same_one(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    with real_directory(tmp_path / "a" / "b") as place:
        (tmp_path / "a" / "b").rename(tmp_path / "moved")
        (tmp_path / "a" / "b").symlink_to(victim)
        (place / "file").write_text("text")
    assert (tmp_path / "moved" / "file").read_text() == "text"
    assert not list(victim.iterdir())


def test_a_link_or_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(OSError, match=f"{name} is a link, or no directory"), real_directory(tmp_path / name):
            pass
