"""The list of ignored files of a build whose context has directories of results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from docker.utils.build import exclude_paths

from bench.image.stores.base import BuildOrder
from bench.image.stores.ignored import DOCKER, PODMAN, copied, ignore_list, pattern


def order(context: Path, *leave_out: str) -> BuildOrder:
    return BuildOrder(context, "Dockerfile", "x:1", leave_out=leave_out)


def test_directories_come_after_the_user_s_patterns(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_bytes(b"*\n!reports\n# \xff")
    assert ignore_list(order(tmp_path, "reports"), DOCKER) == b"*\n!reports\n# \xff\nreports\n"


def test_a_dockerfile_s_own_list_comes_first(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a")
    (tmp_path / "Dockerfile.dockerignore").write_text("b")
    (tmp_path / ".containerignore").write_text("c")
    assert ignore_list(order(tmp_path, "r"), PODMAN) == b"b\nr\n"
    (tmp_path / "Dockerfile.dockerignore").unlink()
    assert ignore_list(order(tmp_path, "r"), DOCKER) == b"a\nr\n"
    assert ignore_list(order(tmp_path, "r"), PODMAN) == b"c\nr\n"


def test_a_list_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".dockerignore")
    assert ignore_list(order(tmp_path, "r"), DOCKER) == b"\nr\n"


@pytest.mark.parametrize("name", ["r-1/o_2.x", "a b", "[x]*?", "!x", "#x", " x ", "a\nb", "\udcff", "é", "(1)+{2}|$^"])
def test_a_pattern_matches_its_path_and_what_differs_in_odd_characters_alone(tmp_path: Path, name: str) -> None:
    text = pattern(name)
    assert "\n" not in text
    assert text == text.strip()
    assert not text.startswith(("!", "#"))
    (tmp_path / name).mkdir(parents=True)
    (tmp_path / name / "inside").touch()
    (tmp_path / "kept").touch()
    assert f"{name}/inside" not in exclude_paths(str(tmp_path), [text])
    assert "kept" in exclude_paths(str(tmp_path), [text])


def test_the_copy_of_a_dockerfile_has_its_list_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile.dockerignore").write_text("own")
    for directories, expected in ((("reports",), b"own\nreports\n"), ((), b"own")):
        with copied(order(context, *directories), b"FROM \xff") as copy:
            file = context / copy.dockerfile
            assert file.read_bytes() == b"FROM \xff"
            assert file.with_name("Dockerfile.dockerignore").read_bytes() == expected
        assert not file.exists()
