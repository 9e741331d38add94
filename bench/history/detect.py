"""Lines of a history as series, their change points as findings, and which of them somebody has to look at."""

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
from bench.history.steps import Step, commits_needed, exact_steps, find_steps
from bench.util.errors import ExitCode

LEVEL: Final = 0.05
"""The chance that a check of a whole history without any change finds one, at most: shared out over the series that are
long enough to show one."""
LEVEL_EACH: Final = 0.01
"""And of one series alone."""
THRESHOLD: Final = 0.02
"""Smaller changes of level are shown, and are nobody's alarm."""


class State(StrEnum):
    """What became of a change point."""

    OPEN = "open"
    """Worse, and no later level is as good as before: somebody has to look."""
    ACKNOWLEDGED = "acknowledged"
    EXPIRED = "acknowledgement expired"
    UNDONE = "undone"
    """Worse, but a later change has brought the level back."""
    SMALL = "small"
    """Below the threshold."""
    BETTER = "better"


@dataclass(frozen=True)
class Change:
    """A change point of a series.

    Attributes:
        good, bad: the change is after ``good`` and not after ``bad``: ``git log good..bad`` lists what to look at.
        widest: the same where the place is less sure, 95 %.
        inputs: what on record changed between the two, of counts; empty for times.
    """

    series: Series
    step: Step
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
    """A whole history, looked through.

    Attributes:
        series: those that were searched.
        too_short: of these, so many in which not even a perfect step could be told.
        needed: commits in a series from which on one can.
        left_out: series without one of the last LONGEST commits: of hosts and boxes that are no more.
    """

    series: tuple[Series, ...]
    changes: tuple[Change, ...]
    too_short: int
    needed: int
    detector: str
    left_out: int = 0

    @property
    def open(self) -> tuple[Change, ...]:
        """What somebody has to look at."""
        return tuple(change for change in self.changes if change.state in (State.OPEN, State.EXPIRED))

    @property
    def exit_code(self) -> ExitCode:
        """3 when something is open, 4 when every series is too short to tell, else 0."""
        if self.open:
            return ExitCode.REGRESSION
        return ExitCode.CANNOT_TELL if self.too_short == len(self.series) else ExitCode.OK


Detector = Callable[[Sequence[Series], float], Sequence[tuple[Step, ...]]]


def check_lines(
    lines: Sequence[Line],
    *,
    acknowledgements: Sequence[Acknowledgement] = (),
    today: date,
    threshold: float = THRESHOLD,
    detector: Detector | None = None,
    name: str = "own",
) -> Checked:
    """Look for change points in every series of a history.

    Args:
        today: decides which acknowledgements have expired.
        threshold: relative change below which nobody is alarmed; exact figures (icount) have none, and counts that move
            by themselves (an engine's second start) have at least their slack.
        detector: another one than our own, called ``name``.
    """
    everything = series_of(lines)
    recent = recent_commits(lines)
    series = tuple(one for one in everything if one.commits[-1].id in recent)
    level = shared_level([len(one.points) for one in series if not one.exact])
    found_steps = (detector or own_detector)(series, level)
    changes: list[Change] = []
    for one, steps in zip(series, found_steps, strict=True):
        found = [_change(one, step) for step in steps]
        changes.extend(_judged(found, acknowledgements, today, threshold))
    needed = commits_needed(level=level)
    short = sum(len(one.points) < needed and not one.exact for one in series)
    return Checked(series, tuple(changes), short, needed, name, len(everything) - len(series))


def shared_level(lengths: Sequence[int]) -> float:
    """The chance of a false alarm that each series may have, so that all together have at most LEVEL.

    Only series that are long enough to show something at that level get a share: the others are not searched.

    Args:
        lengths: commits of each series that has noise.
    """

    def level(shares: int) -> float:
        return min(LEVEL_EACH, LEVEL / shares)

    def suffice(shares: int) -> bool:
        needed = commits_needed(level=level(shares))
        return sum(length >= needed for length in lengths) <= shares

    # More shares are smaller ones, for which fewer series are long enough.
    return level(1 + bisect_left(range(1, len(lengths) + 1), True, key=suffice))


def own_detector(series: Sequence[Series], level: float) -> list[tuple[Step, ...]]:
    """Rank tests where a series is long enough for them; plain comparison where a figure repeats exactly."""
    needed = commits_needed(level=level)

    def steps(values: tuple[float, ...]) -> tuple[Step, ...]:
        return find_steps(values, level=level) if len(values) >= needed else ()

    return [exact_steps(one.values) if one.exact else steps(one.values) for one in series]


def _change(series: Series, step: Step) -> Change:
    at = series.commits
    widest = at[max(0, step.earliest - 1)], at[step.latest]
    inputs = series.changed_inputs(step.index)
    return Change(series, step, State.OPEN, at[step.index - 1], at[step.index], widest, inputs=inputs)


def _judged(
    changes: list[Change], acknowledgements: Sequence[Acknowledgement], today: date, threshold: float
) -> list[Change]:
    if not changes:
        return []
    series = changes[0].series
    least = 0.0 if series.exact else max(threshold, series.slack)
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
    # A level came back to the old one, or to no more than the threshold beyond it; what came then is another change.
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
    """How many times as bad ``after`` is as ``before``: above 1 is worse, whichever way the metric goes.

    Infinite when ``after`` lies beyond the limit, or comes after a cost of nothing.
    """
    old, new = (after, before) if Metric(metric).higher_is_better else (before, after)
    if old == new:
        return 1.0
    return math.inf if math.isinf(new) or old == 0 else new / old
