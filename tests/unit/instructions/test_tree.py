"""An image's tree as an initramfs and as an archive: always the same bytes, and what engines load."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agent.boxconf import BoxConfig
from bench.image.archive import read_index
from bench.image.vm.initramfs import newc
from bench.instructions.tree import image_archive, tree_entries

CONFIG = BoxConfig(("/bin/x",), ("PATH=/bin",), "/", 0, 0, (0,), "", 15)


def _tar(path: Path, members: list[tuple[str, bytes | None, dict[str, Any]]]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content, fields in members:
            member = tarfile.TarInfo(name)
            member.size = len(content or b"")
            for field, value in fields.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(content) if content else None)
    return path


_DIR = {"type": tarfile.DIRTYPE, "mode": 0o755}


_TREE: list[tuple[str, bytes | None, dict[str, Any]]] = [
    ("bin", None, _DIR),
    ("bin/b", b"text", {"mode": 0o755, "uid": 7, "gid": 8}),
    ("bin/a", None, {"type": tarfile.LNKTYPE, "linkname": "bin/b"}),
    ("bin/l", None, {"type": tarfile.SYMTYPE, "linkname": "b"}),
    ("etc/deep/file", b"x", {"mode": 0o600}),
]


@given(st.permutations(_TREE[1:]), st.integers(0, 2**31))
def test_neither_order_nor_times_of_a_tree_matter(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes | None, dict[str, Any]]], mtime: int
) -> None:
    directory = tmp_path_factory.mktemp("tree")
    plain = read_index(_tar(directory / "a.tar", _TREE))
    # A link comes after what it names, as in every tar.
    ordered = sorted(members, key=lambda member: member[2].get("type") == tarfile.LNKTYPE)
    shuffled = [_TREE[0], *((name, content, fields | {"mtime": mtime}) for name, content, fields in ordered)]
    other = read_index(_tar(directory / "b.tar", shuffled))
    assert newc(tree_entries(plain, "box/")) == newc(tree_entries(other, "box/"))
    assert image_archive(plain, CONFIG, "x:y", comment="c") == image_archive(other, CONFIG, "x:y", comment="c")


def test_links_of_one_file_stay_one_file(tmp_path: Path) -> None:
    entries = {entry.name: entry for entry in tree_entries(read_index(_tar(tmp_path / "a.tar", _TREE)))}
    assert (entries["bin/a"].content, entries["bin/b"].content) == (b"text", b"")
    assert entries["bin/a"].inode == entries["bin/b"].inode > 0
    assert entries["bin/a"].links == 2
    assert entries["bin/b"].owner == (7, 8)
    # Nobody listed these two.
    assert list(entries).index("etc") < list(entries).index("etc/deep") < list(entries).index("etc/deep/file")


def test_an_archive_is_what_engines_load(tmp_path: Path) -> None:
    archive, layer = image_archive(read_index(_tar(tmp_path / "a.tar", _TREE)), CONFIG, "x:y", comment="c")
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {member.name: opened.extractfile(member) for member in opened}
        contents = {name: stream.read() for name, stream in files.items() if stream is not None}
    (manifest,) = json.loads(contents["manifest.json"])
    config = json.loads(contents[manifest["Config"]])
    assert manifest["RepoTags"] == ["x:y"]
    assert config["rootfs"]["diff_ids"] == [layer]
    with tarfile.open(fileobj=io.BytesIO(contents["layer.tar"])) as opened:
        names = opened.getnames()
    assert names.index("bin/b") < names.index("bin/a"), "a link must come after its file"


def test_a_comment_changes_the_digests_and_no_file(tmp_path: Path) -> None:
    index = read_index(_tar(tmp_path / "a.tar", _TREE))
    (one, digest), (other, second) = (image_archive(index, CONFIG, "x:y", comment=letter * 64) for letter in "ab")
    assert digest != second
    assert len(one) == len(other)
    trees = []
    for archive in (one, other):
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            layer = opened.extractfile("layer.tar")
            assert layer is not None
            (tmp_path / "layer.tar").write_bytes(layer.read())
        trees.append(newc(tree_entries(read_index(tmp_path / "layer.tar"))))
    assert trees[0] == trees[1] == newc(tree_entries(index))
