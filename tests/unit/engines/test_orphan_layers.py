"""Writable layers that Docker forgets go, and those of living containers and of BuildKit stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.engines.orphan_layers import remove_orphan_layers

LIVING, DEAD, BUILDS = "a" * 64, "d" * 64, "b" * 25


def note(root: Path, container: str, layer: str) -> Path:
    """A writable layer as Docker notes it, with its files and its short name."""
    mount = root / "image" / "overlay2" / "layerdb" / "mounts" / container
    mount.mkdir(parents=True)
    (root / "overlay2" / "l").mkdir(parents=True, exist_ok=True)
    for file, name in (("init-id", f"{layer}-init"), ("mount-id", layer)):
        (mount / file).write_text(name)
        place = root / "overlay2" / Path(name).name
        (place / "diff").mkdir(parents=True, exist_ok=True)
        short = layer[:25] + ("I" if file == "init-id" else "L")
        (place / "link").write_text(short)
        (root / "overlay2" / "l" / short).symlink_to(f"../{name}/diff")
    return mount


@pytest.fixture
def root(tmp_path: Path) -> Path:
    note(tmp_path, LIVING, "1" * 64)
    note(tmp_path, DEAD, "2" * 64)
    note(tmp_path, BUILDS, "3" * 64)
    (tmp_path / "containers" / LIVING).mkdir(parents=True)
    return tmp_path


def test_only_the_layers_of_containers_that_are_gone_are_removed(root: Path) -> None:
    assert remove_orphan_layers(root) == 1
    left = {path.name[0] for path in (root / "overlay2").iterdir()} - {"l"}
    assert left == {"1", "3"}
    assert {path.name for path in (root / "image/overlay2/layerdb/mounts").iterdir()} == {LIVING, BUILDS}
    assert {path.name[0] for path in (root / "overlay2" / "l").iterdir()} == {"1", "3"}
    assert remove_orphan_layers(root) == 0


def test_a_name_that_is_no_layer_leads_nowhere(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    root = tmp_path / "docker"
    mount = note(root, DEAD, "2" * 64)
    (mount / "mount-id").write_text("../../precious")
    (root / "overlay2" / f"{'2' * 64}-init" / "link").write_text("../../precious")
    assert remove_orphan_layers(root) == 1
    assert precious.is_dir()


def test_a_store_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    assert remove_orphan_layers(tmp_path) == 0
