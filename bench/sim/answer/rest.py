"""What is open in an answer besides parameters: noise, luck of a trace, misfit, and errors beyond the data.

All of it is counted in variances of the logarithm, which add up: samples are the answer of a draw times factors. Where
an answer may be 0 there are no logarithms, and variances of the answers themselves are taken, with the factors' to
first order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.answer.answer import Influence
from bench.sim.answer.bands import Widening
from bench.sim.answer.words import NOISE, TRACE
from bench.sim.kind import Kind

Floats = NDArray[np.float64]

_HALF_NORMAL: Final = 1 - 2 / math.pi
"""Variance of the absolute value of a standard normal variable."""
_PARAMETERS: Final = "parameters"
_KINDS: Final[dict[str, Kind]] = {NOISE: "measured", TRACE: "assumed", "misfit": "measured", "beyond": "assumed"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Rest:
    """How an answer scatters around what its draws say."""

    widening: Widening
    """Of the answer's band."""
    with_errors: Floats | None = None
    """(draws x replications,) Of each sample, what it is with errors of the model; None: the sample times a factor."""
    samples: Floats | None = None
    """(draws x replications,) Answers with noise, the replications of a draw one after another; None: ``runs`` tell."""
    replications: int = 1
    runs: Mapping[str, Floats] = field(default_factory=dict)
    """By name of what differs, ``noise`` or ``trace``: answers of one draw that differ by this alone."""


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
    """How what is open is divided; None where it cannot be told: something is never reached, or nothing is open.

    Args:
        answers: (draws,) without noise.
        weights: (draws,)
    """
    seen = [answers, *([] if rest.samples is None else [rest.samples]), *rest.runs.values()]
    if not all(np.isfinite(one).all() for one in seen):
        return None
    found = _variances(rest, answers, weights, logs=min(float(one.min()) for one in seen) > 0)
    total = sum(found.values())
    if not total > 0:
        return None
    parameters = found.pop(_PARAMETERS)
    return Parts(parameters=parameters / total, rest={name: part / total for name, part in found.items()})


def _variances(rest: Rest, answers: Floats, weights: Floats, *, logs: bool) -> dict[str, float]:
    """The variance of each part, of the logarithm or of the answer itself."""

    def scaled(values: Floats) -> Floats:
        found: Floats = np.log(values) if logs else np.asarray(values, dtype=np.float64)
        return found

    found = {_PARAMETERS: _variance(scaled(answers), weights)}
    found |= {name: _variance(scaled(runs), np.ones(len(runs))) for name, runs in rest.runs.items()}
    if rest.samples is not None:
        noise = scaled(rest.samples) - np.repeat(scaled(answers), rest.replications)
        found[NOISE] = _variance(noise, np.repeat(weights, rest.replications))
    wide, size = rest.widening, _widened(rest, answers, weights, logs=logs)
    found["misfit"] = size * wide.both**2
    found["beyond"] = size * (wide.either**2 + (wide.up**2 + wide.down**2) * _HALF_NORMAL)
    return found


def _widened(rest: Rest, answers: Floats, weights: Floats, *, logs: bool) -> float:
    """By how much the variance of a factor's logarithm is multiplied in that of the answer, or of its logarithm."""
    if rest.samples is None or rest.with_errors is None:
        return 1.0 if logs else float(np.average(np.square(answers), weights=weights))
    wide = rest.widening
    of_factor = wide.two_sided**2 + (wide.up**2 + wide.down**2) * _HALF_NORMAL
    if not of_factor:
        return 0.0
    moved = np.log(rest.with_errors / rest.samples) if logs else rest.with_errors - rest.samples
    return _variance(moved, np.repeat(weights, rest.replications)) / of_factor


def _variance(values: Floats, weights: Floats) -> float:
    middle = np.average(values, weights=weights)
    return float(np.average((values - middle) ** 2, weights=weights))
