"""CPU time per start: the model's, until the last box is up, against that of storms that it did not see.

A model can have the times of storms right and their CPU time wrong: where a workload burns CPU time while it waits, CPU
time per start falls with the boxes, and a fit takes it for background work. What such a model says of other loads,
other CPUs and costs is wrong. So CPU time has a limit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bench.sim.check.cells import Resampling, ScoredCell, limits_of, pooled_skills
from bench.sim.check.misses import largest_levels, level_errors, level_misses, pooled_miss
from bench.sim.check.result import CpuScore
from bench.sim.check.verdict import MIN_STORMS, Miss
from bench.sim.observe.levels import Level

_Verdict = Literal["within the limit", "too far off", "cannot tell"]


def score_cpu(cells: Sequence[ScoredCell], resampling: Resampling) -> CpuScore | None:
    """The pooled scores of CPU time; None: it was not measured, or is not predicted."""
    if not cells:
        return None
    pooled, by_level = pooled_miss(cells, resampling), level_misses(cells, resampling)
    verdict, why = _judge(cells, pooled, by_level)
    return CpuScore(
        error=pooled.error,
        error_interval=limits_of(pooled.interval),
        ceiling=pooled.ceiling,
        limit=pooled.limit,
        by_level=level_errors(by_level),
        skills=pooled_skills(cells, resampling),
        verdict=verdict,
        why=why,
    )


def _judge(cells: Sequence[ScoredCell], pooled: Miss, by_level: dict[Level, Miss]) -> tuple[_Verdict, str]:
    """The pooled error must be within the limit, and that at each of the largest levels."""
    storms = min(len(cell.blocks) for cell in cells)
    if storms < MIN_STORMS and not any(cell.measured.summary for cell in cells):
        return "cannot tell", f"{storms} storms have CPU time at a level, and at least {MIN_STORMS} are needed"
    largest = [by_level[level] for level in largest_levels(by_level) if len(by_level) > 1]
    over = [one for one in (pooled, *largest) if one.is_over]
    if over:
        return "too far off", "; ".join(map(str, over))
    return "within the limit", str(pooled)
