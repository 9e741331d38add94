"""Memory of many boxes: the model's line against what boxes that it did not see have added to the host's memory.

A model has one number for what daemons held before the first box and for what the first box brings. What daemons held
is taken from it as the trials of the fit have it, never from the trials that are scored. Where the fit's trials are not
at hand, both sides have their daemons.

The band is that of the model's parameters. It is not widened beyond the data: the widening of times comes
from storms, and says nothing about memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np

from bench.sim.answer.bands import band_of
from bench.sim.check.result import MemoryScore
from bench.sim.check.scores import Sample, noise_ceiling
from bench.sim.check.verdict import MIN_STORMS
from bench.sim.observe.trials import MemoryTrial

EXACT: Final = 0.02
"""An error that counts as none, whatever the band."""
WIDEST: Final = 0.12
"""A wider band holds nearly everything: that it holds the measurement too is no evidence."""

_Verdict = Literal["explained", "missed", "cannot tell"]


def memory_by_level(trials: Iterable[MemoryTrial]) -> dict[int, list[MemoryTrial]]:
    """The trials by number of boxes, ascending."""
    found: dict[int, list[MemoryTrial]] = {}
    for trial in sorted(trials, key=lambda trial: (trial.boxes, trial.sitting, trial.block)):
        found.setdefault(trial.boxes, []).append(trial)
    return found


def daemons_of(fitted: Sequence[MemoryTrial]) -> float | None:
    """What daemons held before the first box in the trials that a model was fitted to, bytes; None: no trial."""
    return float(np.median([trial.daemons_bytes for trial in fitted])) if fitted else None


def score_memory(
    trials: Sequence[MemoryTrial], predicted: Sample, daemons: float | None, rng: np.random.Generator
) -> MemoryScore:
    """Score the prediction for trials of one level.

    Args:
        predicted: of daemons and boxes together, bytes.
        daemons: from ``daemons_of`` the fit; None: the trials are scored with their own daemons added.
    """
    added = [trial.used_bytes + (trial.daemons_bytes if daemons is None else 0) for trial in trials]
    used = np.array(added, dtype=np.float64)
    measured = float(np.median(used))
    band = band_of(predicted.values - (daemons or 0.0), predicted.weights)
    error = band.middle / measured - 1
    inside = band.low95 <= measured <= band.high95
    width = (band.high95 - band.low95) / band.middle
    verdict, why = _judge(len(trials), error, width, inside=inside)
    return MemoryScore(
        boxes=trials[0].boxes,
        trials=len(trials),
        daemons=daemons is None,
        measured=measured,
        predicted=band,
        error=error,
        inside=inside,
        width=width,
        ceiling=noise_ceiling(used, rng),
        verdict=verdict,
        why=why,
    )


def _judge(trials: int, error: float, width: float, *, inside: bool) -> tuple[_Verdict, str]:
    if trials < MIN_STORMS:
        return "cannot tell", f"{trials} trials, and at least {MIN_STORMS} are needed"
    beside = f"the error is {error:+.1%}"
    if abs(error) <= EXACT:
        return "explained", f"{beside}, within {EXACT:.0%}"
    if not inside:
        return "missed", f"{beside}, and the 95 % band does not hold the measurement"
    if width > WIDEST:
        return "cannot tell", f"{beside}, inside a band that is {width:.0%} wide: more blocks narrow it"
    return "explained", f"{beside}, inside a band that is {width:.0%} wide"
