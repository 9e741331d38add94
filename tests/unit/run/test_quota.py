"""The limits of what a box may write to the host, on real files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from bench.run import quota
from bench.run.quota import OUTPUT_BYTES, RUN_BYTES, RUN_FILES, Quota
from bench.targets.base import Box, Order
from bench.util import proc
from bench.util.errors import QuotaError
from tests.needs import host_cannot
from tests.waiting import LIMIT_S, wait_until


class _Box:
    """As much of a box as is asked for its size and killed."""

    def __init__(self) -> None:
        self.killed = False
        self.allocated = 0

    def disk_bytes(self) -> Mapping[str, int]:
        return {"box.allocated": self.allocated}

    def kill(self) -> None:
        self.killed = True


class _Place:
    """A box's directories and its quota."""

    def __init__(self, top: Path, *, layer_bytes: int | None = None) -> None:
        self.storage, self.directory = top / "storage", top / "run"
        self.channel = self.directory / "ch"
        for path in (self.storage, self.channel):
            path.mkdir(parents=True, exist_ok=True)
        order: Any = type("_Order", (), {"storage": self.storage, "directory": self.directory})
        self.box = _Box()
        self.quota = Quota(cast(Order, order), cast(Box, self.box), layer_bytes=layer_bytes)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[_Place]:
    made = _Place(tmp_path, layer_bytes=1000)
    yield made
    made.quota.close()


def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody has filled the file systems, so that the boxes' parts are counted."""
    monkeypatch.setattr(quota._Space, "taken", lambda _self: (2**40, 2**20))


def _unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has written to the file systems. On a real one other programs write meanwhile."""
    monkeypatch.setattr(quota._Space, "taken", lambda _self: (0, 0))


def _refused(place: _Place) -> str:
    with pytest.raises(QuotaError) as caught:
        place.quota.check()
    assert place.box.killed
    assert place.quota.error is caught.value
    return caught.value.message


def test_a_box_that_keeps_its_limits_goes_on(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    (place.storage / "stdout").write_bytes(b"x" * 1000)
    os.truncate(place.storage / "stdout", OUTPUT_BYTES)
    os.mkfifo(place.channel / "events")
    place.box.allocated = 1000
    _full(monkeypatch)
    place.quota.check()
    assert not place.box.killed
    assert place.quota.error is None


def test_output_that_is_too_long_ends_the_box(place: _Place) -> None:
    (place.storage / "stderr").touch()
    os.truncate(place.storage / "stderr", OUTPUT_BYTES + 1)
    assert f"more than 512 MiB to the output file {place.storage}/stderr" in _refused(place)


def test_the_size_of_a_disk_is_the_scenarios(place: _Place) -> None:
    for name in ("disk.qcow2", "disk.raw", "system.qcow2", "root.cow"):
        (place.storage / name).touch()
        os.truncate(place.storage / name, OUTPUT_BYTES + 1)
    place.quota.check()


def test_a_layer_that_is_too_large_ends_the_box(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.box.allocated = 1001
    _unchanged(monkeypatch)
    place.quota.check()
    _full(monkeypatch)
    assert f"1000 B to the writable layer below {place.storage}" in _refused(place)


def test_the_run_directory_holds_little(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _full(monkeypatch)
    (place.channel / "ballast").write_bytes(bytes(RUN_BYTES + 1))
    assert f"more than 16.0 MiB to its run directory {place.directory}" in _refused(place)


def test_the_run_directory_holds_few_files(place: _Place, monkeypatch: pytest.MonkeyPatch) -> None:
    _full(monkeypatch)
    for number in range(RUN_FILES):
        (place.channel / str(number)).touch()
    assert f"or more than {RUN_FILES} files" in _refused(place)


@pytest.mark.host
@pytest.mark.parametrize("kind", ["bytes", "files"])
@pytest.mark.parametrize("limits", ["size=64m,nr_inodes=4k", "size=0,nr_inodes=0"])
def test_a_file_system_that_fills_up_is_noticed(tmp_path: Path, kind: str, limits: str) -> None:
    """On a file system of its own, which nobody else fills meanwhile; one without limits tells nothing of itself."""
    if os.geteuid() != 0:
        host_cannot("mount a file system without root")
    run = tmp_path / "run"
    run.mkdir()
    proc.run(["mount", "-t", "tmpfs", "-o", limits, "tmpfs", run], timeout_s=LIMIT_S)
    try:
        place = _Place(tmp_path)
        place.quota.check()
        if kind == "bytes":
            (place.channel / "ballast").write_bytes(bytes(RUN_BYTES + 1))
        else:
            for number in range(RUN_FILES):
                (place.channel / str(number)).touch()
        assert str(place.directory) in _refused(place)
        place.quota.close()
    finally:
        proc.run(["umount", run], timeout_s=LIMIT_S)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "boxbench-quota"]


def test_a_box_that_is_ready_is_checked_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quota, "CHECK_S", 0.01)
    good, bad = _Place(tmp_path / "good"), _Place(tmp_path / "bad")
    assert len(_threads()) == 1
    for place in (good, bad):
        place.quota.begin()
    (bad.storage / "stdout").touch()
    os.truncate(bad.storage / "stdout", OUTPUT_BYTES + 1)
    wait_until(lambda: bad.box.killed, "the end of the box")
    assert not good.box.killed
    for place in (good, bad):
        place.quota.close()
        place.quota.close()
    assert not _threads()


def test_a_box_that_has_been_removed_is_not_checked(place: _Place) -> None:
    place.quota.close()
    (place.storage / "stdout").touch()
    os.truncate(place.storage / "stdout", OUTPUT_BYTES + 1)
    place.quota.look()
    assert not place.box.killed
