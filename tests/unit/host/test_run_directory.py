"""Run directories: their names, and the locks that mark them as used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bench.host import run_directory as rundir
from bench.host.run_directory import Tag, box_tag, campaign_dir, campaign_tag, new_tag, owned_dir, parse_tag, run_root
from bench.util.errors import HostUnfitError
from tests.stranger import NOBODY

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "run_root", lambda: tmp_path / "run")
    return tmp_path / "run"


def test_one_search_finds_all(root: Path) -> None:
    assert campaign_tag("c0ffee42") in box_tag("c0ffee42", "t0003")
    assert campaign_dir("c0ffee42") == root / campaign_tag("c0ffee42")


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("boxbench-1a2b3c4d", "boxbench-1a2b3c4d"),
        ("boxbench-1a2b3c4d-t0012", "boxbench-1a2b3c4d"),
        ("boxbench-1a2b3c4d-t0012-m03", "boxbench-1a2b3c4d"),
        ("boxbench-1a2b3c4d-podman", "boxbench-1a2b3c4d"),
        ("boxbench-prepare-1a2b3c4d", "boxbench-prepare-1a2b3c4d"),
    ],
)
def test_our_names_are_known_and_lead_to_their_owner(text: str, owner: str) -> None:
    assert parse_tag(text) == Tag(text, owner)


@pytest.mark.parametrize(
    "text",
    [
        "boxbench", "boxbench-", "boxbench-dev", "boxbench-debug", "boxbench-data", "boxbench-exporter.service",
        "boxbench-1a2b3c4", "boxbench-1a2b3c4d5", "boxbench-1A2B3C4D", "boxbench-1a2b3c4d-", "boxbench-1a2b3c4d.qcow2",
        "boxbench-1a2b3c4d\n", "my-boxbench-1a2b3c4d", "boxbench-labs-1a2b3c4d", "boxbench-1a2b3c4d/x",
        "boxbench-prepare",
    ],
)  # fmt: skip
def test_names_of_other_people_are_no_tags(text: str) -> None:
    assert parse_tag(text) is None


def test_a_tag_is_of_its_campaign_and_of_no_other_with_the_same_beginning() -> None:
    tag = parse_tag("boxbench-1a2b3c4d-t0001-m02")
    assert tag is not None
    assert [tag.is_of(other) for other in ("boxbench-1a2b3c4d", "boxbench-1a2b3c4d-t0001", tag.text)] == [True] * 3
    assert not tag.is_of("boxbench-1a2b3c4d-t000")
    assert not tag.is_of("boxbench-1a2b3c4")


@pytest.mark.parametrize("kind", ["probe", "libvirt", "count", "prepare", "export", "scratch"])
def test_new_names_are_ours_and_differ(kind: str) -> None:
    first, second = new_tag(kind), new_tag(kind)
    assert first != second
    assert parse_tag(first) == Tag(first, first)


def test_a_socket_path_fits_the_kernel() -> None:
    """sun_path holds 107 bytes; the longest of ours is a box's events socket."""
    path = Path("/run/boxbench") / campaign_tag("c0ffee42") / box_tag("c0ffee42", "t9999") / "events"
    assert len(str(path)) <= 107


def test_where_boxes_live_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert run_root() == Path("/run/user/1000/boxbench")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert run_root() == Path("/tmp/boxbench-1000")


@pytest.mark.parametrize("base", ["/run/a,b", "/run/a:b", "/run/a\nb", '/run/a"b', "/run/a\\b", "/run/\udcff"])
def test_a_path_that_would_be_read_as_options_is_refused(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", base)
    with pytest.raises(HostUnfitError, match="separates options") as caught:
        run_root()
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_a_run_root_that_cannot_be_made(root: Path) -> None:
    root.write_text("a file")
    with pytest.raises(HostUnfitError, match="not a directory"), owned_dir(root / "boxbench-1"):
        pass


def test_nobody_else_enters_a_run_directory(root: Path) -> None:
    """Earlier versions left the root open to all users."""
    root.mkdir(mode=0o755)
    with owned_dir(root / "boxbench-1"):
        for directory in (root, root / "boxbench-1"):
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@needs_root
@pytest.mark.parametrize("planted", ["directory", "link"])
def test_a_run_root_that_another_user_has_planted_is_refused(root: Path, planted: str) -> None:
    """Without XDG_RUNTIME_DIR the name below /tmp can be predicted."""
    theirs = root if planted == "directory" else root.with_name("theirs")
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    if planted == "link":
        root.symlink_to(theirs)
    with pytest.raises(HostUnfitError, match=f"uid {NOBODY}|is a link"), owned_dir(root / "boxbench-1"):
        pass
    assert list(theirs.iterdir()) == []


def test_a_process_that_keeps_a_run_directory_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "SHORT_WAIT_S", 0.01)
    refused = pytest.raises(HostUnfitError, match=rf"the run directory {root}/boxbench-1 .* process {os.getpid()}\b")
    with owned_dir(root / "boxbench-1"):
        open_before = len(list(Path("/proc/self/fd").iterdir()))
        with refused, owned_dir(root / "boxbench-1"):
            pass
        assert len(list(Path("/proc/self/fd").iterdir())) == open_before
