"""How well predictions agree with what was seen of storms: a multivariate t on logarithms.

Its covariance is that of resampled blocks, plus ``misfit`` squared on the diagonal: the least by which the best
candidate is off beyond noise, so that a wrong model has a wide posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.levels import Statistic

Floats = NDArray[np.float64]

MOST_MISFIT: Final = 1.0
_SHRINK: Final = 0.1
"""Of correlations, since few blocks make them uncertain; the misfit does the rest."""
_BEST: Final = 64


@dataclass(frozen=True)
class Seen:
    """What was seen of storms.

    Attributes:
        statistics: what each column is.
        observed: (statistics,) logarithms.
        covariance: (statistics, statistics) of their noise: where ``relative``, of their differences to the logarithm
            of a single start's length.
        relative: they were seen in the blocks of the single starts, and what blocks have in common cancels: a draw in
            which single starts are longer expects longer storms.
        degrees: of freedom of that covariance: blocks less one.
        least_misfit: no model is trusted to be closer than this.
    """

    statistics: tuple[Statistic, ...]
    observed: Floats
    covariance: Floats
    degrees: int
    least_misfit: float
    relative: bool = True


@dataclass(frozen=True)
class Agreement:
    """How probable residuals are.

    Attributes:
        axes: (statistics, statistics) eigenvectors of the noise's covariance, as columns.
        variances: (statistics,) along them.
        least_misfit: as of ``Seen``.
        free: how many statistics there are beyond the unknowns, at least 1: the chi-square of pure noise.
    """

    axes: Floats
    variances: Floats
    degrees: int
    least_misfit: float
    free: int

    @classmethod
    def of(cls, seen: Seen, unknowns: int) -> Agreement:
        """From the noise's covariance, shrunk towards its diagonal: it has few blocks for many statistics."""
        count = len(seen.observed)
        shrunk = (1 - _SHRINK) * seen.covariance + _SHRINK * np.diag(np.diag(seen.covariance))
        variances, axes = np.linalg.eigh(shrunk) if count else (np.zeros(0), np.zeros((0, 0)))
        free = max(1, count - unknowns)
        return cls(axes, np.maximum(variances, 0.0), seen.degrees, seen.least_misfit, free)

    def chi_square(self, residuals: Floats, misfit: float) -> Floats:
        """(candidates,) inf for a candidate that cannot be."""
        whole: NDArray[np.bool_] = np.asarray(np.isfinite(residuals).all(axis=1))
        along = np.where(whole[:, None], residuals, 0.0) @ self.axes
        found: Floats = np.where(whole, (along**2 / (self.variances + misfit**2)).sum(axis=1), np.inf)
        return found

    def log_likelihood(self, residuals: Floats, misfit: float) -> Floats:
        """(candidates,) Up to a constant; -inf for a candidate that cannot be."""
        count = residuals.shape[1]
        degrees = max(self.degrees, 1)
        found: Floats = -0.5 * (degrees + count) * np.log1p(self.chi_square(residuals, misfit) / degrees)
        return found

    def misfit(self, residuals: Floats) -> float:
        """The least misfit with which the best candidate's chi-square is that of pure noise."""
        low, high = self.least_misfit, MOST_MISFIT
        if not residuals.shape[1] or float(self.chi_square(residuals, low).min()) <= self.free:
            return low
        for _ in range(40):
            middle = (low * high) ** 0.5
            enough = float(self.chi_square(residuals, middle).min()) <= self.free
            low, high = (low, middle) if enough else (middle, high)
        return high


class Best:
    """The best candidates of all that were tried, and the misfit that they leave."""

    def __init__(self, agreement: Agreement, statistics: int) -> None:
        self._agreement = agreement
        self._residuals = np.zeros((0, statistics))
        self.misfit = MOST_MISFIT

    def add(self, residuals: Floats) -> None:
        """Look at further candidates."""
        every = np.vstack([self._residuals, residuals])
        self.misfit = self._agreement.misfit(every)
        order = np.argsort(self._agreement.chi_square(every, self.misfit), kind="stable")
        self._residuals = every[order[:_BEST]]


def name(statistic: Statistic) -> str:
    """``the last of 8 boxes``, ``CPU time of 4 boxes beside 8 others``, ``the median of 8 boxes at init``."""
    level = statistic.level
    boxes = "a single box" if level.boxes == 1 else f"{level.boxes} boxes"
    beside = f" beside {level.residents} others" if level.residents else ""
    if statistic.of == "cpu":
        return f"CPU time of {boxes}{beside}"
    which = "" if level.boxes == 1 else f"the {statistic.of} of "
    return f"{which}{boxes}{beside} at {statistic.endpoint}"
