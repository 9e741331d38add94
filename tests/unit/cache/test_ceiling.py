"""The ceiling of the cache, and what a campaign removes at its end."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from bench.cache import ceiling as module
from bench.cache.ceiling import DEFAULT_BYTES, VARIABLE, below_ceiling, ceiling
from bench.util import cache, lease
from bench.util.errors import UsageError
from tests.unit.cache.made import KIB, add


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))
    return cache.cache_dir()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.mark.parametrize(
    ("text", "expected"), [("", DEFAULT_BYTES), ("2GiB", 2 * 2**30), ("none", None), (" None ", None), ("0", 0)]
)
def test_the_ceiling(monkeypatch: pytest.MonkeyPatch, text: str, expected: int | None) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert ceiling() == expected


@pytest.mark.parametrize("text", ["2", "much", "-1GiB", "2GB/s"])
def test_a_ceiling_that_is_no_size_is_refused_before_the_campaign(
    monkeypatch: pytest.MonkeyPatch, text: str, said: list[str]
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(UsageError, match=VARIABLE) as refused, below_ceiling(said.append):
        pytest.fail("the campaign began")
    assert "20GiB" in refused.value.hint


def test_what_the_campaign_did_not_use_goes(root: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    add("disk", "old", age_days=9, kib=64)
    cache._used.clear()
    monkeypatch.setenv(VARIABLE, "64KiB")
    with below_ceiling(said.append):
        add("disk", "used", age_days=20, kib=16)
    assert not (root / "disk" / "old").exists()
    assert (root / "disk" / "used").exists()
    assert said[0] == "bringing the cache below 64.0 KiB"
    assert len(said) == 2


def test_what_the_campaign_used_stays_above_the_ceiling_and_that_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "4KiB")
    with below_ceiling(said.append):
        add("disk", "used", kib=64)
    assert (root / "disk" / "used").exists()
    assert "above its ceiling of 4.00 KiB" in said[-1]
    assert VARIABLE in said[-1]


def test_below_the_ceiling_nothing_is_said(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    with below_ceiling(said.append):
        add("disk", "used", kib=64)
    assert said == []


def test_without_a_ceiling_nothing_is_read(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv(VARIABLE, "none")
    monkeypatch.setattr(module, "read_contents", lambda _root: pytest.fail("read"))
    with below_ceiling(said.append):
        pass


def test_nothing_is_removed_while_another_process_uses_the_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    add("disk", "theirs", kib=64)
    cache._used.clear()
    monkeypatch.setenv(VARIABLE, "1KiB")
    other = os.open(root / lease.FILE, os.O_RDWR)
    fcntl.flock(other, fcntl.LOCK_SH)
    try:
        with below_ceiling(said.append):
            pass
    finally:
        os.close(other)
    assert (root / "disk" / "theirs").stat().st_size == 64 * KIB
    assert said == []


def test_a_failing_campaign_keeps_its_error(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module, "read_contents", fail)
    with pytest.raises(RuntimeError, match="of the campaign"), below_ceiling(said.append):
        raise RuntimeError("of the campaign")
    assert said == ["the cache was not tidied: [Errno 5] Input/output error"]


def test_ctrl_c_ends_the_tidying_and_not_the_report(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    def interrupt(_root: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_contents", interrupt)
    with below_ceiling(said.append):
        pass
    assert "boxbench cache prune" in said[-1]
