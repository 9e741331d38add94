"""The exported tree: paths resolved as in the box, digests, and names that would leave the tree."""

from __future__ import annotations

import cProfile
import io
import tarfile
from pathlib import Path

import pytest

from bench.image.archive import TreeIndex, content_digest, read_index, refuse_foreign_places, tree_digest
from bench.util.errors import BuildError


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = 0o755
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def make_tar(path: Path, *entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for entry in entries:
            info, content = entry if isinstance(entry, tuple) else (entry, b"")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def index_of(tmp_path: Path, *entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> TreeIndex:
    tmp_path.mkdir(exist_ok=True)
    return read_index(make_tar(tmp_path / f"{len(list(tmp_path.iterdir()))}.tar", *entries))


def link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.SYMTYPE, linkname=target)


def folder(name: str) -> tarfile.TarInfo:
    return member(name, tarfile.DIRTYPE)


@pytest.fixture
def merged(tmp_path: Path) -> TreeIndex:
    return index_of(
        tmp_path,
        folder("./"),
        folder("usr/"),
        folder("usr/bin"),
        (member("usr/bin/dash"), b"shell"),
        link("usr/bin/sh", "dash"),
        link("bin", "usr/bin"),
        folder("etc"),
        folder("etc/alternatives"),
        link("etc/alternatives/pager", "/bin/../bin/sh"),
        link("loop", "loop"),
        link("out", "../../../etc/alternatives/pager"),
        link("nowhere", "/missing/file"),
        member("usr/bin/rbash", tarfile.LNKTYPE, linkname="usr/bin/dash"),
        folder(".venv"),
        (member(".venv/python"), b"snake"),
        link(".venv/python3", "python"),
        link(".venv/up", "../.venv/python3"),
    )


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/usr/bin/dash", "usr/bin/dash"),
        ("/bin/sh", "usr/bin/dash"),
        ("bin/./sh", "usr/bin/dash"),
        ("/etc/alternatives/pager", "usr/bin/dash"),
        ("/out", "usr/bin/dash"),
        ("/usr/bin/rbash", "usr/bin/dash"),
        ("/bin", "usr/bin"),
        ("/.venv/python3", ".venv/python"),
        ("/.venv/up", ".venv/python"),
        ("/usr/../.venv/python3", ".venv/python"),
        ("/bin/../etc", None),  # /bin is a link, so .. is /usr
        ("/usr/../etc", "etc"),
        ("/loop", None),
        ("/nowhere", None),
        ("/missing", None),
        ("/usr/bin/dash/more", None),
    ],
)
def test_a_path_is_resolved_as_in_the_box(merged: TreeIndex, path: str, found: str | None) -> None:
    entry = merged.find(path)
    assert (entry.name.rstrip("/") if entry else None) == found


def test_reading_follows_links_and_is_bounded(merged: TreeIndex) -> None:
    assert merged.read("/bin/sh") == b"shell"
    assert merged.read("/bin/sh", limit_bytes=2) == b"sh"
    assert merged.read("/bin") is None
    assert merged.read("/missing") is None


def test_a_later_entry_replaces_an_earlier_one(tmp_path: Path) -> None:
    index = index_of(tmp_path, (member("a"), b"old"), (member("./a"), b"new"))
    assert index.read("/a") == b"new"


def test_sizes_count_hard_links_once(tmp_path: Path) -> None:
    index = index_of(
        tmp_path, folder("d"), (member("a"), b"x" * 5000), member("b", tarfile.LNKTYPE, linkname="a"), link("l", "a")
    )
    assert index.content_bytes() == 5000
    assert index.block_bytes() == 4096 + 8192 + 4096


def test_digest_ignores_times_order_and_what_engines_manage(tmp_path: Path) -> None:
    plain = (folder("etc"), (member("etc/conf"), b"1"), link("l", "etc/conf"))
    again = (
        link("l", "etc/conf"),
        member("dev/console", tarfile.CHRTYPE, devmajor=5, devminor=1),
        (member(".dockerenv"), b""),
        folder("proc"),
        (member("etc/hostname"), b"box"),
        (member("./etc/conf", mtime=1_700_000_000), b"1"),
        member("./etc/", tarfile.DIRTYPE, mtime=5),
        folder("lost+found"),
        (member(".boxbench/ch/box.conf"), b"x"),
    )
    assert tree_digest(index_of(tmp_path, *plain)) == tree_digest(index_of(tmp_path, *again))


def changed(**fields: object) -> tarfile.TarInfo:
    return member("f", **fields)  # type: ignore[arg-type]


def test_digest_differs_for_every_relevant_difference(tmp_path: Path) -> None:
    trees: list[list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]]] = [
        [(member("f"), b"1")],
        [(member("f"), b"2")],
        [(member("g"), b"1")],
        [(changed(mode=0o700), b"1")],
        [(changed(mode=0o4755), b"1")],
        [(changed(uid=1), b"1")],
        [(changed(gid=1), b"1")],
        [folder("f")],
        [link("f", "a")],
        [link("f", "b")],
        [member("f", tarfile.CHRTYPE, devmajor=1, devminor=3)],
        [member("f", tarfile.BLKTYPE, devmajor=1, devminor=3)],
        [member("f", tarfile.FIFOTYPE)],
        [],
    ]
    digests = [tree_digest(index_of(tmp_path, *entries)) for entries in trees]
    assert len(set(digests)) == len(trees)


def test_trees_with_equal_digests_can_have_different_content_digests(tmp_path: Path) -> None:
    capable = member("f", pax_headers={"SCHILY.xattr.security.capability": "\x01"})
    alike = [
        index_of(tmp_path / str(number), (file, b"1"), *more)
        for number, (file, more) in enumerate(
            [
                (member("f"), ()),
                (member("f"), (folder("tmp"),)),
                (member("f"), (folder("run"), (member("run/pid"), b"1"))),
                (capable, ()),
            ]
        )
    ]
    assert len({tree_digest(index) for index in alike}) == 1
    assert len({content_digest(index) for index in alike}) == len(alike)
    assert content_digest(alike[0]) == content_digest(index_of(tmp_path / "again", (member("f", mtime=9), b"1")))


def test_a_hard_link_has_the_digest_of_a_file(tmp_path: Path) -> None:
    linked = index_of(tmp_path, (member("a"), b"1"), member("b", tarfile.LNKTYPE, linkname="./a"))
    copied = index_of(tmp_path, (member("a"), b"1"), (member("b"), b"1"))
    assert tree_digest(linked) == tree_digest(copied)


def test_digest_order_is_that_of_a_sorted_walk(tmp_path: Path) -> None:
    # As text "a-b" sorts before "a/c", but a walk visits the directory "a" and everything below it first.
    index = index_of(tmp_path, folder("a"), (member("a/c"), b""), (member("a-b"), b""))
    names = sorted(index.members, key=lambda path: path.encode().split(b"/"))
    assert names == ["a", "a/c", "a-b"]


def test_a_name_that_is_not_text_has_a_digest(tmp_path: Path) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert len(tree_digest(index_of(tmp_path, (member(name), b"")))) == 64


@pytest.mark.parametrize(
    "entries",
    [
        [member("../escape")],
        [member("a/../../escape")],
        [member("/../escape")],
        [link("a", "/etc"), member("a/passwd")],
        [link("a", "/etc"), folder("a/b"), member("a/b/c")],
        [member("a", tarfile.LNKTYPE, linkname="../../etc/shadow")],
    ],
)
def test_names_that_would_leave_the_tree_are_refused(tmp_path: Path, entries: list[tarfile.TarInfo]) -> None:
    with pytest.raises(BuildError, match="would leave the tree"):
        index_of(tmp_path, *entries)


def test_a_link_that_replaces_a_directory_refuses_what_comes_below_it(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="would leave the tree"):
        index_of(tmp_path, folder("a"), member("a/b"), link("a", "/etc"), member("a/c"))


def test_the_work_grows_with_the_entries_and_not_with_their_depth(tmp_path: Path) -> None:
    """A workload's image can have thousands of directories inside each other."""
    deep = make_tar(tmp_path / "deep.tar", *(folder("d/" * depth) for depth in range(1, 401)))
    flat = make_tar(tmp_path / "flat.tar", *(folder(f"{number:0800}") for number in range(1, 401)))
    assert calls_of(deep) < 2 * calls_of(flat)


def calls_of(tar: Path) -> int:
    """How many functions are called while an index is read."""
    profile = cProfile.Profile()
    profile.runcall(read_index, tar)
    return sum(entry.callcount for entry in profile.getstats())


def test_a_file_that_is_not_a_tar_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"not a tar at all" * 100)
    with pytest.raises(BuildError, match="not a readable tar"):
        read_index(path)


AGENT = b"the agent"
OURS = (folder(".boxbench"), folder(".boxbench/ch"), (member(".boxbench/boxinit"), AGENT))


def test_a_tree_with_our_files_and_plain_mount_places_is_used(tmp_path: Path) -> None:
    refuse_foreign_places("shop", index_of(tmp_path, *OURS), AGENT)
    mounts = [folder(name) for name in ("proc", "sys", "dev")]
    # A link to another place is the image's own business.
    refuse_foreign_places("shop", index_of(tmp_path, *OURS, *mounts, link("tmp", "var/tmp")), AGENT)


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        ((*OURS, link("proc", "/etc")), "/proc is not a directory but a link to '/etc'"),
        ((*OURS, link("sys", "../../etc")), "/sys is not a directory but a link"),
        ((*OURS, link("dev", "/dev")), "/dev is not a directory but a link"),
        ((*OURS, (member("proc"), b"x")), "/proc is not a directory$"),
        ((link(".boxbench", "/tmp/x"),), "/.boxbench is not a directory but a link to '/tmp/x'"),
        ((OURS[0], link(".boxbench/ch", "/tmp/x"), OURS[2]), "/.boxbench/ch is not a directory but a link"),
        ((OURS[0], OURS[2]), "/.boxbench/ch is not a directory"),
        (
            (*OURS[:2], link(".boxbench/boxinit", "/bin/sh")),
            "/.boxbench/boxinit is not the agent .* a link to '/bin/sh'",
        ),
        ((*OURS[:2], (member(".boxbench/boxinit"), b"the agent, but longer")), "/.boxbench/boxinit is not the agent"),
        (
            (*OURS[:2], (member("x"), AGENT), member(".boxbench/boxinit", tarfile.LNKTYPE, linkname="x")),
            "not the agent",
        ),
        (OURS[:2], "/.boxbench/boxinit is not the agent that was put there"),
        ((*OURS, member(".boxbench/ch/events", tarfile.FIFOTYPE)), "/.boxbench/ch/events is in the place where"),
        ((*OURS, link(".boxbench/ch/box.conf", "/etc/x")), "/.boxbench/ch/box.conf is in the place where"),
    ],
)
def test_a_tree_with_something_of_its_own_in_our_places_is_refused(
    tmp_path: Path, entries: tuple[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], ...], place: str
) -> None:
    with pytest.raises(BuildError, match=f"(?m)image shop: .*{place}") as caught:
        refuse_foreign_places("shop", index_of(tmp_path, *entries), AGENT)
    assert "in the Dockerfile" in (caught.value.hint or "")
