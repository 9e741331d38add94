"""Where an image has volumes, and what its tree gets there."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from bench.image.archive import read_index, tree_digest
from bench.image.complete import complete_tree
from bench.image.volumes import volume_places
from bench.util.errors import BuildError
from tests.unit.image.test_archive import folder, index_of, link, make_tar, member


def test_places_are_absolute_without_links_and_outer_ones_come_first(tmp_path: Path) -> None:
    index = index_of(tmp_path, folder("run"), folder("var"), link("var/run", "/run"), folder("data"))
    declared = ("/data/inner", "/data/", "/var/run/new", "/data")
    assert volume_places("made", declared, index) == ("/data", "/data/inner", "/run/new")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("data", "is not an absolute path"),
        ("/loop/x", "without loops"),
        ("/none/../etc", "without loops"),
        ("/file", "leads to /file, which is not a directory"),
        ("/link", "leads to /file, which is not a directory"),
        ("/file/below", "leads to /file, which is not a directory"),
        ("/", "something else"),
        ("/proc", "something else"),
        ("/devices/../dev/shm", "without loops"),
        ("/dev/shm", "something else"),
        ("/.boxbench/ch", "something else"),
        ("/etc/hosts", "something else"),
    ],
)
def test_a_place_that_cannot_be_mounted_on_is_named(tmp_path: Path, path: str, why: str) -> None:
    index = index_of(tmp_path, member("file"), link("link", "file"), link("loop", "loop"))
    with pytest.raises(BuildError, match=why) as caught:
        volume_places("made", [path], index)
    assert f"image made: VOLUME {path!r}" in caught.value.message


def test_missing_places_become_directories_of_root(tmp_path: Path) -> None:
    mine = folder("data")
    mine.uid, mine.mode = 999, 0o700
    tar = make_tar(tmp_path / "tree.tar", folder("var"), link("var/run", "/run"), mine)
    complete_tree(tar, "made", ["/data", "/var/run/new", "/data/inner/most"])
    with tarfile.open(tar) as archive:
        found = {one.name: (one.isdir(), one.mode, one.uid) for one in archive if one.isdir()}
    made = (True, 0o755, 0)
    assert found == {
        "etc": made,
        "var": (True, 0o755, 0),
        "data": (True, 0o700, 999),
        "data/inner": made,
        "data/inner/most": made,
        "run": made,
        "run/new": made,
    }


def test_nothing_is_added_where_all_places_exist(tmp_path: Path) -> None:
    tar = make_tar(tmp_path / "tree.tar", folder("data"))
    before = tree_digest(read_index(tar))
    complete_tree(tar, "made", ["/data"])
    assert tree_digest(read_index(tar)) == before
