"""Errors pooled over cells: over all that are scored, and at each level."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from bench.analysis.estimates import MIN_BOOTS, Interval
from bench.analysis.order_statistics import median_interval
from bench.sim.check.cells import Resampling, ScoredCell, limits_of
from bench.sim.check.result import LevelError
from bench.sim.check.verdict import Miss
from bench.sim.observe.levels import Level


def pooled_miss(cells: Sequence[ScoredCell], resampling: Resampling, of: str = "") -> Miss:
    """The median over cells of their median errors, with its interval over storms; of a table over its values."""
    return Miss(
        of=of,
        error=float(np.median([cell.score.error for cell in cells])),
        interval=_interval(cells, resampling),
        ceiling=_ceiling(cells),
    )


def level_misses(cells: Sequence[ScoredCell], resampling: Resampling) -> dict[Level, Miss]:
    """The same of each level, ascending."""
    found: dict[Level, list[ScoredCell]] = {}
    for cell in cells:
        found.setdefault(cell.measured.level, []).append(cell)
    return {level: pooled_miss(found[level], resampling, str(level)) for level in sorted(found)}


def largest_levels(levels: Collection[Level]) -> Iterator[Level]:
    """Those that no other one exceeds: none of them has at least as many boxes and as many residents."""
    for level in levels:
        others = [one for one in levels if one != level]
        if not any(one.boxes >= level.boxes and one.residents >= level.residents for one in others):
            yield level


def level_errors(misses: dict[Level, Miss]) -> tuple[LevelError, ...]:
    """Errors of levels, for JSON."""
    largest = set(largest_levels(misses))
    return tuple(
        LevelError(
            boxes=level.boxes,
            residents=level.residents,
            error=one.error,
            interval=limits_of(one.interval),
            ceiling=one.ceiling,
            limit=one.limit,
            largest=level in largest,
        )
        for level, one in misses.items()
    )


def _interval(cells: Sequence[ScoredCell], resampling: Resampling) -> Interval | None:
    if any(cell.measured.summary for cell in cells):
        errors = [cell.score.error for cell in cells]
        # As if the values of a table were independent.
        return median_interval(errors) if len(errors) >= MIN_BOOTS else None
    again = np.array([resampling.medians(cell.errors, cell.blocks) for cell in cells])
    return resampling.limits(np.median(again, axis=0))


def _ceiling(cells: Sequence[ScoredCell]) -> float | None:
    """The median over cells of their noise ceilings; None: none has one."""
    known = [cell.score.ceiling for cell in cells if cell.score.ceiling is not None]
    return float(np.median(known)) if known else None
