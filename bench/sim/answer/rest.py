"""What is open in an answer besides the parameters of the model: noise, misfit, and errors beyond the data.

All of it is counted in variances of the logarithm, which add up: samples are the answer of a draw times factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Influence
from bench.sim.answer.bands import Widening
from bench.sim.kind import Kind

Floats = NDArray[np.float64]

_HALF_NORMAL: Final = 1 - 2 / math.pi
"""Variance of the absolute value of a standard normal variable."""
_KINDS: Final[dict[str, Kind]] = {"noise": "measured", "misfit": "measured", "beyond": "assumed"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Rest:
    """How an answer scatters around what its draws say."""

    samples: Floats
    """(draws x replications,) Answers with noise, the replications of a draw one after another."""
    replications: int
    widening: Widening
    """Of the answer's band."""
    floors: Floats | None = None
    """(draws x replications,) The part of each sample that is not widened, as of ``band_of``; None: 0."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Of all that is open, which share is whose. They add up to 1."""

    parameters: float
    rest: dict[str, float]
    """By name of ``bench.sim.answer.words.REST``."""

    def rows(self, label: str, middle: float) -> Iterator[Influence]:
        """What is open besides parameters, as rows among them: no value of theirs is low or high."""
        for name, share in self.rest.items():
            if share > 0:
                yield Influence(
                    target=label,
                    parameter=name,
                    kind=_KINDS[name],
                    share=share,
                    narrowed=0.0,
                    low=middle,
                    high=middle,
                )


def parts_of(rest: Rest, answers: Floats, weights: Floats) -> Parts | None:
    """How what is open is divided; None where it cannot be told: an answer of 0 has no logarithm, or nothing is open.

    Args:
        answers: (draws,) without noise.
        weights: (draws,)
    """
    if min(answers.min(), rest.samples.min()) <= 0:
        return None
    logs = np.log(answers)
    mass = np.repeat(weights, rest.replications)
    noise = np.log(rest.samples) - np.repeat(logs, rest.replications)
    widening, widened = rest.widening, _widened(rest, mass)
    found = {
        "noise": _variance(noise, mass),
        "misfit": widened * widening.both**2,
        "beyond": widened * (widening.up**2 + widening.down**2) * _HALF_NORMAL,
    }
    parameters = _variance(logs, weights)
    total = parameters + sum(found.values())
    if not total > 0:
        return None
    return Parts(parameters=parameters / total, rest={name: part / total for name, part in found.items()})


def _widened(rest: Rest, weights: Floats) -> float:
    """By how much less than its own variance a factor adds to that of the answer's logarithm, in [0, 1].

    A factor of the part above the floor moves the whole by that part's share of it.
    """
    if rest.floors is None:
        return 1.0
    return float(np.average((1 - rest.floors / rest.samples) ** 2, weights=weights))


def _variance(values: Floats, weights: Floats) -> float:
    middle = np.average(values, weights=weights)
    return float(np.average((values - middle) ** 2, weights=weights))
