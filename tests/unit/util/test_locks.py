"""Locks on files: who waits for whom, how long, and what is said about it."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.util import locks
from bench.util.errors import BoxbenchWarning, HostUnfitError
from bench.util.locks import holder_of, is_locked, wait_for_lock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def fd(file: Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def held(fd: int, file: Path) -> Iterator[int]:
    """Another open file that has the lock, as in another process."""
    descriptor = os.open(file, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield descriptor
    os.close(descriptor)


def _me() -> str:
    return f"process {os.getpid()} ({Path('/proc/self/comm').read_text().strip()})"


def test_a_free_lock_is_taken_at_once(fd: int, file: Path) -> None:
    wait_for_lock(fd, "the thing", limit_s=0)
    assert is_locked(file)
    assert holder_of(fd) == _me()


@pytest.mark.usefixtures("held")
def test_a_wait_ends_at_its_limit_and_names_the_holder(fd: int) -> None:
    with pytest.raises(HostUnfitError) as caught:
        wait_for_lock(fd, "the thing", limit_s=0.01)
    assert str(caught.value) == f"the thing is in use by {_me()}, also after 0.01 s"
    assert "end it if it hangs" in caught.value.hint


def test_a_long_wait_is_announced_once_and_ends_with_the_lock(
    fd: int, file: Path, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, type[Warning]]] = []

    def hear(message: str, category: type[Warning], **_: object) -> None:
        said.append((message, category))
        fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(locks, "_SAY_AFTER_S", 0)
    monkeypatch.setattr(warnings, "warn", hear)
    wait_for_lock(fd, "the thing", limit_s=600)
    assert said == [(f"waiting for the thing, which {_me()} uses", BoxbenchWarning)]
    assert is_locked(file)


def test_a_holder_in_another_namespace_is_not_named(fd: int) -> None:
    # A lock that nobody holds is listed as little as one of a process that has no number here.
    assert holder_of(fd) == "a process that this one cannot see"


def test_a_wait_for_another_worker_fails_no_test() -> None:
    """All warnings but this one are errors in tests. On a busy host a compiler has a cache entry for some seconds."""
    warnings.warn(f"waiting for the thing, which {_me()} uses", BoxbenchWarning, stacklevel=1)
