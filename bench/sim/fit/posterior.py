"""What storms tell about the unknowns: draws from the posterior by importance sampling, with paired resamples.

Three steps. Candidates of the prior are simulated and weighted by how well their statistics agree with the observed
ones; further candidates are drawn around the good ones, twice; then every resample of the single starts gets one
candidate of its own, chosen among several by weight. What single starts show is not changed by the storms (a cut
posterior): a model that errs about contention must not spoil what was seen directly.

The agreement is a multivariate t on logarithms. Its covariance is that of resampled blocks, plus ``misfit`` squared on
the diagonal: the least by which the best candidate is off beyond noise, so that a wrong model has a wide posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bench.sim.fit.levels import Statistic
from bench.sim.fit.predict import Setting, grid_for, part_of, possible, predictions
from bench.sim.fit.space import Points, Priors, proposal_around, spread_over, unknowns
from bench.sim.starts import Grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FIRST: Final = 1536
_FURTHER: Final = (768, 768)
"""Candidates of the prior, and around the good ones."""
_PER_DRAW: Final = 8
_MOST_MISFIT: Final = 1.0
_SHRINK: Final = 0.1
"""Of correlations, since few blocks make them uncertain; the misfit does the rest."""


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
class Posterior:
    """Draws.

    Attributes:
        grid: (1 + draws) candidates, the first for the centre of the single starts.
        prior: candidates of the prior, on the centre of the single starts.
        scatter: (1 + draws,) number in SCATTERS.
        misfit: standard deviation of a logarithm by which predictions are off beyond noise.
        worst: the statistic that is off most, and by how much.
        place_weights: (places,) how probable each place of the lock is.
    """

    grid: Grid
    prior: Grid
    scatter: Ints
    misfit: float
    worst: tuple[Statistic, float] | None
    place_weights: Floats


@dataclass
class _Tried:
    """Candidates so far, all on the centre of the single starts."""

    points: list[Points]
    residuals: list[Floats]
    densities: list[Callable[[Points], Floats]]


def posterior(
    seen: Seen, priors: Priors, stages_ns: Floats, setting: Setting, chance: np.random.Generator
) -> Posterior:
    """Draws of the unknowns, one for each row of ``stages_ns``.

    Args:
        stages_ns: (1 + draws, stages) of single starts; row 0 is the centre.
    """
    agreement = Agreement.of(seen)
    tried = _Tried([], [], [])
    attempt = partial(_try, tried, seen=seen, priors=priors, centre=stages_ns[0], setting=setting)
    prior_grid = attempt(spread_over(priors, _FIRST, chance), lambda points: np.ones(len(points)))
    misfit = agreement.misfit(np.vstack(tried.residuals), seen, priors.axes)
    for count in _FURTHER:
        weights, points = _weights(tried, agreement, misfit)
        proposal = proposal_around(points, weights, priors, chance)
        attempt(proposal.draw(count, chance), proposal.density)
        misfit = agreement.misfit(np.vstack(tried.residuals), seen, priors.axes)
    weights, points = _weights(tried, agreement, misfit)
    proposal = proposal_around(points, weights, priors, chance)
    candidates = proposal.draw(len(stages_ns) * _PER_DRAW, chance)
    rows = np.repeat(np.arange(len(stages_ns)), _PER_DRAW)
    # Where what blocks have in common cancels, a draw of longer single starts expects longer storms.
    longer = stages_ns[rows].sum(axis=1) / stages_ns[0].sum() if seen.relative else np.ones(len(rows))
    residuals, grid = _residuals(candidates, seen, priors, stages_ns[rows], setting, longer)
    logs = agreement.log_likelihood(residuals, misfit) - np.log(proposal.density(candidates))
    chosen = _one_per_row(logs.reshape(len(stages_ns), _PER_DRAW), chance)
    return Posterior(
        grid=part_of(grid, chosen),
        prior=prior_grid,
        scatter=unknowns(candidates.take(chosen), priors).scatter,
        misfit=misfit,
        worst=_worst(seen, residuals[chosen]),
        place_weights=np.bincount(points.place, weights, minlength=len(priors.places)).astype(np.float64),
    )


def _try(
    tried: _Tried,
    points: Points,
    density: Callable[[Points], Floats],
    *,
    seen: Seen,
    priors: Priors,
    centre: Floats,
    setting: Setting,
) -> Grid:
    stages = np.broadcast_to(centre, (len(points), len(centre)))
    residuals, grid = _residuals(points, seen, priors, stages, setting, np.ones(len(points)))
    tried.points.append(points)
    tried.residuals.append(residuals)
    tried.densities.append(density)
    return grid


def _residuals(
    points: Points, seen: Seen, priors: Priors, stages_ns: Floats, setting: Setting, longer: Floats
) -> tuple[Floats, Grid]:
    """(candidates, statistics) Observed less predicted; inf for a candidate that cannot be."""
    found = unknowns(points, priors, longer)
    grid = grid_for(found, stages_ns, setting)
    if not seen.statistics:
        return np.zeros((len(points), 0)), grid
    expected = predictions(grid, found.scatter, seen.statistics, setting) - np.log(longer)[:, None]
    residuals = seen.observed - expected
    return np.where(possible(found, stages_ns)[:, None], residuals, np.inf), grid


def _weights(tried: _Tried, agreement: Agreement, misfit: float) -> tuple[Floats, Points]:
    """Weights of all candidates: likelihood over the density of the mixture that they were drawn from."""
    points = Points(np.vstack([one.at for one in tried.points]), np.concatenate([one.place for one in tried.points]))
    counts = np.array([len(one) for one in tried.points], np.float64)
    shares = counts / counts.sum()
    density = sum(share * one(points) for share, one in zip(shares, tried.densities, strict=True))
    logs = agreement.log_likelihood(np.vstack(tried.residuals), misfit) - np.log(density)
    return np.exp(logs - logsumexp(logs)), points


def _one_per_row(logs: Floats, chance: np.random.Generator) -> Ints:
    """(rows,) The number of one candidate of each row, chosen by weight; any of a row in which none can be."""
    best = logs.max(axis=1, keepdims=True)
    weights = np.where(np.isfinite(best), np.exp(logs - np.where(np.isfinite(best), best, 0.0)), 1.0)
    passed = np.cumsum(weights, axis=1)
    drawn = chance.random((len(logs), 1)) * passed[:, -1:]
    chosen = (passed <= drawn).sum(axis=1)
    found: Ints = np.arange(len(logs)) * logs.shape[1] + np.minimum(chosen, logs.shape[1] - 1)
    return found


def _worst(seen: Seen, residuals: Floats) -> tuple[Statistic, float] | None:
    if not seen.statistics:
        return None
    middle = np.median(residuals, axis=0)
    number = int(np.argmax(np.abs(middle)))
    return seen.statistics[number], float(middle[number])


@dataclass(frozen=True)
class Agreement:
    """How probable residuals are.

    Attributes:
        axes: (statistics, statistics) eigenvectors of the noise's covariance, as columns.
        variances: (statistics,) along them.
    """

    axes: Floats
    variances: Floats
    degrees: int

    @classmethod
    def of(cls, seen: Seen) -> Agreement:
        """From the noise's covariance, shrunk towards its diagonal: it has few blocks for many statistics."""
        count = len(seen.observed)
        shrink = _SHRINK
        shrunk = (1 - shrink) * seen.covariance + shrink * np.diag(np.diag(seen.covariance))
        variances, axes = np.linalg.eigh(shrunk) if count else (np.zeros(0), np.zeros((0, 0)))
        return cls(axes, np.maximum(variances, 0.0), seen.degrees)

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

    def misfit(self, residuals: Floats, seen: Seen, axes: int) -> float:
        """The least misfit with which the best candidate's chi-square is that of pure noise."""
        count = residuals.shape[1]
        expected = max(1, count - axes)
        low, high = seen.least_misfit, _MOST_MISFIT
        if not count or float(self.chi_square(residuals, low).min()) <= expected:
            return low
        for _ in range(40):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if float(self.chi_square(residuals, middle).min()) > expected else (low, middle)
        return high


def name(statistic: Statistic) -> str:
    """``the last of 8 boxes``, ``CPU time of 4 boxes beside 8 others``, ``the median of 8 boxes at init``."""
    level = statistic.level
    boxes = "a single box" if level.boxes == 1 else f"{level.boxes} boxes"
    beside = f" beside {level.residents} others" if level.residents else ""
    if statistic.of == "cpu":
        return f"CPU time of {boxes}{beside}"
    which = "" if level.boxes == 1 else f"the {statistic.of} of "
    return f"{which}{boxes}{beside} at {statistic.endpoint}"
