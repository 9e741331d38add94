"""/etc/hosts and the other files that engines mount: what a tree gets in place of the image's own."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from bench.image.archive import RUNTIME_PATHS, read_index, tree_digest
from bench.image.complete import complete_tree
from bench.image.etc_files import ETC_FILES
from bench.image.tree import UNPACK
from bench.util.errors import BuildError
from tests.unit.image.test_archive import folder, link, make_tar, member


def test_a_tree_gets_files_of_root_in_place_of_the_images(tmp_path: Path) -> None:
    own = member("etc/hosts", uid=5, mode=0o600)
    tar = make_tar(tmp_path / "tree.tar", folder("etc"), (own, b"10.0.0.1 other"), (member("etc/fstab"), b"kept"))
    before = tree_digest(read_index(tar))
    complete_tree(tar, "made", ())
    index = read_index(tar)
    assert {name: index.read(name) for name in ETC_FILES} == ETC_FILES
    assert {(index.members[name].mode, index.members[name].uid) for name in ETC_FILES} == {(0o644, 0)}
    assert index.read("etc/fstab") == b"kept"
    assert tree_digest(index) == before


def test_the_index_that_is_returned_is_that_of_the_whole_archive(tmp_path: Path) -> None:
    made = (folder("etc"), link("etc/hosts", "/x"), (member("a"), b"kept" * 200), (member("z" * 150), b"long"))
    tar = make_tar(tmp_path / "tree.tar", *made)
    index = complete_tree(tar, "made", ["/data/new"])
    again = read_index(tar)
    assert (index.lines, index.end) == (again.lines, again.end)
    assert list(index.members) == list(again.members)
    assert index.read("etc/hosts") == ETC_FILES["etc/hosts"]
    with tarfile.open(tar) as archive:
        assert [one.name for one in archive][: len(made)] == ["etc", "etc/hosts", "a", "z" * 150]


def test_localhost_and_the_boxs_own_name_are_in_hosts() -> None:
    lines = [line.split() for line in ETC_FILES["etc/hosts"].decode().splitlines()]
    assert [words[0] for words in lines if "localhost" in words] == ["127.0.0.1", "::1"]
    assert [words[0] for words in lines if "boxbench" in words] == ["127.0.0.1"]
    assert ETC_FILES["etc/hostname"] == b"boxbench\n"


def test_the_digest_of_a_tree_leaves_these_files_out() -> None:
    assert set(ETC_FILES) <= set(RUNTIME_PATHS)


@pytest.mark.host
def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "host").write_text("the host's")
    tree = tmp_path / "tree"
    tree.mkdir()
    for target in ("../../host", str(tmp_path / "host"), f"{'long/' * 60}../host"):
        tar = make_tar(tmp_path / "tree.tar", folder("etc"), *(link(name, target) for name in ETC_FILES))
        complete_tree(tar, "made", ())
        subprocess.run([*UNPACK, "-f", str(tar), "-C", str(tree)], check=True)
        assert {name: (tree / name).read_bytes() for name in ETC_FILES} == ETC_FILES
        assert not any((tree / name).is_symlink() for name in ETC_FILES)
    assert (tmp_path / "host").read_text() == "the host's"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([folder("etc"), folder("etc/hosts")], "image made: /etc/hosts is a directory"),
        ([folder("usr"), link("etc", "usr")], "image made: /etc is not a directory"),
        (
            [folder("etc"), member("etc/hosts"), member("other", tarfile.LNKTYPE, linkname="./etc/hosts")],
            "image made: /etc/hosts is a hard link, and so is /other",
        ),
    ],
)
def test_what_engines_cannot_mount_over_is_refused(
    tmp_path: Path, members: list[tarfile.TarInfo], message: str
) -> None:
    tar = make_tar(tmp_path / "tree.tar", *members)
    with pytest.raises(BuildError) as caught:
        complete_tree(tar, "made", ())
    assert caught.value.message == message
    assert "in the Dockerfile" in (caught.value.hint or "")
