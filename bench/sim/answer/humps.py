"""Two answers in one: where the draws fall into two groups, a middle between them is the answer of no draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.words import in_unit
from bench.sim.model.draws import weighted_median

Floats = NDArray[np.float64]

_FEWEST: Final = 20
"""Fewer draws show no groups."""
_CLEAR: Final = 0.85
"""Of the variance of the logarithm must lie between the groups. Of a uniform law 0.75 does, of a normal one 0.64."""
_SMALLEST: Final = 0.1
"""The least weight of a group."""
_APART: Final = 1.25
"""The least ratio of the groups' medians."""


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
    depends: str = ""
    """What it depends on which one holds, as a clause; see ``bench.sim.answer.reasons``."""

    @property
    def either(self) -> tuple[float, float]:
        """The two answers."""
        return self.low, self.high


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


def humps_sentence(label: str, found: Humps, unit: str) -> str:
    """``docker: two answers, about 3.5 s (58% of the draws) or about 6 s: ...``, with what it depends on, if known.

    Args:
        label: of the answer.
    """
    text = (
        f"{label}: two answers, about {in_unit(found.low, unit)} ({found.share:.0%} of the draws) or about "
        f"{in_unit(found.high, unit)} ({1 - found.share:.0%})"
    )
    return f"{text}; {found.depends}" if found.depends else text


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
