"""Directories of results, told apart from a user's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.anatomy.model import Anatomy
from bench.floor.model import Floors
from bench.gate.model import GateResult
from bench.gate.request import StoredRequest
from bench.instructions.model import Instructions
from bench.records import results
from bench.records.manifest import Manifest
from bench.records.results import is_results, results_below


def make(place: Path, name: str = results.CAMPAIGN, text: str = '{\n "schema_number": 2,\n "id": "0badcafe"') -> Path:
    place.mkdir(parents=True)
    (place / name).write_text(text)
    (place / "index.html").write_text("x")
    return place


def below(top: Path, *also: Path) -> list[str]:
    return [str(path.relative_to(top)) for path in results_below(top, also)]


@pytest.mark.parametrize("name", results.FILES)
def test_a_file_of_ours_makes_a_directory_of_results(tmp_path: Path, name: str) -> None:
    assert is_results(make(tmp_path / "a", name))


@pytest.mark.parametrize("model", [Manifest, GateResult, StoredRequest, Floors, Anatomy, Instructions])
def test_every_such_file_begins_with_the_number_of_its_format(model: type) -> None:
    assert next(iter(model.model_fields)) == "schema_number"  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ['{"name": "an extension", "schema_number": 2}', "", "[]", '"schema_number": 2'])
def test_a_file_of_the_same_name_that_is_not_ours_does_not(tmp_path: Path, text: str) -> None:
    assert not is_results(make(tmp_path / "a", text=text))


def test_the_name_of_the_directory_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "reports/out/20260101-000000-app").mkdir(parents=True)
    (tmp_path / "reports/out/20260101-000000-app/data").write_text("x")
    assert below(tmp_path) == []


def test_a_fifo_in_the_place_of_such_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / results.CAMPAIGN)
    assert not is_results(tmp_path)


def test_directories_with_nothing_but_results_are_named_as_a_whole(tmp_path: Path) -> None:
    make(tmp_path / "reports/out/a")
    make(tmp_path / "reports/out/b/inner")
    make(tmp_path / "src/mine")
    (tmp_path / "src/main.py").write_text("x")
    assert below(tmp_path) == ["reports", "src/mine"]


def test_a_user_s_file_beside_results_keeps_its_directory(tmp_path: Path) -> None:
    make(tmp_path / "reports/out/a")
    (tmp_path / "reports/.gitkeep").touch()
    assert below(tmp_path) == ["reports/out"]


def test_a_directory_for_results_to_come_counts_while_it_is_empty(tmp_path: Path) -> None:
    (tmp_path / "reports/out/a").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert below(tmp_path) == []
    assert below(tmp_path, tmp_path / "reports/out/a") == ["reports"]
    assert below(tmp_path, tmp_path / "not/there") == []
    (tmp_path / "reports/out/a/mine").touch()
    assert below(tmp_path, tmp_path / "reports/out/a") == []


def test_the_context_itself_is_never_left_out(tmp_path: Path) -> None:
    make(tmp_path / "a")
    assert below(tmp_path / "a") == []
    assert below(tmp_path, tmp_path) == ["a"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path / "elsewhere/a")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(tmp_path / "elsewhere/a")
    (top / "all").symlink_to(tmp_path / "elsewhere")
    assert below(top) == []


def test_a_context_behind_a_link_has_the_paths_that_the_user_wrote(tmp_path: Path) -> None:
    make(tmp_path / "real/out/a")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert results_below(tmp_path / "link") == (tmp_path / "link/out",)
