"""Lines of a history as series: one metric of one cell on one host, commit by commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.analysis.metrics import Metric
from bench.history.line import Commit, CountInputs, Line, Point
from bench.history.steps import LONGEST
from bench.history.store import order
from bench.instructions.model import ACCEL

_MADE: Final = ("initramfs", "script", "command")
"""Inputs of a count that contain other inputs."""


@dataclass(frozen=True)
class Series:
    """One metric of one cell on one host, or of one instruction clock, in the order of commits.

    Attributes:
        counted: inputs and slack of each count; None for times.
    """

    fingerprint: str
    cell: str
    accel: str
    metric: str
    commits: tuple[Commit, ...]
    points: tuple[Point, ...]
    counted: tuple[CountInputs | None, ...] = ()

    @property
    def values(self) -> tuple[float, ...]:
        """The medians."""
        return tuple(point.median for point in self.points)

    @property
    def slack(self) -> float:
        """How much its counts vary, relative, without a change that matters; 0 for times."""
        return max((one.slack for one in self.counted if one is not None), default=0.0)

    @property
    def exact(self) -> bool:
        """Whether its values repeat exactly, so that every difference is a change."""
        return self.accel == ACCEL and not self.slack

    def changed_inputs(self, index: int) -> tuple[str, ...]:
        """Names of the inputs of a count that differ from the commit before; empty for times."""
        before, after = self.counted[index - 1 : index + 1] if self.counted else (None, None)
        if before is None or after is None:
            return ()
        names = before.inputs.keys() | after.inputs.keys()
        changed = sorted(name for name in names if before.inputs.get(name) != after.inputs.get(name))
        # An input that contains others is not named beside one of them.
        return tuple(name for name in changed if name not in _MADE) or tuple(changed)


def series_of(lines: Sequence[Line]) -> tuple[Series, ...]:
    """Every series with the last LONGEST commits, by host, cell and metric."""
    keys = dict.fromkeys(
        (line.fingerprint, cell, line.accel[cell], metric)
        for line in lines
        for cell, metrics in line.cells.items()
        for metric in metrics
    )
    found = []
    for fingerprint, cell, accel, metric in sorted(keys, key=lambda key: (*key[:3], Metric(key[3]).sort_key)):
        rows = [
            (line.commit, line.cells[cell][metric], line.counted.get(cell))
            for line in lines
            if line.fingerprint == fingerprint and line.accel.get(cell) == accel and metric in line.cells.get(cell, {})
        ][-LONGEST:]
        commits, points, counted = zip(*rows, strict=True)
        found.append(Series(fingerprint, cell, accel, metric, commits, points, counted))
    return tuple(found)


def recent_commits(lines: Sequence[Line]) -> frozenset[str]:
    """Ids of the last LONGEST commits of the whole history, over all hosts."""
    return frozenset(list(dict.fromkeys(line.commit.id for line in sorted(lines, key=order)))[-LONGEST:])
