"""Trees of strangers are walked and removed whole, at any depth, and never beyond their mount."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.util.errors import TeardownError
from bench.util.tree import remove_directories, remove_tree, walk_directories, walk_tree
from tests.needs import host_cannot
from tests.nesting import nested

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A tree with 1,500 nested directories of 20 letters, whose path is longer than the kernel accepts."""
    top = tmp_path / "tree"
    top.mkdir()
    with nested(top, name="d" * 20) as lowest:
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=lowest))
    return top


def test_a_deep_tree_is_walked_and_removed(deep: Path) -> None:
    found = list(walk_tree(deep))
    assert len(found) == 1502
    assert sum(stat.S_ISREG(entry.st_mode) for entry in found) == 1
    remove_tree(deep)
    assert list(deep.parent.iterdir()) == []


def test_deep_directories_are_walked_and_removed(deep: Path) -> None:
    """As nested control groups, whose files go with them."""
    lowest, names = 0, []
    for fd, path in walk_directories(deep):
        lowest, names = len(path.parts), [entry.name for entry in Path(f"/proc/self/fd/{fd}").iterdir()]
    assert (lowest, names) == (len(deep.parts) + 1500, ["file"])
    with pytest.raises(OSError, match="not empty"):
        remove_directories(deep)
    for fd, _ in walk_directories(deep):
        with suppress(FileNotFoundError):
            os.unlink("file", dir_fd=fd)
    remove_directories(deep)
    assert not deep.exists()
    remove_directories(deep)


def test_a_walk_goes_on_when_directories_are_moved_or_removed(tmp_path: Path) -> None:
    """A box runs while its tree is walked."""
    tree = tmp_path / "tree"
    (tree / "one" / "two" / "three").mkdir(parents=True)
    three = (tree / "one" / "two" / "three").stat().st_ino
    names = {f"side{number}" for number in range(20)}
    for name in names:
        (tree / name).write_text("x")
        (tree / "one" / name).write_text("x")
    found = []
    for entry in walk_tree(tree):
        found.append(entry.st_ino)
        if entry.st_ino == three:
            (tree / "one" / "two").rename(tmp_path / "moved")
            remove_tree(tree / "one")
    assert {(tree / name).stat().st_ino for name in names} <= set(found)


def test_a_walk_of_what_was_removed_is_an_error(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "one").mkdir(parents=True)
    walk = walk_tree(tree)
    next(walk)
    next(walk)
    (tree / "one").rename(tmp_path / "moved")
    assert list(walk) == []
    with pytest.raises(FileNotFoundError):
        list(walk_tree(tmp_path / "missing"))


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "link").symlink_to(outside)
    (tree / "link").symlink_to("/")
    assert len(list(walk_tree(tree))) == 4
    remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").read_text() == "kept"


def test_a_link_and_a_file_are_removed_themselves(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link", "missing"):
        remove_tree(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_odd_names_and_modes_do_not_stay(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("a\nb", "\x1b[31m", "-rf", os.fsdecode(b"\xff\xfe")):
        (tree / name / "inner").mkdir(parents=True)
        (tree / name / "inner").chmod(0)
        (tree / name).chmod(0)
    remove_tree(tree)
    assert not tree.exists()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A bind mount of a directory of the same file system, inside a tree."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    point = tmp_path / "tree" / "inner" / "point"
    point.mkdir(parents=True)
    subprocess.run(["mount", "--bind", tmp_path / "outside", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)


@pytest.mark.host
@needs_root
def test_a_mount_is_never_crossed(tmp_path: Path, mounted: Path) -> None:
    assert len(list(walk_tree(tmp_path / "tree"))) == 3
    with pytest.raises(TeardownError, match="is a mount point"):
        remove_tree(tmp_path / "tree")
    with pytest.raises(TeardownError, match="is a mount point"):
        remove_tree(mounted)
    assert (tmp_path / "outside" / "kept").read_text() == "kept"


@pytest.mark.host
@needs_root
def test_a_file_can_be_a_mount_point_too(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("kept")
    (tmp_path / "tree").mkdir()
    point = tmp_path / "tree" / "file"
    point.touch()
    subprocess.run(["mount", "--bind", tmp_path / "outside", point], check=True)
    try:
        for path in (tmp_path / "tree", point):
            with pytest.raises(TeardownError, match=f"'{point}' is a mount point"):
                remove_tree(path)
    finally:
        subprocess.run(["umount", point], check=True)
    assert (tmp_path / "outside").read_text() == "kept"


def test_what_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_name: str, **_where: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "file")

    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    monkeypatch.setattr(os, "unlink", fail)
    with pytest.raises(TeardownError, match=r"tree' cannot be removed: Input/output error \('file'\)"):
        remove_tree(tmp_path / "tree")


@pytest.mark.host
@needs_root
def test_immutable_files_and_directories_are_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    done = subprocess.run(["chattr", "+i", tree / "file", tree], check=False, capture_output=True)
    if done.returncode != 0:
        host_cannot("this file system has no inode flags")
    remove_tree(tree)
    assert not tree.exists()
