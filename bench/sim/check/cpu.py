"""CPU time per start: the model's, until the last box is up, against that of storms that it did not see.

A model can have the times of storms right and their CPU time wrong: where a workload burns CPU time while it waits, CPU
time per start falls with the boxes, and a fit takes it for background work. What such a model says of other loads,
other CPUs and costs is wrong. So CPU time has a limit of its own, and the CPU time of a single start must not be
certainly closer.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.estimates import Interval
from bench.sim.check.baselines import CPU_ONLY
from bench.sim.check.cells import Resampling, ScoredCell, limits_of, pooled_skills
from bench.sim.check.misses import largest_levels, level_errors, level_misses, pooled_miss
from bench.sim.check.result import CpuScore, CpuVerdict, Skill
from bench.sim.check.scores import LEVEL
from bench.sim.check.verdict import MIN_STORMS, Miss, Over
from bench.sim.observe.levels import Level


def score_cpu(cells: Sequence[ScoredCell], resampling: Resampling) -> CpuScore | None:
    """The pooled scores of CPU time; None: it was not measured, or is not predicted."""
    if not cells:
        return None
    pooled, by_level = pooled_miss(cells, resampling), level_misses(cells, resampling)
    skills = pooled_skills(cells, resampling)
    verdict, why = _judge(cells, pooled, by_level, skills)
    return CpuScore(
        error=pooled.error,
        error_interval=limits_of(pooled.interval),
        ceiling=pooled.ceiling,
        limit=pooled.limit,
        by_level=level_errors(by_level),
        skills=skills,
        verdict=verdict,
        why=why,
    )


def _judge(
    cells: Sequence[ScoredCell], pooled: Miss, by_level: dict[Level, Miss], skills: Sequence[Skill]
) -> tuple[CpuVerdict, str]:
    """The pooled error must be within the limit, and that at each of the largest levels; then a single start must not
    be certainly better."""
    storms = min(len(cell.blocks) for cell in cells)
    if storms < MIN_STORMS and not any(cell.measured.summary for cell in cells):
        return "cannot tell", f"{storms} storms have CPU time at a level, and at least {MIN_STORMS} are needed"
    largest = [by_level[level] for level in largest_levels(by_level) if len(by_level) > 1]
    over = [one for one in (pooled, *largest) if one.is_over]
    if any(one.is_hidden for one in over):
        return "cannot tell", "; ".join(f"{one}, and the storms do not repeat themselves" for one in over)
    if over:
        return "too far off", "; ".join(map(str, over))
    if any(_over(one).is_better for one in skills if one.baseline == CPU_ONLY):
        return "worse than a single start", f"{pooled}, but the CPU time of a single start is certainly closer"
    return "within the limit", str(pooled)


def _over(one: Skill) -> Over:
    limits = one.interval
    interval = None if limits is None else Interval(limits.low, limits.high, LEVEL)
    return Over(baseline=one.baseline, value=one.value, interval=interval)
