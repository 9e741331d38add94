"""Files of the host that are copied into an image."""

from __future__ import annotations

import errno
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench.image import files as module
from bench.image.files import add_files
from bench.image.stores.base import StoreError


def packed(directory: Path, files: Mapping[str, str], volumes: Sequence[str] = ()) -> dict[str, tarfile.TarInfo]:
    """The members of the layer, by name."""
    path = directory.with_suffix(".tar")
    with tarfile.open(path, mode="w") as archive:
        add_files(archive, directory, files, volumes)
    with tarfile.open(path) as archive:
        return {member.name: member for member in archive}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    directory = tmp_path / "scenario"
    (directory / "app" / "modules" / "deep").mkdir(parents=True)
    (directory / "app" / "run").write_bytes(b"run")
    (directory / "app" / "run").chmod(0o4755)
    (directory / "app" / "modules" / "deep" / "file").touch()
    (directory / "app" / "modules.txt").touch()
    (directory / "app" / "out").symlink_to("/etc/passwd")
    (directory / "app.conf").write_bytes(b"x" * 10)
    (directory / "app.conf").chmod(0o640)
    os.utime(directory / "app.conf", (1_000_000_000.5, 1_000_000_000.5))
    (directory / "link").symlink_to("app.conf")
    return directory


def test_a_file(tree: Path) -> None:
    (member,) = packed(tree, {"/etc/app/app.conf": "app.conf"}).values()
    assert (member.name, member.isreg(), member.size, member.mode) == ("etc/app/app.conf", True, 10, 0o640)
    assert (member.uid, member.gid, member.uname, member.mtime) == (0, 0, "", 1_000_000_000)


def test_a_directory_with_its_links_and_without_bits_that_give_its_owners_rights(tree: Path) -> None:
    found = packed(tree, {"/srv": "app"})
    assert list(found) == [
        "srv", "srv/modules", "srv/modules/deep", "srv/modules/deep/file", "srv/modules.txt", "srv/out", "srv/run"
    ]  # fmt: skip
    assert (found["srv/out"].issym(), found["srv/out"].linkname) == (True, "/etc/passwd")
    assert found["srv/run"].mode == 0o755


def test_the_named_path_may_be_a_link(tree: Path) -> None:
    assert packed(tree, {"/a": "link"})["a"].size == 10
    assert packed(tree, {"/a": str(tree / "app.conf")})["a"].isreg()


def test_what_a_volume_hides_is_left_out(tree: Path) -> None:
    found = packed(tree, {"/srv": "app"}, ["/srv/modules", "/other"])
    assert list(found) == ["srv", "srv/modules.txt", "srv/out", "srv/run"]
    assert "srv/run" in packed(tree, {"/srv": "app"}, ["/srv"])


@pytest.mark.parametrize("place", ["/srv/", "//srv", "/./srv", "/srv/."])
def test_paths_in_the_box_are_made_plain(tree: Path, place: str) -> None:
    assert list(packed(tree, {place: "app.conf"})) == ["srv"]


@pytest.mark.parametrize("place", ["/proc/x", "/dev", "/sys/a/b", "/.boxbench/boxinit", "/", "/..", "/a/../proc"])
def test_places_that_are_taken(tree: Path, place: str) -> None:
    with pytest.raises(StoreError, match="is where every box has something else"):
        packed(tree, {place: "app.conf"})


def test_a_missing_file_and_a_circle_of_links(tree: Path) -> None:
    (tree / "circle").symlink_to("circle")
    for name, why in (("none", "No such file or directory"), ("circle", "circle of links|symbolic links")):
        with pytest.raises(StoreError, match=why):
            packed(tree, {"/a": name})


def test_what_is_no_file_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "app" / "pipe")
    with pytest.raises(StoreError, match=r"app/pipe is neither a file, a directory nor a link"):
        packed(tree, {"/srv": "app"})
    with pytest.raises(StoreError, match=r"/dev/null is neither"):
        packed(tree, {"/srv": "/dev/null"})


def test_names_that_are_not_text_and_deep_directories(tree: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    (tree / "app" / name).touch()
    deep = tree / "app"
    for _ in range(300):
        deep /= "dddd"
    deep.mkdir(parents=True)
    found = packed(tree, {"/srv": "app"})
    assert f"srv/{name}" in found
    assert "srv/" + "/".join(["dddd"] * 300) in found


def test_limits(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    with pytest.raises(StoreError, match=r"app has more than .* or 3 files"):
        packed(tree, {"/srv": "app"})
    monkeypatch.undo()
    monkeypatch.setattr(module, "MOST_BYTES", 9)
    with pytest.raises(StoreError, match=r"app\.conf has more than 9 B"):
        packed(tree, {"/srv": "app.conf"})


def test_a_file_that_is_too_large_is_not_written_first(tree: Path) -> None:
    """A sparse file of a TiB needs no space where it lies, and all of it in a tar."""
    os.truncate(tree / "app.conf", 2**40)
    with pytest.raises(StoreError, match=r"app\.conf has more than"):
        packed(tree, {"/srv": "app.conf"})


def test_a_full_disk_is_no_matter_of_rights(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(StoreError) as caught:
        packed(tree, {"/srv": "app.conf"})
    assert "BOXBENCH_CACHE" in caught.value.hint


def digest_of(directory: Path, files: Mapping[str, str]) -> str:
    with tarfile.open(directory.with_suffix(".tar"), mode="w") as archive:
        return add_files(archive, directory, files)


def test_the_digest_is_of_everything_but_times(tree: Path) -> None:
    first = digest_of(tree, {"/srv": "app"})
    os.utime(tree / "app" / "run", (1, 1))
    assert digest_of(tree, {"/srv": "app"}) == first
    changes: list[Callable[[], object]] = [
        lambda: (tree / "app" / "run").write_bytes(b"RUN"),
        lambda: (tree / "app" / "run").chmod(0o700),
        lambda: (tree / "app" / "run").rename(tree / "app" / "ran"),
        (tree / "app" / "new").mkdir,
        lambda: (tree / "app" / "other").symlink_to("a"),
    ]
    seen = {first, digest_of(tree, {"/opt": "app"})}
    for change in changes:
        change()
        seen.add(digest_of(tree, {"/srv": "app"}))
    assert len(seen) == 2 + len(changes)


def test_results_are_left_out(tree: Path) -> None:
    campaign = tree / "app" / "reports" / "out" / "20260102-web"
    campaign.mkdir(parents=True)
    (campaign / "manifest.json").touch()
    assert "srv/reports/out/20260102-web/manifest.json" in packed(tree, {"/srv": "app"})
    (campaign / "manifest.json").write_text('{"schema_number": 2')
    assert not [name for name in packed(tree, {"/srv": "app"}) if name.startswith("srv/reports")]
    (tree / "app" / "reports" / "notes").touch()
    assert [name for name in packed(tree, {"/srv": "app"}) if name.startswith("srv/reports")] == [
        "srv/reports",
        "srv/reports/notes",
    ]
