"""Who uses a directory: many at a time, or one that is alone with it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.util import lease
from bench.util.errors import HostUnfitError
from bench.util.locks import is_locked
from bench.util.retire import retire


@pytest.fixture
def other(tmp_path: Path) -> Iterator[int]:
    """The lock file as another process has it open."""
    descriptor = os.open(tmp_path / lease.FILE, os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def holds(tmp_path: Path) -> bool:
    """Whether somebody uses the directory."""
    descriptor = os.open(tmp_path / lease.FILE, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_several_processes_use_a_directory_at_a_time(tmp_path: Path, other: int) -> None:
    fcntl.flock(other, fcntl.LOCK_SH)
    lease.join(tmp_path)
    lease.join(tmp_path)
    fcntl.flock(other, fcntl.LOCK_UN)
    assert holds(tmp_path)
    lease.leave_all()
    assert not holds(tmp_path)


def test_one_that_is_alone_keeps_others_out_and_goes_on_to_use_it(tmp_path: Path) -> None:
    lease.join(tmp_path)
    with lease.alone(tmp_path):
        lease.join(tmp_path)
        assert is_locked(tmp_path / lease.FILE)
    assert not is_locked(tmp_path / lease.FILE)
    assert holds(tmp_path)


def test_who_is_not_alone_is_told_who_else_is_there_and_stays(tmp_path: Path, other: int) -> None:
    fcntl.flock(other, fcntl.LOCK_SH)
    with pytest.raises(HostUnfitError, match=rf"in use by process {os.getpid()} "), lease.alone(tmp_path):
        pytest.fail("it was not alone")
    fcntl.flock(other, fcntl.LOCK_UN)
    assert holds(tmp_path)


def test_who_comes_while_another_tidies_waits(tmp_path: Path, other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl.flock(other, fcntl.LOCK_EX)
    monkeypatch.setattr(lease, "WAIT_LIMIT_S", 0)
    with pytest.raises(HostUnfitError, match="also after 0 s"):
        lease.join(tmp_path)
    fcntl.flock(other, fcntl.LOCK_UN)
    lease.join(tmp_path)
    assert holds(tmp_path)


def test_a_lock_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / lease.FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HostUnfitError, match="cannot be written"):
        lease.join(tmp_path)


def test_what_is_retired_goes_whole_unless_it_is_locked(tmp_path: Path, other: int) -> None:
    thing = tmp_path / "thing"
    thing.mkdir()
    (thing / "file").write_text("x")
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(BlockingIOError):
        retire(thing, lock=tmp_path / lease.FILE, gone=tmp_path / "gone")
    assert (thing / "file").exists()
    fcntl.flock(other, fcntl.LOCK_UN)
    retire(thing, lock=tmp_path / lease.FILE, gone=tmp_path / "gone")
    assert {path.name for path in tmp_path.iterdir()} == {lease.FILE}
