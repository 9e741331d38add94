"""Data files are found in a checkout and in a wheel, and the error for missing ones says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.util import package_data as resources
from bench.util.errors import HostUnfitError


def test_a_checkout_finds_its_own_folders() -> None:
    assert (resources.templates_dir() / "report.html.j2").is_file()
    assert resources.scenarios_dir().is_dir()


def test_a_wheel_finds_what_was_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "bench" / "_data" / "scenarios" / "hello"
    packed.mkdir(parents=True)
    (packed / "scenario.yaml").touch()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "bench")
    assert resources.shipped_scenarios() == ("hello",)
    assert resources.find_scenario("hello") == packed
    assert resources.find_scenario("other") == Path("other")


def test_a_path_that_exists_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "scenario.yaml").touch()
    assert resources.find_scenario("hello") == Path("hello")


def test_a_directory_without_a_scenario_does_not_hide_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`boxbench run hello -o hello` makes such a directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hello").mkdir()
    assert resources.find_scenario("hello") == resources.scenarios_dir() / "hello"
    (tmp_path / "other").mkdir()
    assert resources.find_scenario("other") == Path("other")


def test_an_incomplete_installation_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "bench")
    with pytest.raises(HostUnfitError, match="incomplete"):
        resources.templates_dir()
