"""The size of a container's writable layer is that of the directory that its engine names, and of no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from bench.targets.containers.writable_layer import writable_layer_bytes
from tests.stranger import NOBODY


def test_the_directory_that_the_engine_names(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10_000)
    inspected = {"GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": str(tmp_path)}}}
    assert writable_layer_bytes(inspected)["box.allocated"] >= 10_000


def test_volumes_count_and_what_a_user_has_bound_does_not(tmp_path: Path) -> None:
    mounts = []
    for kind in ("volume", "bind"):
        directory = tmp_path / kind
        directory.mkdir()
        (directory / "file").write_bytes(b"x" * 100_000)
        mounts.append({"Type": kind, "Source": str(directory)})
    (tmp_path / "upper").mkdir()
    inspected = {"GraphDriver": {"Data": {"UpperDir": str(tmp_path / "upper")}}, "Mounts": mounts}
    assert 100_000 <= writable_layer_bytes(inspected)["box.allocated"] < 200_000


@pytest.mark.parametrize(
    "inspected",
    [{}, {"GraphDriver": None}, {"GraphDriver": {"Data": None}}, {"GraphDriver": {"Data": {"UpperDir": ""}}}],
)
def test_without_one_nothing_is_measured(inspected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever directories there are on the host: a user could make any of them."""
    monkeypatch.setattr(Path, "is_dir", lambda _path: True)
    assert writable_layer_bytes(inspected) == {}


_AS_A_STRANGER: Final = """
import os, sys
from bench.targets.containers.writable_layer import writable_layer_bytes
os.chdir(sys.argv[1])
# What is loaded at the first use may lie where no other user can read it.
writable_layer_bytes({"GraphDriver": {"Data": {"UpperDir": "open"}}})
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
for path in sys.argv[3:]:
    print(len(writable_layer_bytes({"GraphDriver": {"Data": {"UpperDir": path}}})))
"""


@pytest.mark.host
def test_a_layer_that_is_closed_to_this_user_has_no_size(tmp_path: Path) -> None:
    """The directories of an engine that runs as root are, and its users may be in the group docker only."""
    for name in ("open", "closed/layer"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    (tmp_path / "closed").chmod(0)
    argv = [sys.executable, "-c", _AS_A_STRANGER, str(tmp_path), str(NOBODY), "open", "closed", "closed/layer"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    (tmp_path / "closed").chmod(0o700)
    assert (done.stdout.split(), done.stderr) == (["1", "0", "0"], "")
