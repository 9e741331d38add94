"""The host's caches between trials: what one cold start drops is filled again before the next start of another box."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from bench.plan.trials import Cell, Trial
from bench.records.record import Failure, Record
from bench.run import caches
from bench.run.box import Setting
from bench.run.caches import Caches
from bench.util.errors import LaunchError
from tests.unit.run.test_trial import GOOD, FakeTarget
from tests.unit.run.test_unexpected import setting_of

PLAN: Final[tuple[tuple[str, str], ...]] = (
    ("process", "warm"),
    ("docker", "warm"),
    ("docker", "cold"),
    ("process", "warm"),  # started once before: docker/cold dropped what it needs
    ("docker", "warm"),  # docker/cold filled its caches
    ("docker", "absent"),  # started once before: its image is another one
    ("docker", "absent"),
    ("process", "cold"),
    ("process", "warm"),
    ("docker", "warm"),  # started once before
)
FILLED: Final = [("t0003", "process", "warm"), ("t0005", "docker", "absent"), ("t0009", "docker", "warm")]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Trial]:
    """The starts that are not measured."""
    monkeypatch.setattr(os, "sync", lambda: None)
    found: list[Trial] = []

    def start(trial: Trial, _: Setting) -> tuple[Record, None]:
        found.append(trial)
        good = Record(campaign="c", trial=trial, started_at="now", outcome="ok", endpoints_ns={})
        if trial.cell.target != "docker":
            return good, None
        failure = Failure.of(LaunchError("no room", hint="make room"))
        return good.model_copy(update={"outcome": "failed", "failure": failure}), None

    monkeypatch.setattr(caches, "run_trial", start)
    return found


def _run(steps: Sequence[tuple[str, str]], tmp_path: Path, *, done: int = 0) -> list[str]:
    """Go through a plan whose first ``done`` trials ran in another process; returns what was said."""
    setting, said = setting_of(FakeTarget(GOOD), tmp_path), list[str]()
    cells = [Cell(scenario="made", target=name, accel="native", factors={"cache": level}) for name, level in steps]
    plan = [Trial(number=number, block=0, cell=cell, warmup=False) for number, cell in enumerate(cells)]
    known = Caches(plan, plan[done:])
    for trial in plan[done:]:
        known.before(trial, setting, said.append)
    return said


def test_a_warm_start_after_a_cold_one_of_another_box_is_warm(started: list[Trial], tmp_path: Path) -> None:
    said = _run(PLAN, tmp_path)
    names = [(f"t{trial.number - 800_000:04d}", trial.cell.target, trial.cell.factors["cache"]) for trial in started]
    assert names == FILLED
    assert all(trial.warmup for trial in started)
    assert len(said) == 2
    assert "before t0009 failed, so that trial may be partly cold: no room" in said[1]


@pytest.mark.parametrize("done", [0, 2])
def test_without_cold_starts_no_box_starts_twice(started: list[Trial], tmp_path: Path, done: int) -> None:
    assert _run([step for step in PLAN if step[1] != "cold"], tmp_path, done=done) == []
    assert started == []


def test_what_a_first_start_left_is_written_before_the_next_trial(
    started: list[Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "sync", lambda: synced.append(len(started)))
    _run([("docker", "absent"), ("docker", "warm"), ("docker", "warm"), ("docker", "absent")], tmp_path)
    assert len(synced) == 1
    _run([("docker", "absent"), ("docker", "absent"), ("docker", "cold")], tmp_path)
    assert len(synced) == 3
    assert started == []


def test_after_an_interruption_nothing_is_known(started: list[Trial], tmp_path: Path) -> None:
    _run([("docker", "cold"), ("process", "warm"), ("process", "warm")], tmp_path, done=1)
    assert [trial.cell.target for trial in started] == ["process"]
