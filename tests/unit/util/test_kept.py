"""Answers about the host: a good one stays, a bad one is asked for again after a while."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.util import cache
from bench.util.kept import BAD_FOR_S, kept_answer


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXBENCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("reason", "age_s", "times_asked"),
    [
        (None, 0.0, 1),
        (None, 10 * BAD_FOR_S, 1),
        ("the host was busy", 0.0, 1),
        ("the host was busy", BAD_FOR_S / 2, 1),
        ("the host was busy", BAD_FOR_S + 1, 2),
        ("the clock was set back", -60.0, 2),
    ],
)
def test_only_a_bad_answer_grows_old(reason: str | None, age_s: float, times_asked: int) -> None:
    asked: list[int] = []

    def ask() -> dict[str, str | None]:
        asked.append(1)
        return {"reason": reason}

    assert kept_answer("kind", "key", ask) == {"reason": reason}
    then = time.time() - age_s
    os.utime(cache.cache_dir() / "kind" / "key.json", (then, then))
    assert kept_answer("kind", "key", ask) == {"reason": reason}
    assert len(asked) == times_asked
