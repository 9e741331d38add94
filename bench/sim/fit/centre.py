"""The draw that stands for a fitted target where one start is wanted: a real one, near the middle of all.

The medians of parameters are no start: a lock that is held in one stage in half of the draws and in another stage in
the others would be held nowhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.predict import BACKGROUND, HOLD_DELAY, HOLD_WORK, WORK
from bench.sim.fit.target import TargetFit
from bench.sim.starts import Grid, Storm, simulate_many

Floats = NDArray[np.float64]


def central_draw(fit: TargetFit) -> int:
    """The number of the draw that is nearest to the medians of what a start shows.

    That is: the length of a single start, the last box of the largest storm, CPU time, the hold, inflation, and memory
    per box, each in units of its own spread between quartiles.
    """
    grid = fit.draws.grid
    shown = [
        np.log(fit.stages_ns[1:].sum(axis=1)),
        np.log(_last(grid, max(fit.boxes), fit.cpus)),
        np.log(np.maximum(grid.stages_ns[..., [WORK, BACKGROUND, HOLD_WORK]].sum(axis=(1, 2)), 1.0)),
        grid.stages_ns[..., [HOLD_WORK, HOLD_DELAY]].sum(axis=(1, 2)),
        grid.inflation,
    ]
    if fit.memory is not None:
        shown.append(fit.memory[1][1:])
    away = np.zeros(len(grid.inflation))
    for values in shown:
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        if high > low:
            away += ((values - middle) / (high - low)) ** 2
    return int(np.argmin(away))


def _last(grid: Grid, boxes: int, cpus: int) -> Floats:
    """(draws,) When the last of so many boxes is up, without noise, ns."""
    storm = Storm(scheduled_ns=np.zeros(boxes, np.int64))
    found: Floats = simulate_many(grid, [storm], cpus=cpus).goal_ns(0).max(axis=1).astype(np.float64)
    return np.maximum(found, 1.0)
