"""Lines of a history as series: one metric of one cell on one host, commit by commit."""

from __future__ import annotations

import math
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
    def is_count(self) -> bool:
        """Whether it holds counts of instructions."""
        return self.accel == ACCEL

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """The smallest and the largest run of each count; what must be assumed where too few runs were made."""
        return tuple(_range(point, known) for point, known in zip(self.points, self.counted, strict=True))

    @property
    def exact(self) -> bool:
        """Whether it holds counts none of which moved by itself, so that every difference is a change."""
        return self.is_count and all(low == high for low, high in self.ranges)

    def changed_inputs(self, index: int) -> tuple[str, ...]:
        """Names of the inputs of a count that differ from the commit before; empty for times."""
        before, after = self.counted[index - 1 : index + 1] if self.counted else (None, None)
        if before is None or after is None:
            return ()
        names = before.inputs.keys() | after.inputs.keys()
        changed = sorted(name for name in names if before.inputs.get(name) != after.inputs.get(name))
        # An input that contains others is not named beside one of them.
        return tuple(name for name in changed if name not in _MADE) or tuple(changed)


def _range(point: Point, known: CountInputs | None) -> tuple[float, float]:
    if point.low is not None and point.high is not None:
        return point.low, point.high
    # Half of it on either side: two counts are apart when their ratio is beyond it.
    side = math.sqrt(1 + (known.slack if known is not None else 0.0))
    return point.median / side, point.median * side


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
