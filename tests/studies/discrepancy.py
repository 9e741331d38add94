"""How far are predictions off beyond the data? The errors that ``bench/sim/fit/discrepancy.py`` states for a campaign.

    python -m tests.studies.discrepancy CAMPAIGN [SEED ...]

Each target of the campaign is fitted to its single starts and its storms of two boxes on an empty host. The last box of
storms of 4 and 8 (2 and 4 times beyond) is predicted as the median over draws, without noise, and compared with the
median of the measured storms. Printed: the signed errors of each target and seed, and the scale
of a half-normal distribution of their logarithms.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from bench.sim.fit.fit import fit
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.observe.campaign import observe
from bench.sim.observe.trials import MemoryTrial, StartTrial, SummaryRow, TargetObservations
from bench.sim.starts import Storm, grid_of, simulate_many

FITTED: Final = (1, 2)
PREDICTED: Final = (4, 8)


def is_fitted(trial: StartTrial | MemoryTrial | SummaryRow) -> bool:
    """Whether the fit may see it."""
    return isinstance(trial, StartTrial) and trial.boxes in FITTED and not trial.residents


def error(model: Model, target: TargetObservations, boxes: int) -> float | None:
    """Predicted over measured time of the last box, less 1; None: no such storm was measured."""
    whole = [
        trial.times_ns[target.goal]
        for trial in target.starts
        if trial.boxes == boxes and not trial.residents and np.isfinite(trial.times_ns[target.goal]).all()
    ]
    if not whole:
        return None
    draws = [target_values(model, target.label, number) for number in range(len(model.weights))]
    storm = Storm(scheduled_ns=np.zeros(boxes, np.int64))
    many = simulate_many(grid_of(draws), [storm], cpus=model.host.cpus)
    return float(np.median(many.goal_ns(0).max(axis=1)) / np.median([times.max() for times in whole]) - 1)


def main(arguments: Sequence[str]) -> None:
    """Print the errors."""
    observations = observe([Path(arguments[0])])
    seeds = [int(word) for word in arguments[1:]] or [1]
    found: dict[int, list[float]] = {boxes: [] for boxes in PREDICTED}
    for seed in seeds:
        model = fit(observations, only=is_fitted, seed=seed)
        for label in model.targets:
            errors = {boxes: error(model, observations.targets[label], boxes) for boxes in PREDICTED}
            for boxes, value in errors.items():
                found[boxes] += [] if value is None else [value]
            print(seed, label, {boxes: None if one is None else f"{one:+.1%}" for boxes, one in errors.items()})
    for boxes, errors_there in found.items():
        scale = float(np.sqrt(np.mean(np.log1p(errors_there) ** 2)))
        print(f"{boxes / max(FITTED):g} times beyond: scale of the logarithm {scale:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:])
