"""How well predictions agree with what was seen of storms: a multivariate t on logarithms.

Its covariance is that of resampled blocks, plus ``misfit`` squared on the diagonal: the least by which the best
candidate is off beyond noise, so that a wrong model has a wide posterior. The fewer blocks the covariance comes from,
the heavier are the tails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.sim.fit.levels import Statistic

Floats = NDArray[np.float64]

MOST_MISFIT: Final = 1.0
_LEAST_SHRINK: Final = 0.1
"""Of correlations."""
_BEST: Final = 64
_MANY: Final = 1e6
"""Degrees of freedom from which on the noise counts as known: the law is the normal one."""


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
        stated: which part of ``least_misfit`` is noise of what was observed, and no misfit: a table does not state it.
    """

    statistics: tuple[Statistic, ...]
    observed: Floats
    covariance: Floats
    degrees: int
    least_misfit: float
    relative: bool = True
    stated: float = 0.0

    @property
    def noise(self) -> float | None:
        """The median standard error of a statistic; None: not known."""
        if self.stated or not self.statistics:
            return None
        return float(np.median(np.sqrt(np.diag(self.covariance))))


@dataclass(frozen=True)
class Agreement:
    """How probable residuals are.

    Attributes:
        axes: (statistics, statistics) eigenvectors of the noise's covariance, as columns.
        variances: (statistics,) along them.
        least_misfit: as of ``Seen``.
        usual: the chi-square of pure noise. That is the number of statistics beyond the unknowns, at least 1, where the
            noise is known; more where its variance is estimated from few blocks, which are often too much alike.
    """

    axes: Floats
    variances: Floats
    degrees: int
    least_misfit: float
    usual: float

    @classmethod
    def of(cls, seen: Seen, unknowns: int) -> Agreement:
        """From the noise's covariance, shrunk towards its diagonal: it has few blocks for many statistics."""
        count = len(seen.observed)
        shrunk = _shrunk(seen.covariance, seen.degrees)
        variances, axes = np.linalg.eigh(shrunk) if count else (np.zeros(0), np.zeros((0, 0)))
        # Between the mean and the median of a sum of such squares, each over its estimated variance.
        usual = max(1, count - unknowns) * (seen.degrees + 1) / max(seen.degrees - 1, 1)
        return cls(axes, np.maximum(variances, 0.0), seen.degrees, seen.least_misfit, usual)

    def chi_square(self, residuals: Floats, misfit: float) -> Floats:
        """(candidates,) inf for a candidate that cannot be."""
        whole: NDArray[np.bool_] = np.asarray(np.isfinite(residuals).all(axis=1))
        along = np.where(whole[:, None], residuals, 0.0) @ self.axes
        found: Floats = np.where(whole, (along**2 / (self.variances + misfit**2)).sum(axis=1), np.inf)
        return found

    def log_likelihood(self, residuals: Floats, misfit: float) -> Floats:
        """(candidates,) Up to a constant; -inf for a candidate that cannot be.

        The law of normal noise whose covariance is estimated from n blocks, with d = n - 1 degrees of freedom, is
        ``(1 + chi_square / d) ** (-(d + 1) / 2)`` (Sellentin and Heavens 2016, Parameter inference with estimated
        covariance matrices). With fewer blocks than statistics their estimate has no inverse. Here correlations are
        shrunk and the misfit is on the diagonal, so there is one, and the power stays: few blocks exclude little.
        """
        degrees = self._degrees(misfit)
        found: Floats = -0.5 * (degrees + 1) * np.log1p(self.chi_square(residuals, misfit) / degrees)
        return found

    def _degrees(self, misfit: float) -> float:
        """Degrees of freedom of noise and misfit together: those of the noise, and more where it is the smaller part.

        The misfit is no estimate from blocks (Satterthwaite 1946, An approximate distribution of estimates of variance
        components).
        """
        noise = float(self.variances.mean()) if self.variances.size else 0.0
        return min(_MANY, max(self.degrees, 1) * (1 + misfit**2 / noise) ** 2) if noise > 0 else _MANY

    def misfit(self, residuals: Floats) -> float:
        """The least misfit with which the best candidate's chi-square is that of pure noise."""
        low, high = self.least_misfit, MOST_MISFIT
        if not residuals.shape[1] or float(self.chi_square(residuals, low).min()) <= self.usual:
            return low
        for _ in range(40):
            middle = (low * high) ** 0.5
            enough = float(self.chi_square(residuals, middle).min()) <= self.usual
            low, high = (low, middle) if enough else (middle, high)
        return high


def _shrunk(covariance: Floats, degrees: int) -> Floats:
    """Correlations less by the part of their squares that is chance, at least by a tenth.

    Schaefer and Strimmer 2005, A shrinkage approach to large-scale covariance matrix estimation, with the variance
    ``(1 - r ** 2) ** 2 / degrees`` of a correlation r.
    """
    sd = np.sqrt(np.diag(covariance))
    scales = np.outer(sd, sd)
    squares = np.divide(covariance, scales, out=np.zeros_like(covariance), where=scales > 0) ** 2
    apart = ~np.eye(len(sd), dtype=bool)
    seen, chance = float(squares[apart].sum()), float(((1 - squares[apart]) ** 2).sum()) / max(degrees, 1)
    part = min(1.0, max(_LEAST_SHRINK, chance / seen)) if seen > 0 else 1.0
    return np.asarray((1 - part) * covariance + part * np.diag(np.diag(covariance)))


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
