"""Two answers in one: where the draws fall into two groups, a middle between them is the answer of no draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.words import in_unit
from bench.sim.model.draws import weighted_median
from bench.sim.model.file import Model
from bench.sim.model.values import target_values
from bench.sim.values import TargetValues

Floats = NDArray[np.float64]

_FEWEST: Final = 20
"""Fewer draws show no groups."""
_CLEAR: Final = 0.85
"""Of the variance of the logarithm must lie between the groups. Of a uniform law 0.75 does, of a normal one 0.64."""
_SMALLEST: Final = 0.1
"""The least weight of a group."""
_APART: Final = 1.25
"""The least ratio of the groups' medians."""
_EXPLAINED: Final = 0.9
"""What they depend on is named where it tells the group of so many draws."""
_HELD: Final = 0.05
"""A stage with a smaller part of a draw's hold counts as one without."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Humps:
    """Two groups of draws."""

    low: float
    """The median answer of the lower group."""
    high: float
    share: float
    """Weight of the lower group, in (0, 1)."""
    upper: NDArray[np.bool_]
    """(draws,) Which draws are in the upper group."""


def find_humps(answers: Floats, weights: Floats) -> Humps | None:
    """The two groups that the answers fall into; None: they are in one, or an answer is not above 0.

    Args:
        answers: (draws,) without noise.
        weights: (draws,)
    """
    if len(answers) < _FEWEST or answers.min() <= 0:
        return None
    order = np.argsort(answers, kind="stable")
    logs, mass = np.log(answers[order]), weights[order] / weights.sum()
    cut = _cut(logs, mass)
    if cut is None:
        return None
    upper = np.zeros(len(answers), dtype=np.bool_)
    upper[order[cut:]] = True
    low, high = (weighted_median(answers[group], weights[group]) for group in (~upper, upper))
    if high < _APART * low:
        return None
    return Humps(low=low, high=high, share=float(mass[:cut].sum()), upper=upper)


def humps_sentence(
    model: Model, label: str, targets: Sequence[str], draws: Sequence[int], found: Humps, unit: str
) -> str:
    """``docker: two answers, about 3.5 s (58% of the draws) or about 6 s: ...``, with what it depends on, if known.

    Args:
        label: of the answer.
        targets: of the model, that the answer is made from.
        draws: of the model, that the groups are of.
    """
    text = (
        f"{label}: two answers, about {in_unit(found.low, unit)} ({found.share:.0%} of the draws) or about "
        f"{in_unit(found.high, unit)} ({1 - found.share:.0%})"
    )
    weights = np.asarray(model.weights, dtype=np.float64)[list(draws)]
    for target in targets:
        values = [target_values(model, target, draw) for draw in draws]
        for what, read in (("where the lock of {} is", _place), ("how the lock of {} is held", _manner)):
            words = _explained([read(one) for one in values], found.upper, weights)
            if words is not None:
                return f"{text}. It depends on {what.format(target)}: {words[0]}, or {words[1]}"
    return text


def _cut(logs: Floats, mass: Floats) -> int | None:
    """Where sorted values fall into two groups: how many are in the lower one (Otsu's threshold); None: nowhere."""
    centred = logs - logs @ mass
    variance = float(centred**2 @ mass)
    below = np.cumsum(mass)[:-1]
    inside = (below >= _SMALLEST) & (below <= 1 - _SMALLEST)
    if not variance > 0 or not inside.any():
        return None
    between = np.cumsum(mass * centred)[:-1] ** 2 / np.where(inside, below * (1 - below), 1.0)
    between[~inside] = 0.0
    best = int(np.argmax(between))
    return best + 1 if between[best] >= _CLEAR * variance else None


def _place(values: TargetValues) -> str:
    """Where a draw has the lock, in words."""
    held = [
        stage.endpoint
        for stage in values.stages
        if stage.hold_work_ns + stage.hold_delay_ns > _HELD * max(values.hold_ns, 1)
    ]
    return f"before {' and '.join(held)}" if held else "nowhere"


def _manner(values: TargetValues) -> str:
    """How a draw has the lock held, in words. Holds that burn CPU time grow with the boxes that live on the host."""
    work, delay = (
        sum(found) for found in zip(*((s.hold_work_ns, s.hold_delay_ns) for s in values.stages), strict=True)
    )
    if not work + delay:
        return "not at all"
    return "burning CPU time" if work > delay else "without CPU time"


def _explained(places: Sequence[str], upper: NDArray[np.bool_], weights: Floats) -> tuple[str, str] | None:
    """The most common place or manner of each group, where these tell the groups apart; else None."""
    names = sorted(set(places))
    at = np.array([names.index(place) for place in places])
    totals = np.array(
        [[weights[(at == number) & (upper == group)].sum() for group in (False, True)] for number in range(len(names))]
    )
    if totals.max(axis=1).sum() < _EXPLAINED * weights.sum():
        return None
    low, high = (names[int(np.argmax(totals[:, group]))] for group in (0, 1))
    return (low, high) if low != high else None
