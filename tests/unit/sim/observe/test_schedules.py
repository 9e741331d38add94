"""Which storms may be compared as one level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.sim.observe.levels import Level
from bench.sim.observe.schedules import check_one_schedule
from bench.sim.observe.trials import StartTrial
from bench.util.errors import UsageError

TRIAL = StartTrial(
    digest="sha256:1",
    cell="synthetic/docker?concurrency=3",
    block=0,
    sitting=0,
    boxes=3,
    residents=0,
    scheduled_ns=np.zeros(3, np.int64),
    times_ns={},
    cpu_ns={},
)


def _check(*schedules: tuple[int, list[int]]) -> None:
    """Of blocks with their schedules."""
    trials = [
        replace(TRIAL, block=block, boxes=len(at), scheduled_ns=np.array(at, np.int64)) for block, at in schedules
    ]
    check_one_schedule("docker", Level(boxes=3), trials)


def test_one_schedule_and_random_ones_are_one_way() -> None:
    _check((0, [0, 0, 0]), (1, [0, 0, 0]))
    _check((0, [0, 5, 10]), (1, [0, 5, 10]))
    _check((0, [0, 5, 12]), (1, [0, 1, 30]), (2, [0, 8, 9]), (2, [0, 8, 9]))
    _check((0, [0, 5]), (1, [0, 7]))


@pytest.mark.parametrize(
    "schedules",
    [
        [(0, [0, 0, 0]), (1, [0, 5, 10])],
        [(0, [0, 0, 0]), (1, [0, 5, 12])],
        [(0, [0, 5, 10]), (1, [0, 50, 100])],
        [(0, [0, 5]), (1, [0, 5]), (2, [0, 9])],
        [(0, [0, 5, 12]), (0, [0, 50, 120])],
    ],
)
def test_other_schedules_are_refused(schedules: list[tuple[int, list[int]]]) -> None:
    with pytest.raises(UsageError, match="docker: storms of 3 boxes were requested in different ways"):
        _check(*schedules)
