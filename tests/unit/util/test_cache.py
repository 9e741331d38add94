"""Cache entries are made once and published whole; negative answers about the host expire."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.util import cache, lease
from bench.util.errors import HostUnfitError
from bench.util.steps import Steps, working_for
from tests.stranger import NOBODY


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))


def write(path: Path) -> None:
    path.write_text("made")


def test_an_entry_is_made_once() -> None:
    calls: list[Path] = []

    def make(path: Path) -> None:
        calls.append(path)
        write(path)

    first, second = cache.ensure("kind", "key", make), cache.ensure("kind", "key", make)
    assert first == second == cache.cache_dir() / "kind" / "key"
    assert first.read_text() == "made"
    assert len(calls) == 1
    assert calls[0].parent == first.parent


def test_a_failed_entry_leaves_nothing_and_can_be_made_again() -> None:
    def fail(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("x")
        raise RuntimeError("no more disk")

    with pytest.raises(RuntimeError):
        cache.ensure("kind", "key", fail)
    directory = cache.cache_dir() / "kind"
    assert [path.name for path in directory.iterdir()] == [".key.lock"]
    assert cache.ensure("kind", "key", write).read_text() == "made"


def test_a_disk_that_becomes_full_is_named_with_the_next_step() -> None:
    """The error of a write has no path, so it would say nothing but "No space left on device"."""

    def fill(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HostUnfitError, match="became full while tar/big was made") as caught:
        cache.ensure("tar", "big", fill)
    assert "BOXBENCH_CACHE" in caught.value.hint
    assert [path.name for path in (cache.cache_dir() / "tar").iterdir() if not path.name.endswith(".lock")] == []


def test_an_entry_made_by_another_process_meanwhile_is_used() -> None:
    final = cache.cache_dir() / "kind" / "key"

    def make(path: Path) -> None:
        pytest.fail("made twice")

    final.parent.mkdir(parents=True)
    final.write_text("theirs")
    assert cache.ensure("kind", "key", make).read_text() == "theirs"


def test_key_fences_its_parts() -> None:
    assert cache.content_key("ab", "c") != cache.content_key("a", "bc")
    assert cache.content_key("a", b"b") == cache.content_key("a", "b")
    assert len(cache.content_key()) == 20


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOXBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir() == tmp_path / "xdg" / "boxbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_dir() == tmp_path / "home" / ".cache" / "boxbench"


def test_a_place_that_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(HostUnfitError, match="cannot be made"):
        cache.cache_dir()


@pytest.mark.parametrize("name", ["a,b", "a:b", "a\nb", 'a"b', "a\\b", os.fsdecode(b"\xff")])
def test_a_path_that_would_be_read_as_options_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is part of the options of overlay mounts and of QEMU's disks."""
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / name))
    with pytest.raises(HostUnfitError, match="separates options") as caught:
        cache.cache_dir()
    assert "BOXBENCH_CACHE" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_enters_it(tmp_path: Path) -> None:
    """Earlier versions left it open to all users."""
    (tmp_path / "cache").mkdir(mode=0o755)
    entry = cache.ensure("kind", "key", write)
    for directory in (entry.parent, entry.parent.parent):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("planted", ["cache", "kind", "entry", "link"])
def test_entries_that_another_user_has_planted_are_not_used(tmp_path: Path, planted: str) -> None:
    """Entries such as the agent are executed, and their names can be predicted."""
    place = tmp_path / ("elsewhere" if planted == "link" else "cache")
    (place / "kind").mkdir(parents=True)
    (place / "agent").mkdir()  # it is known as a cache
    (place / "kind/key").write_text("theirs")
    theirs = {"cache": place, "kind": place / "kind", "entry": place / "kind/key", "link": place}[planted]
    os.chown(theirs, NOBODY, NOBODY)
    if planted == "link":
        (tmp_path / "cache").symlink_to(place)
    with pytest.raises(HostUnfitError, match=f"uid {NOBODY}|is a link"):
        cache.ensure("kind", "key", write)


@pytest.mark.parametrize(
    ("reason", "age_s", "probes"),
    [
        (None, 0.0, 1),
        (None, 10 * cache.NEGATIVE_LIFETIME_S, 1),
        ("the host was busy", 0.0, 1),
        ("the host was busy", cache.NEGATIVE_LIFETIME_S / 2, 1),
        ("the host was busy", cache.NEGATIVE_LIFETIME_S + 1, 2),
        ("the clock was set back", -60.0, 2),
    ],
)
def test_only_a_negative_answer_expires(reason: str | None, age_s: float, probes: int) -> None:
    calls: list[int] = []

    def probe() -> dict[str, str | None]:
        calls.append(1)
        return {"reason": reason}

    assert cache.cached_probe("kind", "key", probe) == {"reason": reason}
    then = time.time() - age_s
    os.utime(cache.cache_dir() / "kind" / "key.json", (then, then))
    assert cache.cached_probe("kind", "key", probe) == {"reason": reason}
    assert len(calls) == probes


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b"{}", b"[" * 100_000, b""])
def test_a_damaged_answer_counts_as_none(content: bytes) -> None:
    file = cache.cache_dir() / "kind" / "key.json"
    cache.cached_probe("kind", "key", lambda: {"reason": None})
    file.write_bytes(content)
    assert cache.cached_probe("kind", "key", lambda: {"reason": None, "again": True})["again"]
    assert json.loads(file.read_text())["again"]


def test_an_answer_that_another_process_removes_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure, calls = cache.ensure, []

    def removed_once(kind: str, key: str, make: Callable[[Path], None]) -> Path:
        path = ensure(kind, key, make)
        calls.append(path)
        if len(calls) == 1:
            path.unlink()
        return path

    monkeypatch.setattr(cache, "ensure", removed_once)
    assert cache.cached_probe("kind", "key", lambda: {"reason": None}) == {"reason": None}
    assert len(calls) == 2


def test_the_way_to_start_over_names_the_directory() -> None:
    assert str(cache.cache_dir()) in cache.start_over()


def test_a_cache_may_link_to_the_entries_of_another(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (cache.cache_dir() / "kind").symlink_to(other)
    assert cache.ensure("kind", "key", write) == cache.cache_dir() / "kind" / "key"
    assert (other / "key").exists()
    assert stat.S_IMODE(other.stat().st_mode) == 0o700


def test_a_process_that_does_not_finish_an_entry_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(path: Path) -> None:
        monkeypatch.setattr(cache, "LOCK_LIMIT_S", 0.01)
        refused = pytest.raises(HostUnfitError, match=rf"the cache entry .*/kind/key .* process {os.getpid()}\b")
        with refused:
            cache.ensure("kind", "key", write)
        write(path)

    assert cache.ensure("kind", "key", make).read_text() == "made"


@pytest.mark.parametrize(("entries", "mode"), [(["docker", "apt"], 0o755), ([], 0o1777), (["agent"], 0o1777)])
def test_a_directory_of_the_host_is_not_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str], mode: int
) -> None:
    """BOXBENCH_CACHE=/var/lib or /tmp: what other programs share must stay as it is."""
    (shared := tmp_path / "shared").mkdir()
    for name in entries:
        (shared / name).mkdir()
    shared.chmod(mode)
    monkeypatch.setenv("BOXBENCH_CACHE", str(shared))
    with pytest.raises(HostUnfitError, match="would be closed to other users") as caught:
        cache.cache_dir()
    assert str(shared / "boxbench") in caught.value.hint
    assert shared.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("entries", [[], ["agent", "tar", "notes"], ["boxes"]])
def test_a_cache_that_is_open_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[str]) -> None:
    (own := tmp_path / "own").mkdir()
    for name in entries:
        (own / name).mkdir()
    own.chmod(0o755)
    monkeypatch.setenv("BOXBENCH_CACHE", str(own))
    assert cache.cache_dir() == own
    assert own.stat().st_mode & 0o7777 == 0o700


def test_the_last_use_of_an_entry_is_noted_once_per_process() -> None:
    entry = cache.ensure("kind", "key", write)
    os.utime(cache.lock_of(entry), (1, 1))
    cache.ensure("kind", "key", write)
    assert cache.lock_of(entry).stat().st_mtime == 1, "written between trials"
    assert entry in cache.used()
    cache._used.clear()
    before = entry.stat()
    cache.ensure("kind", "key", write)
    assert cache.lock_of(entry).stat().st_mtime > 1
    # An inspection is valid as long as the change time of its tree.
    assert entry.stat().st_ctime_ns == before.st_ctime_ns


def test_an_entry_of_a_linked_cache_is_in_use_there(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "kind").mkdir(parents=True, mode=0o700)
    (cache.cache_dir() / "kind").symlink_to(other / "kind")
    cache.ensure("kind", "key", write)
    lease.leave_all()
    assert (other / lease.FILE).exists()
    assert not (cache.cache_dir() / lease.FILE).exists()


def test_who_uses_an_entry_has_its_size_on_the_disk_noted() -> None:
    def tree(path: Path) -> None:
        (path / "in").mkdir(parents=True)
        (path / "in" / "file").write_bytes(b"x" * 10_000)

    steps = Steps()
    for _ in range(2):
        with steps.noted(), working_for(("hello", "process")):
            cache.ensure("tree", "key", tree)
    (use,) = steps.uses.values()
    assert use.entry == steps.all[0].entry == "tree/key"
    assert use.bytes is not None
    assert 10_000 <= use.bytes < 10_000 + 3 * 4096 + 4096
    assert len(steps.all) == 1


def test_the_files_of_a_large_entry_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_MOST_COUNTED", 3)

    def tree(path: Path) -> None:
        path.mkdir()
        for name in "abc":
            (path / name).touch()

    steps = Steps()
    with steps.noted(), working_for(("hello", "process")):
        cache.ensure("tree", "key", tree)
    assert [use.bytes for use in steps.uses.values()] == [None]
