"""What is in the cache: sizes that add up, last uses, what is not counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.cache.contents import read_contents
from bench.cache.stores import read_stamps
from bench.host.disk import allocated_bytes
from bench.image.noted import note_use
from bench.util import cache
from tests.unit.cache.made import DAY_NS, KIB, NOW_NS, add, image


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    return cache.cache_dir()


def test_an_entry_has_its_size_and_its_last_use(root: Path) -> None:
    add("disk", "one", age_days=3, kib=64)
    (entry,) = read_contents(root).entries
    assert (entry.thing.kind, entry.thing.name, entry.owner) == ("disk", "one", os.geteuid())
    assert entry.thing.size_bytes >= 64 * KIB
    assert entry.thing.used_ns == NOW_NS - 3 * DAY_NS


def test_an_entry_without_a_lock_file_is_as_old_as_its_last_change(root: Path) -> None:
    entry = add("tree", "0123456789abcdef0123")
    os.utime(entry, (1, 1))
    cache.lock_of(entry).unlink()
    (found,) = read_contents(root).entries
    assert found.thing.used_ns == entry.stat().st_ctime_ns > 10**9


def test_the_parts_add_up_to_what_the_files_occupy(root: Path) -> None:
    add("disk", "one", kib=64)
    second = cache.ensure("tree", "two", lambda path: os.link(root / "disk" / "one", path))
    for name in ("docker", "boxes", "stranger"):
        (root / name).mkdir(mode=0o700)
        (root / name / "file").write_bytes(b"x" * 8 * KIB)
    (root / "durations.json").write_text("{}")
    contents = read_contents(root)
    sizes = {entry.path: entry.thing.size_bytes for entry in contents.entries}
    assert sizes[second] == 0, "a hard link counts once"
    directories = [root, *(root / kind for kind in ("disk", "tree"))]
    assert contents.size_bytes == allocated_bytes(root) - sum(path.lstat().st_blocks * 512 for path in directories)
    assert contents.unknown == ("stranger",)
    assert contents.stores["docker"] >= 8 * KIB


def test_a_hole_occupies_nothing(root: Path) -> None:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2**30)

    cache.ensure("disk", "sparse", make)
    (entry,) = read_contents(root).entries
    assert entry.thing.size_bytes < 2**20


def test_another_cache_is_not_counted(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "disk").mkdir(parents=True, mode=0o700)
    (root / "disk").symlink_to(tmp_path / "other" / "disk")
    add("disk", "theirs", kib=64)
    contents = read_contents(root)
    assert (contents.entries, contents.linked) == ((), ("disk",))
    assert contents.size_bytes < 64 * KIB


def test_half_made_entries_are_apart(root: Path) -> None:
    entry = add("disk", "one")
    half = entry.with_name(".one.0badcafe")
    half.write_bytes(b"x" * 64 * KIB)
    contents = read_contents(root)
    assert contents.half_made == (half,)
    assert contents.half_made_bytes >= 64 * KIB
    assert [found.path for found in contents.entries] == [entry]


def test_names_of_machine_code_are_digests(root: Path) -> None:
    for name in ("0" * 20, ".gone-1-x", "notes"):
        (root / "jit" / name).mkdir(parents=True, mode=0o700)
    os.utime(root / "jit" / ("0" * 20), ns=(NOW_NS, NOW_NS))
    (entry,) = read_contents(root).entries
    assert (entry.path.name, entry.thing.used_ns) == ("0" * 20, NOW_NS)


def test_a_file_in_the_place_of_a_kind_is_no_entry(root: Path) -> None:
    (root / "disk").write_text("x")
    assert read_contents(root).entries == ()


def test_the_use_of_images_is_noted_by_id_and_by_name(root: Path) -> None:
    note_use("sha256:abc", "boxbench/hello:1")
    note_use("sha256:def", "boxbench/abc:1")
    stamps = read_stamps(read_contents(root))
    assert stamps.of(image("def")) == stamps.by_id["def"]
    by_name = stamps.of(image("abc"))
    assert by_name is not None
    assert by_name.path.name in ("abc", "def")
    assert stamps.of(image("other")) is None
    (root / "image" / "abc").unlink()
    (root / "image" / "abc").mkdir()
    read_stamps(read_contents(root))
