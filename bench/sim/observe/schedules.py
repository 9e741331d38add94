"""Storms of one level must have been requested in one way: all at once, one every 50 ms, or at random times.

Eight boxes at once and eight boxes one second apart are different questions. Their storms have no common median, and a
perfect model of both would be off from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.observe.levels import Level
from bench.sim.observe.trials import StartTrial
from bench.util.errors import UsageError
from bench.util.units import format_ns

_LEAST_PATTERN: Final = 3
"""Two boxes have one gap, which is always equal to itself."""


def check_one_schedule(label: str, level: Level, trials: Sequence[StartTrial]) -> None:
    """Refuse storms of one level that were requested in different ways.

    Random schedules differ from block to block, and are one way. So different schedules are a mixture if one of them
    has equal gaps or is that of several blocks, or if one block has two. Two campaigns with random schedules of
    different mean gaps are not told apart.

    Args:
        label: the target's name, for the error.
        trials: all of the level.

    Raises:
        UsageError: a mixture.
    """
    blocks: dict[bytes, set[int]] = {}
    examples: dict[bytes, StartTrial] = {}
    for trial in trials:
        key = trial.scheduled_ns.tobytes()
        blocks.setdefault(key, set()).add(trial.block)
        examples.setdefault(key, trial)
    if len(blocks) < 2:
        return
    twice = sum(map(len, blocks.values())) > len(set().union(*blocks.values()))
    if twice or any(len(blocks[key]) > 1 or _is_even(one) for key, one in examples.items()):
        ways = sorted({_words(one) for one in examples.values()})
        shown = ways if len(ways) > 1 else [f"{len(examples)} schedules, {ways[0]}"]
        raise UsageError(
            f"{label}: storms of {level} were requested in different ways: {', '.join(shown[:3])}",
            hint="they are different questions: name campaigns of one schedule, or choose one with --scenario NAME",
        )


def is_staggered(trial_schedules: Sequence[NDArray[np.int64]]) -> bool:
    """Whether boxes of a storm were not requested all at once."""
    return any(np.ptp(one) > 0 for one in trial_schedules)


def _is_even(trial: StartTrial) -> bool:
    gaps = np.diff(trial.scheduled_ns)
    return not gaps.any() or (trial.boxes >= _LEAST_PATTERN and not np.ptp(gaps))


def _words(trial: StartTrial) -> str:
    gaps = np.diff(trial.scheduled_ns)
    if not gaps.any():
        return "all at once"
    return f"one every {format_ns(int(gaps[0]))}" if not np.ptp(gaps) else "at random times"
