"""Histories made up from a seed: a repository with commits, and a campaign's line for each."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.history.line import Commit, Line, Point
from bench.util import proc

HOST: Final = "5f1d0c2ab877"
OTHER_HOST: Final = "0123456789ab"
READY: Final = "endpoint.ready_ns"
_START: Final = datetime(2031, 1, 1, tzinfo=UTC)
IDENTITY: Final = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false")


def make_commit(number: int) -> Commit:
    """The ``number``-th commit of a made-up repository, an hour after the one before."""
    return Commit(
        id=f"{number + 1:07x}".ljust(40, "a"),
        committed_at=(_START + timedelta(hours=number)).isoformat(),
        subject=f"Change number {number}",
    )


def make_line(commit: Commit, medians: dict[str, float], *, fingerprint: str = HOST, accel: str = "native") -> Line:
    """A line with one metric per cell: time to ready, in ns; the interval is 2 % on both sides, of counts 0 %."""
    side = 0.0 if accel == "icount" else 0.02
    points = {
        cell: Point(n=7, failures=0, median=m, low=m * (1 - side), high=m * (1 + side)) for cell, m in medians.items()
    }
    return Line(
        fingerprint=fingerprint,
        commit=commit,
        campaigns=("c0ffee42",),
        measured_at=commit.committed_at,
        boxbench="0.1.0",
        host={"cpu_model": "AMD EPYC 9R14", "kernel_release": "6.18.5", "distribution": "debian 13"},
        accel=dict.fromkeys(medians, accel),
        cells={cell: {READY: point} for cell, point in points.items()},
    )


def make_history(
    levels: Sequence[float], *, cell: str = "hello/docker", spread: float = 0.01, seed: int = 1, accel: str = "native"
) -> tuple[Line, ...]:
    """One line per level (in ms), each with log-normal noise of ``spread``."""
    rng = random.Random(seed)
    values = [level * 1e6 * (rng.lognormvariate(0, spread) if spread else 1.0) for level in levels]
    return tuple(make_line(make_commit(n), {cell: value}, accel=accel) for n, value in enumerate(values))


def git(repository: Path, *words: str) -> str:
    """Run git in a test's own repository, with an identity of its own."""
    return proc.run(["git", "-C", repository, *IDENTITY, *words], timeout_s=30).text


def make_repository(path: Path, commits: int, *, each: Callable[[int, str], None] | None = None) -> list[str]:
    """A repository on branch main; returns the hashes, oldest first. ``each`` is called with number and hash."""
    path.mkdir(parents=True, exist_ok=True)
    git(path, "init", "--quiet", "--initial-branch=main")
    hashes = []
    for number in range(commits):
        when = (_START + timedelta(hours=number)).isoformat()
        (path / "version").write_text(f"{number}\n", encoding="utf-8")
        git(path, "add", "version")
        words = ["git", "-C", str(path), *IDENTITY, "commit", "--quiet", "-m", f"Change number {number}"]
        proc.run(words, timeout_s=30, env={"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when})
        hashes.append(git(path, "rev-parse", "HEAD").strip())
        if each is not None:
            each(number, hashes[-1])
    return hashes
