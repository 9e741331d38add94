"""What is removed from the cache, in which order, and what stays in any case."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cache import stores
from bench.cache.contents import read_contents
from bench.cache.model import Contents, Pruned, Thing
from bench.cache.prune import Item, Wish, choose, prune
from bench.engines.kept import KeptBuilds
from bench.image.noted import note_use
from bench.util import cache, lease
from bench.util.errors import HostUnfitError
from tests.stranger import NOBODY
from tests.unit.cache.made import DAY_NS, KIB, NOW_NS, Shelf, add, image, used

MIB = 1024


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("bench.host.run_directory.run_root", lambda: tmp_path / "run")
    monkeypatch.setattr("bench.host.scratch.run_root", lambda: tmp_path / "run")
    return cache.cache_dir()


@pytest.fixture
def shelf(root: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """The store of an engine that is always there."""
    made = Shelf(root / "containerd")
    monkeypatch.setattr(stores, "open_store", made.open)
    monkeypatch.setattr(stores, "free_data_roots", lambda: {"containerd": made.directory})
    return made


def run(root: Path, wish: Wish, **options: object) -> Pruned:
    said: list[Thing] = []
    result = prune(root, wish, now_ns=NOW_NS, say=said.append, **options)  # type: ignore[arg-type]
    assert said == result.removed
    return result


def names(root: Path) -> set[str]:
    return {entry.path.name for entry in read_contents(root).entries}


def item(name: str, *, age_days: float, size_bytes: int = 10, kind: str = "disk", **more: bool) -> Item:
    return Item(Thing(kind, name, size_bytes, NOW_NS - round(age_days * DAY_NS)), lambda: True, **more)


def chosen(items: list[Item], wish: Wish, size_bytes: int = 100) -> list[str]:
    return [found.thing.name for found in choose(items, wish, size_bytes=size_bytes, now_ns=NOW_NS)]


def test_the_least_recently_used_go_first_and_no_more_than_needed() -> None:
    items = [item("new", age_days=1), item("old", age_days=9), item("older", age_days=20)]
    assert chosen(items, Wish(most_bytes=85)) == ["older", "old"]
    assert chosen(items, Wish(most_bytes=100)) == []
    assert chosen(items, Wish(most_bytes=0)) == ["older", "old", "new"]


def test_by_age_only_the_older_go() -> None:
    items = [item("new", age_days=1), item("edge", age_days=7), item("old", age_days=7.1)]
    assert chosen(items, Wish(unused_ns=7 * DAY_NS)) == ["old"]
    assert chosen(items, Wish(unused_ns=7 * DAY_NS, most_bytes=85)) == ["old", "edge"]
    assert chosen(items, Wish(everything=True)) == ["old", "edge", "new"]


def test_answers_go_by_age_alone() -> None:
    items = [item("answer", age_days=9, kind="accel"), item("disk", age_days=1)]
    assert chosen(items, Wish(most_bytes=95)) == ["disk"]
    assert chosen(items, Wish(unused_ns=DAY_NS * 2)) == ["answer"]


def test_what_is_kept_stays_whatever_is_asked_for() -> None:
    items = [item("used", age_days=9, kept=True), item("free", age_days=1)]
    for wish in (Wish(everything=True), Wish(most_bytes=0), Wish(unused_ns=0)):
        assert chosen(items, wish) == ["free"]


def test_an_entry_is_removed_with_its_lock_file(root: Path) -> None:
    add("disk", "old", age_days=9, kib=64)
    add("disk", "new", age_days=1)
    result = run(root, Wish(unused_ns=7 * DAY_NS))
    assert [thing.name for thing in result.removed] == ["old"]
    assert result.before_bytes - result.after_bytes >= 64 * KIB
    assert {path.name for path in (root / "disk").iterdir()} == {"new", ".new.lock"}
    assert add("disk", "old", kib=1).stat().st_size == KIB, "made again"


def test_files_of_the_user_in_a_directory_with_the_name_of_a_kind_stay(root: Path) -> None:
    """A private home may be the cache, and have directories called image and kernel."""
    for name in ("image/photo.jpg", "kernel/linux/main.c", "tree/abcdef/leaf"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("precious")
    add("image", "old", age_days=9)
    assert "image/photo.jpg" in read_contents(root).rest
    assert [thing.name for thing in run(root, Wish(everything=True)).removed] == ["old"]
    assert len([path for path in root.rglob("*") if path.is_file() and path.read_text() == "precious"]) == 3


def test_a_dry_run_removes_nothing_and_says_what_it_would_free(root: Path) -> None:
    add("disk", "old", age_days=9, kib=64)
    result = run(root, Wish(everything=True), dry_run=True)
    assert [thing.name for thing in result.removed] == ["old"]
    assert result.after_bytes <= result.before_bytes - 64 * KIB
    assert names(root) == {"old"}


def test_a_disk_goes_before_the_system_that_it_lies_on(root: Path) -> None:
    """Although a campaign uses the system a moment earlier than the disk on it."""
    add("system", "engine.raw", age_days=5.1, kib=64)
    add("engine-disk", "on-it", age_days=5, kib=64)
    add("disk", "other", age_days=9, kib=64)
    size = read_contents(root).size_bytes
    run(root, Wish(most_bytes=size - 65 * KIB))
    assert names(root) == {"engine.raw"}
    run(root, Wish(unused_ns=round(5.05 * DAY_NS)))
    assert names(root) == set()


def test_a_system_stays_while_a_younger_disk_lies_on_it(root: Path) -> None:
    add("system", "engine.raw", age_days=9)
    add("engine-disk", "on-it", age_days=1)
    assert run(root, Wish(unused_ns=5 * DAY_NS)).removed == []
    assert names(root) == {"engine.raw", "on-it"}


def test_nothing_is_removed_while_another_process_uses_the_cache(root: Path) -> None:
    add("disk", "old", age_days=9)
    lease.leave_all()
    other = os.open(root / lease.FILE, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_SH)
    try:
        with pytest.raises(HostUnfitError, match="is in use by process"):
            run(root, Wish(everything=True))
        assert len(run(root, Wish(everything=True), dry_run=True).removed) == 1
    finally:
        os.close(other)
    assert names(root) == {"old"}


def test_an_entry_of_another_user_is_refused_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add("disk", "planted", age_days=9)

    def theirs(path: Path) -> Contents:
        found = read_contents(path)
        return replace(found, entries=tuple(replace(entry, owner=NOBODY) for entry in found.entries))

    monkeypatch.setattr("bench.cache.prune.read_contents", theirs)
    result = run(root, Wish(everything=True))
    assert result.removed == []
    assert [f"disk planted: it belongs to the user with uid {NOBODY}" in text for text in result.stuck] == [True]
    assert (root / "disk" / "planted").exists()


def test_a_link_is_removed_and_not_what_it_leads_to(root: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    add("tree", "tree")
    (root / "tree" / "tree").unlink()
    (root / "tree" / "tree").symlink_to(tmp_path / "precious")
    add("tree", "deep")
    (root / "tree" / "deep").unlink()
    (root / "tree" / "deep").mkdir()
    (root / "tree" / "deep" / "link").symlink_to(tmp_path / "precious")
    run(root, Wish(everything=True))
    assert names(root) == set()
    assert (tmp_path / "precious" / "file").read_text() == "x"


def test_another_cache_is_not_pruned(root: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "disk").mkdir(parents=True, mode=0o700)
    (root / "disk").symlink_to(tmp_path / "other" / "disk")
    add("disk", "theirs", age_days=9)
    assert run(root, Wish(everything=True)).removed == []
    assert (tmp_path / "other" / "disk" / "theirs").exists()


def test_what_this_version_does_not_know_stays(root: Path) -> None:
    (root / "stranger").mkdir()
    (root / "stranger" / "file").write_text("x")
    (root / "boxes").mkdir(mode=0o700)
    run(root, Wish(everything=True))
    assert (root / "stranger" / "file").exists()
    assert (root / "boxes").exists()


def test_half_made_entries_of_killed_processes_go_with_every_prune(root: Path) -> None:
    half = add("disk", "one").with_name(".one.0badcafe")
    half.mkdir()
    run(root, Wish(most_bytes=10**9), dry_run=True)
    assert half.exists()
    run(root, Wish(most_bytes=10**9))
    assert not half.exists()
    assert names(root) == {"one"}


def test_machine_code_that_a_process_writes_stays(root: Path) -> None:
    for name in ("0" * 20, "1" * 20):
        (root / "jit" / name).mkdir(parents=True, mode=0o700)
        (root / "jit" / name / ".lock").touch()
    writing = os.open(root / "jit" / ("0" * 20) / ".lock", os.O_RDWR)
    fcntl.flock(writing, fcntl.LOCK_EX)
    try:
        result = run(root, Wish(everything=True))
    finally:
        os.close(writing)
    assert names(root) == {"0" * 20}
    assert result.stuck == []


def test_images_are_removed_by_their_engine_in_the_order_of_their_last_use(root: Path, shelf: Shelf) -> None:
    for name, age_days in (("old", 9), ("noted", 20), ("new", 1)):
        shelf.put(image(name, age_days=age_days, size_bytes=MIB * KIB), kib=MIB)
    note_use("noted", "boxbench/noted:1")
    used(root / "image" / "noted", age_days=2)
    result = run(root, Wish(unused_ns=7 * DAY_NS))
    assert [thing.name for thing in result.removed] == ["boxbench/old:1"]
    assert set(shelf.held) == {"sha256:noted", "sha256:new"}


def test_sizes_are_read_again_after_images_since_they_share_layers(root: Path, shelf: Shelf) -> None:
    """Two images that share everything say that they free nothing alone. Younger entries must not go in their place."""
    for name in ("plain", "finished"):
        shelf.put(image(name, age_days=9, size_bytes=0), kib=2 * MIB)
    add("disk", "young", age_days=1, kib=64)
    size = read_contents(root).size_bytes
    result = run(root, Wish(most_bytes=size - 3 * MIB * KIB))
    assert {thing.name for thing in result.removed} == {"boxbench/plain:1", "boxbench/finished:1"}
    assert names(root) == {"young"}


def test_an_image_that_another_is_made_from_goes_after_it(root: Path, shelf: Shelf) -> None:
    shelf.put(image("base", age_days=9), kib=2 * MIB)
    shelf.put(image("child", age_days=8), kib=2 * MIB)
    shelf.needed_by["sha256:base"] = "sha256:child"
    result = run(root, Wish(everything=True))
    assert [thing.name for thing in result.removed] == ["boxbench/child:1", "boxbench/base:1"]
    assert result.stuck == []


def test_an_image_that_is_always_needed_ends_the_search(root: Path, shelf: Shelf) -> None:
    shelf.put(image("base", age_days=9), kib=4 * MIB)
    shelf.put(image("child", age_days=1), kib=4 * MIB)
    shelf.needed_by["sha256:base"] = "sha256:child"
    assert run(root, Wish(unused_ns=5 * DAY_NS)).removed == []


@pytest.mark.parametrize(("wish", "limit"), [(Wish(unused_ns=7 * DAY_NS), 7 * DAY_NS), (Wish(everything=True), None)])
def test_steps_of_builds_go_too(root: Path, shelf: Shelf, wish: Wish, limit: int | None) -> None:
    shelf.put(image("new"), kib=4 * MIB)
    shelf.steps = KeptBuilds(MIB, NOW_NS - 9 * DAY_NS)
    result = run(root, wish)
    assert "steps of builds" in {thing.name for thing in result.removed}
    assert shelf.forgotten == [limit]


def test_steps_of_builds_go_with_images_of_their_age_since_they_hold_their_layers(root: Path, shelf: Shelf) -> None:
    shelf.put(image("old", age_days=9), kib=4 * MIB)
    shelf.put(image("new", age_days=1), kib=4 * MIB)
    run(root, Wish(most_bytes=read_contents(root).size_bytes - MIB))
    assert set(shelf.held) == {"sha256:new"}
    assert shelf.forgotten == [9 * DAY_NS]


def test_an_image_that_a_later_build_has_replaced_goes_first(root: Path, shelf: Shelf) -> None:
    shelf.put(image("old", age_days=9), kib=4 * MIB)
    shelf.put(replace(image("replaced", age_days=1), names=(), superseded=True), kib=4 * MIB)
    result = run(root, Wish(most_bytes=read_contents(root).size_bytes - MIB))
    assert [thing.name for thing in result.removed] == ["replaced by a later build: sha256:replaced"]
    assert shelf.forgotten == [], "steps of the older image's build are of use"
    assert run(root, Wish(unused_ns=5 * DAY_NS)).removed[0].name == "boxbench/old:1"


def test_images_that_the_campaign_uses_stay(root: Path, shelf: Shelf) -> None:
    shelf.put(image("used", age_days=9), kib=4 * MIB)
    shelf.put(image("free", age_days=1), kib=4 * MIB)
    note_use("used", "boxbench/used:1")
    run(root, Wish(everything=True), keep=frozenset({root / "image" / "used"}))
    assert set(shelf.held) == {"sha256:used"}


def test_a_store_without_images_goes_whole_since_engines_forget_layers(root: Path, shelf: Shelf) -> None:
    shelf.put(image("old", age_days=9), kib=2 * MIB)
    (shelf.directory / "forgotten").write_bytes(b"x" * 4 * MIB * KIB)
    run(root, Wish(unused_ns=DAY_NS))
    assert not shelf.directory.exists()


def test_an_engine_that_cannot_be_asked_is_left_out_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise HostUnfitError("containerd is not installed", hint="install it")

    monkeypatch.setattr(stores, "open_store", refuse)
    monkeypatch.setattr(stores, "free_data_roots", lambda: {"containerd": root / "containerd"})
    Shelf(root / "containerd").put(image("one"), kib=4 * MIB)
    add("disk", "old")
    result = run(root, Wish(everything=True))
    assert [thing.name for thing in result.removed] == ["old"]
    assert result.notes == ["the images of containerd were left out: containerd is not installed"]


def test_an_engine_that_is_in_use_is_left_out_and_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "open_store", _never)
    Shelf(root / "docker").put(image("one"), kib=4 * MIB)
    assert run(root, Wish(everything=True)).notes == ["the images of docker were left out: it is in use"]


def test_the_store_of_podman_goes_whole(root: Path) -> None:
    for name in ("overlay/layer/diff/etc", "overlay-images"):
        (root / "podman" / name).mkdir(parents=True, mode=0o700)
    lock = root / "podman" / "overlay-images" / "images.lock"
    lock.touch()
    os.utime(lock, ns=(NOW_NS, NOW_NS - 5 * DAY_NS))
    assert run(root, Wish(unused_ns=6 * DAY_NS)).removed == []
    (removed,) = run(root, Wish(unused_ns=4 * DAY_NS)).removed
    assert (removed.kind, removed.used_ns) == ("podman", NOW_NS - 5 * DAY_NS)
    assert not (root / "podman").exists()
    assert list((root / "scratch").iterdir()) == []


def test_no_engine_is_started_for_a_cache_that_is_small_enough(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "open_store", _never)
    Shelf(root / "containerd").put(image("one"), kib=4 * MIB)
    assert run(root, Wish(most_bytes=2**30)).removed == []


def test_an_empty_store_starts_no_engine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "open_store", _never)
    (root / "containerd").mkdir()
    assert run(root, Wish(everything=True)).notes == []


_never: Callable[..., None] = lambda *_: pytest.fail("an engine was started")  # noqa: E731
