"""Run directories: their names, and the locks that mark them as used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.host import run_directory as rundir
from bench.host.run_directory import box_tag, campaign_dir, campaign_tag, only_campaign_on_host, owned_dir, run_root
from bench.util.errors import HostUnfitError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "run_root", lambda: tmp_path / "run")
    # A campaign may be running on the host of the tests.
    monkeypatch.setattr(rundir, "HOST_NAME", f"\0boxbench-test-{os.getpid()}")
    return tmp_path / "run"


def test_one_search_finds_all(root: Path) -> None:
    assert campaign_tag("c0ffee42") in box_tag("c0ffee42", "t0003")
    assert campaign_dir("c0ffee42") == root / campaign_tag("c0ffee42")


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


@pytest.mark.usefixtures("root")
def test_one_campaign_at_a_time() -> None:
    refused = pytest.raises(HostUnfitError, match="another boxbench campaign is running")
    with only_campaign_on_host(), refused, only_campaign_on_host():
        pass
    with only_campaign_on_host():
        pass


def test_a_run_root_that_cannot_be_made(root: Path) -> None:
    root.write_text("a file")
    with pytest.raises(HostUnfitError, match="cannot be used"), owned_dir(root / "boxbench-1"):
        pass
