"""The changes in a history: change points of every series, and which of them are regressions."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from bench.analysis.metrics import Metric
from bench.history.acknowledge import Acknowledgement, matching
from bench.history.line import Commit, Line
from bench.history.series import Series, recent_commits, series_of
from bench.history.steps import LevelStep, commits_needed, counted_steps, find_steps
from bench.util.errors import ExitCode

LEVEL: Final = 0.05
"""The largest chance that a check of a whole history without any change finds one. It is divided among the series that
are long enough to show a change."""
LEVEL_EACH: Final = 0.01
"""The same for a single series."""
THRESHOLD: Final = 0.02
"""Smaller changes of level are shown, but are no regression."""
COUNT_THRESHOLD: Final = 0.005
"""The same for counts of instructions. A longer comment costs some instructions, too."""


class State(StrEnum):
    """The state of a change."""

    OPEN = "open"
    """Worse, and no later level is as good as before: a regression."""
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "acknowledgement expired"
    UNDONE = "undone"
    """Worse, but a later change brought the level back."""
    SMALL = "small"
    """Below the threshold."""
    BETTER = "better"


@dataclass(frozen=True)
class Change:
    """A change point of a series.

    Attributes:
        good, bad: the change is after ``good`` and not after ``bad``: ``git log good..bad`` lists the commits.
        widest: the same with 95 % certainty.
        inputs: names of the inputs of a count that changed between the two; empty for times.
    """

    series: Series
    step: LevelStep
    state: State
    good: Commit
    bad: Commit
    widest: tuple[Commit, Commit]
    acknowledgement: Acknowledgement | None = None
    inputs: tuple[str, ...] = ()

    @property
    def commits(self) -> str:
        """``1a2b3c4d5e..6f5e4d3c2b``."""
        return f"{self.good.id[:10]}..{self.bad.id[:10]}"


@dataclass(frozen=True)
class Checked:
    """The result of a check of a whole history.

    Attributes:
        series: those that were searched.
        too_short: how many of these are too short to show even a perfect step.
        needed: the length from which on a series can show one.
        left_out: how many series have none of the last LONGEST commits: their hosts or boxes are gone.
    """

    series: tuple[Series, ...]
    changes: tuple[Change, ...]
    too_short: int
    needed: int
    detector: str
    left_out: int = 0

    @property
    def open(self) -> tuple[Change, ...]:
        """The regressions: open changes and those whose acknowledgement has expired."""
        return tuple(change for change in self.changes if change.state in (State.OPEN, State.EXPIRED))

    @property
    def exit_code(self) -> ExitCode:
        """3 when something is open, 4 when every series is too short to tell, else 0."""
        if self.open:
            return ExitCode.REGRESSION
        return ExitCode.CANNOT_TELL if self.too_short == len(self.series) else ExitCode.OK


Detector = Callable[[Sequence[Series], float], Sequence[tuple[LevelStep, ...]]]


def check_lines(
    lines: Sequence[Line],
    *,
    acknowledgements: Sequence[Acknowledgement] = (),
    today: date,
    threshold: float | None = None,
    detector: Detector | None = None,
    name: str = "own",
) -> Checked:
    """Look for change points in every series of a history.

    Args:
        today: decides which acknowledgements have expired.
        threshold: smallest relative change that is a regression; None is THRESHOLD, and COUNT_THRESHOLD for counts.
        detector: a detector to use instead of the own one, called ``name``.
    """
    everything = series_of(lines)
    recent = recent_commits(lines)
    series = tuple(one for one in everything if one.commits[-1].id in recent)
    level = shared_level([len(one.points) for one in series if not one.is_count])
    found_steps = (detector or own_detector)(series, level)
    changes: list[Change] = []
    for one, steps in zip(series, found_steps, strict=True):
        found = [_change(one, step) for step in steps]
        changes.extend(_judged(found, acknowledgements, today, threshold))
    needed = commits_needed(level=level)
    short = sum(len(one.points) < needed and not one.is_count for one in series)
    return Checked(series, tuple(changes), short, needed, name, len(everything) - len(series))


def shared_level(lengths: Sequence[int]) -> float:
    """The chance of a false alarm for each series, so that all together have at most LEVEL.

    Only series that are long enough to show a change at that level get a share. The others are not searched.

    Args:
        lengths: commits of each series that has noise.
    """

    def level(shares: int) -> float:
        return min(LEVEL_EACH, LEVEL / shares)

    def suffice(shares: int) -> bool:
        needed = commits_needed(level=level(shares))
        return sum(length >= needed for length in lengths) <= shares

    # More shares are smaller shares, and then fewer series are long enough.
    return level(1 + bisect_left(range(1, len(lengths) + 1), True, key=suffice))


def own_detector(series: Sequence[Series], level: float) -> list[tuple[LevelStep, ...]]:
    """The own detector: rank tests for series that are long enough; counts, which have runs, commit by commit."""
    needed = commits_needed(level=level)

    def steps(values: tuple[float, ...]) -> tuple[LevelStep, ...]:
        return find_steps(values, level=level) if len(values) >= needed else ()

    return [counted_steps(one.values, one.ranges) if one.is_count else steps(one.values) for one in series]


def _change(series: Series, step: LevelStep) -> Change:
    at = series.commits
    widest = at[max(0, step.earliest - 1)], at[step.latest]
    inputs = series.changed_inputs(step.index)
    return Change(series, step, State.OPEN, at[step.index - 1], at[step.index], widest, inputs=inputs)


def _judged(
    changes: list[Change], acknowledgements: Sequence[Acknowledgement], today: date, threshold: float | None
) -> list[Change]:
    if not changes:
        return []
    series = changes[0].series
    usual = COUNT_THRESHOLD if series.is_count else THRESHOLD
    least = usual if threshold is None else threshold
    return [
        _state(change, [later.step.after for later in changes[place + 1 :]], acknowledgements, today, least)
        for place, change in enumerate(changes)
    ]


def _state(
    change: Change, later: Sequence[float], acknowledgements: Sequence[Acknowledgement], today: date, threshold: float
) -> Change:
    step, series = change.step, change.series
    worse = times_worse(series.metric, step.before, step.after)
    if worse <= 1:
        return replace(change, state=State.BETTER)
    if worse < 1 + threshold:
        return replace(change, state=State.SMALL)
    # A later level is the old one again, or within the threshold of it.
    if any(times_worse(series.metric, step.before, level) <= 1 + threshold for level in later):
        return replace(change, state=State.UNDONE)
    span = [commit.id for commit in series.commits[step.earliest : step.latest + 1]]
    for one in matching(acknowledgements, series.cell, series.metric, series.fingerprint, span):
        state = State.EXPIRED if one.until is not None and one.until < today else State.ACKNOWLEDGED
        change = replace(change, state=state, acknowledgement=one)
        if state is State.ACKNOWLEDGED:
            break
    return change


def times_worse(metric: str, before: float, after: float) -> float:
    """How many times as bad ``after`` is as ``before``: above 1 is worse, for every metric.

    Infinite when ``after`` is infinite, or when ``before`` was a cost of 0.
    """
    old, new = (after, before) if Metric(metric).higher_is_better else (before, after)
    if old == new:
        return 1.0
    return math.inf if math.isinf(new) or old == 0 else new / old
