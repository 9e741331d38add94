"""Places in a box's tree that are used from outside: links of the image are not followed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.targets import overlay as module
from bench.targets.overlay import Overlay
from bench.util.errors import LaunchError


@dataclasses.dataclass
class _Order:
    directory: Path
    storage: Path
    image: object = dataclasses.field(default_factory=lambda: SimpleNamespace(volumes=()))
    tag: str = "boxbench-01234567-t0001"


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Overlay:
    """An overlay that is not mounted: a directory takes the place of the tree."""
    monkeypatch.setattr(module, "ensure_tree_dir", lambda _image: tmp_path / "lower")
    directories = tmp_path / "run", tmp_path / "boxes"
    for directory in directories:
        directory.mkdir()
    return Overlay(cast("Any", _Order(*directories)))


def test_a_plain_path_is_inside(overlay: Overlay) -> None:
    (overlay.root / ".boxbench").mkdir()
    assert overlay.inside("/.boxbench/ch") == overlay.root / ".boxbench" / "ch"


@pytest.mark.parametrize("place", [".boxbench", ".boxbench/ch"])
@pytest.mark.parametrize("target", ["/tmp", "../../outside", "missing"])
def test_a_link_on_the_way_is_refused(overlay: Overlay, place: str, target: str) -> None:
    (overlay.root / place).parent.mkdir(exist_ok=True)
    (overlay.root / place).symlink_to(target)
    with pytest.raises(LaunchError, match=f"^{place} in the image is a symbolic link, to '{target}'"):
        overlay.inside("/.boxbench/ch")


@pytest.mark.parametrize("place", ["proc", "sys"])
def test_no_mount_goes_through_a_link(overlay: Overlay, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    (overlay.root / place).symlink_to(outside)
    with pytest.raises(LaunchError, match=f"^{place} in the image is a symbolic link"):
        overlay.mount_proc()
    assert not outside.exists()
