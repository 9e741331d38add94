"""The disks of whole systems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.image.vm import system
from bench.util import cache


def test_the_disk_of_an_engine_is_made_again_for_other_names_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its command line, which has the names, is not on the disk: an old disk would lack the file of a new name."""
    keys: list[str] = []

    def ensure(_kind: str, name: str, _make: Callable[[Path], object]) -> Path:
        keys.append(name)
        return tmp_path / name

    program = tmp_path / "dockervm"
    program.write_bytes(b"program")
    monkeypatch.setattr(system, "ensure_system", lambda *_: tmp_path / "tree")
    monkeypatch.setattr(system, "static_program", lambda *_: program)
    monkeypatch.setattr(cache, "ensure", ensure)
    system.ensure_engine_disk()
    system.ensure_engine_disk()
    monkeypatch.setattr(system, "ENGINE_ARGV", (system.ENGINE_ARGV[0], "/etc/other.toml", *system.DOCKERD_ARGV))
    system.ensure_engine_disk()
    first, again, other = keys
    assert first == again != other
