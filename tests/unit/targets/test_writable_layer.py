"""The size of a container's writable layer is that of the directory that its engine names, and of no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.targets.containers.writable_layer import writable_layer_bytes


def test_the_directory_that_the_engine_names(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    inspected = {"GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": str(tmp_path)}}}
    assert writable_layer_bytes(inspected)["box.allocated"] >= 10_000


@pytest.mark.parametrize(
    "inspected",
    [{}, {"GraphDriver": None}, {"GraphDriver": {"Data": None}}, {"GraphDriver": {"Data": {"UpperDir": ""}}}],
)
def test_without_one_nothing_is_measured(inspected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever directories there are on the host: a user could make any of them."""
    monkeypatch.setattr(Path, "is_dir", lambda _path: True)
    assert writable_layer_bytes(inspected) == {}
