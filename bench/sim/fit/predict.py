"""From candidates to what they predict: stages in the simulator's terms, simulated levels, and their statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Endpoint
from bench.sim.fit.levels import CPU, Statistic, times_of
from bench.sim.fit.space import SCATTERS, Unknowns
from bench.sim.observe.levels import Level
from bench.sim.starts import Grid, ManyStarts, Storm, simulate_many

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PARTS: Final = ("delay", "work", "background", "hold_work", "hold_delay")
"""Last axis of ``Grid.stages_ns``."""
DELAY, WORK, BACKGROUND, HOLD_WORK, HOLD_DELAY = range(len(PARTS))

LEAST_HOLD_NS: Final = 1.0
"""A hold that only lets the growth begin; less than anything that is measured."""
_CORRECTIONS: Final = 2
"""How often stages are corrected until a single simulated start takes what single starts took."""
_AT_ONCE: Final = 1024
"""Candidates per call, which bounds the memory."""


@dataclass(frozen=True)
class Setting:
    """What all candidates of a target share.

    Attributes:
        endpoints: all of the target.
        cpus: of the host.
        noise: by level, one array for each of SCATTERS: (replications, boxes) factors of the boxes.
        schedules: by level, schedules with their shares.
    """

    endpoints: tuple[Endpoint, ...]
    cpus: int
    noise: Mapping[Level, tuple[Floats, ...]]
    schedules: Mapping[Level, tuple[tuple[Ints, float], ...]]


def possible(found: Unknowns, stages_ns: Floats) -> NDArray[np.bool_]:
    """(candidates,) Whether no hold is longer than its stage.

    Args:
        stages_ns: (candidates, stages)
    """
    fits: NDArray[np.bool_] = np.asarray((found.hold_ns[:, None] * found.where <= stages_ns).all(axis=1))
    return fits


def grid_for(found: Unknowns, stages_ns: Floats, setting: Setting) -> Grid:
    """Candidates in the simulator's terms.

    Foreground CPU time, the hold's included, is spread over the stages as their lengths are, and denser at one end of
    the start where it leans; so is the background. What is left of a stage is delay.

    Args:
        stages_ns: (candidates, stages) how long each stage of a single start takes.
    """
    foreground = _filled(
        found.share * np.minimum(found.cpu_ns, stages_ns.sum(axis=1)), _spread(stages_ns, found.lean), stages_ns
    )
    hold = np.minimum(found.hold_ns[:, None] * found.where, stages_ns)
    made = np.zeros((*stages_ns.shape, len(PARTS)))
    made[..., HOLD_WORK] = hold * found.works[:, None]
    made[..., HOLD_DELAY] = hold * ~found.works[:, None]
    made[..., WORK] = np.clip(foreground - made[..., HOLD_WORK], 0.0, stages_ns - hold)
    used = made[..., WORK].sum(axis=1) + made[..., HOLD_WORK].sum(axis=1)
    made[..., BACKGROUND] = np.maximum(found.cpu_ns - used, 0.0)[:, None] * _spread(stages_ns, found.back)
    made[..., DELAY] = np.maximum(stages_ns - made[..., WORK] - hold, 0.0)
    # A lock that is not held at all cannot be held longer beside residents.
    grows = (found.where > 0) & (found.growth_ns > 0)[:, None]
    made[..., HOLD_WORK] = np.where(grows, np.maximum(made[..., HOLD_WORK], LEAST_HOLD_NS), made[..., HOLD_WORK])
    # The engine adds the growth at each visit.
    visits = (found.where > 0).sum(axis=1)
    grid = Grid(
        endpoints=setting.endpoints,
        stages_ns=made,
        inflation=found.inflation,
        growth_ns=found.growth_ns / visits,
        crowding=found.crowding,
    )
    for _ in range(_CORRECTIONS):
        _correct(grid, stages_ns, setting)
    return grid


def _spread(stages_ns: Floats, lean: Floats) -> Floats:
    """(candidates, stages) Shares of an amount that is as dense everywhere, or leans to one end of the start."""
    whole = stages_ns.sum(axis=1, keepdims=True)
    middles = (np.cumsum(stages_ns, axis=1) - stages_ns / 2) / whole
    dense = stages_ns * np.exp(lean[:, None] * (middles - 0.5))
    found: Floats = dense / dense.sum(axis=1, keepdims=True)
    return found


def _filled(total: Floats, shares: Floats, room: Floats) -> Floats:
    """(candidates, stages) A total that is shared out; what a stage has no room for goes to the others."""
    found = np.zeros(room.shape)
    for _ in range(room.shape[1]):
        left = np.maximum(total - found.sum(axis=1), 0.0)
        open_shares = shares * (found < room)
        weight = open_shares.sum(axis=1)
        part = open_shares / np.where(weight > 0, weight, 1.0)[:, None]
        found = np.minimum(found + left[:, None] * part, room)
    return found


def _correct(grid: Grid, stages_ns: Floats, setting: Setting) -> None:
    """Take from delays, or else from work, what background work cost a single start."""
    ends = _simulate(grid, [Storm(scheduled_ns=np.zeros(1, np.int64))], setting).times_ns[:, 0, :]
    took = np.diff(ends.astype(np.float64), axis=1, prepend=0.0)
    delay = grid.stages_ns[..., DELAY] + stages_ns - took
    grid.stages_ns[..., WORK] = np.maximum(grid.stages_ns[..., WORK] + np.minimum(delay, 0.0), 0.0)
    grid.stages_ns[..., DELAY] = np.maximum(delay, 0.0)


def predictions(grid: Grid, scatter: Ints, statistics: Sequence[Statistic], setting: Setting) -> Floats:
    """(candidates, statistics) The logarithm of each statistic, the mean over replications and schedules.

    Args:
        scatter: (candidates,) number in SCATTERS.
    """
    found = np.zeros((len(scatter), len(statistics)))
    for group in range(len(SCATTERS)):
        members = np.flatnonzero(scatter == group)
        for first in range(0, len(members), _AT_ONCE):
            which = members[first : first + _AT_ONCE]
            found[which] = _predicted(part_of(grid, which), group, statistics, setting)
    return found


def part_of(grid: Grid, which: Ints) -> Grid:
    """Some candidates."""
    return Grid(
        endpoints=grid.endpoints,
        stages_ns=grid.stages_ns[which],
        inflation=grid.inflation[which],
        growth_ns=grid.growth_ns[which],
        crowding=grid.crowding[which],
    )


def _predicted(grid: Grid, group: int, statistics: Sequence[Statistic], setting: Setting) -> Floats:
    levels = dict.fromkeys(statistic.level for statistic in statistics)
    runs = [(level, schedule, share) for level in levels for schedule, share in setting.schedules[level]]
    storms = [
        Storm(scheduled_ns=schedule, residents=level.residents, noise=noise)
        for level, schedule, _ in runs
        for noise in setting.noise[level][group]
    ]
    many = _simulate(grid, storms, setting)
    found = np.zeros((len(grid.inflation), len(statistics)))
    first = 0
    for level, _, share in runs:
        which = slice(first, first + len(setting.noise[level][group]))
        boxes = many.times_ns[:, many.first[which.start] : many.first[which.stop], :]
        times = boxes.reshape(len(boxes), which.stop - which.start, level.boxes, -1)
        by_end = {end: times[..., place] for place, end in enumerate(setting.endpoints)}
        for column, statistic in enumerate(statistics):
            if statistic.level == level:
                if statistic.of == CPU:
                    value = many.cpu_until_up_ns[:, which] / level.boxes
                else:
                    value = np.asarray(times_of(statistic, by_end), np.float64)
                found[:, column] += share * np.log(np.maximum(value, 1.0)).mean(axis=1)
        first = which.stop
    return found


def _simulate(grid: Grid, storms: Sequence[Storm], setting: Setting) -> ManyStarts:
    return simulate_many(grid, storms, cpus=setting.cpus)
