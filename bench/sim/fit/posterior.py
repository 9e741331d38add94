"""What storms tell about the unknowns: draws from the posterior by sequential Monte Carlo, with paired resamples.

Particles of the prior become particles of the posterior in steps (Del Moral, Doucet and Jasra 2006, Sequential Monte
Carlo samplers). The misfit goes down from one with which everything agrees to the least that the best candidate
allows. In each step it goes as far as leaves half of the particles their weight; particles are resampled, and moved
by Metropolis moves until they have forgotten where they began.

Then every resample of the single starts gets a particle of its own, which is moved with what that resample expects.
Resamples keep their weights: what single starts show is not changed by the storms (a cut posterior). A model that errs
about contention must not spoil what was seen directly.

The effective number says on how many independent draws the result rests. Resampling with weights lowers it, and moves
restore it: of a population whose values keep a correlation r with those before the moves, the mean has the variance
of ``1 - r ** 2`` new draws and of ``r ** 2`` old ones. The last moves go on until it is three quarters of the draws.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bench.sim.fit.agreement import Agreement, Best, Seen
from bench.sim.fit.levels import Statistic
from bench.sim.fit.moves import Mover
from bench.sim.fit.predict import Setting, grid_for, possible, predictions
from bench.sim.fit.space import Points, Priors, Unknowns, folded, spread_over, unknowns
from bench.sim.starts import Grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_PARTICLES: Final = 128
_FROM_PRIOR: Final = 4
"""Candidates of the prior for each particle."""
_WIDEST: Final = 10.0
"""A misfit with which everything agrees."""
_HALF: Final = 0.5
"""Of the particles keep their weight in a step."""
_MOST_STEPS: Final = 60
ENOUGH: Final = 0.75
"""Of the draws: the last moves go on until they are worth as many independent ones."""
MOST_MOVES: Final = 400
"""Of the last ones: draws that are worth too few then are left so, and the fit says it."""
_CLOSE: Final = 0.98
"""Moves that leave the misfit as it was, nearly."""
_PER_DRAW: Final = 4
"""Particles of which each resample of the single starts chooses one to begin with."""
_ROUNDING: Final = 1e-12
_CHANCE: Final = 4.0
"""Over the number of particles: a squared correlation that chance makes."""


class _Moves(NamedTuple):
    """How long particles are moved: at least and at most so many moves, and between them

    Attributes:
        forgotten: until so little of the squared correlation is left,
        enough: or, after ``usual`` moves, until so much of the number of particles is effective.
    """

    least: int
    usual: int
    most: int
    forgotten: float
    enough: float = 0.0

    def end(self, number: int, kept: float, effective: float, count: int) -> bool:
        """Whether particles were moved long enough.

        Args:
            number: of moves that were made.
            kept: squared correlation with the particles before them.
            effective: number of particles now.
        """
        if number < self.least:
            return False
        return kept <= self.forgotten + _CHANCE / count or (number >= self.usual and effective >= self.enough * count)


_ON_THE_WAY: Final = _Moves(5, 10, 10, 0.35)
_AT_THE_END: Final = _Moves(20, 50, MOST_MOVES, 0.02, ENOUGH)
_OF_DRAWS: Final = _Moves(20, 50, MOST_MOVES, 0.02, ENOUGH)


@dataclass(frozen=True)
class Posterior:
    """Draws.

    Attributes:
        grid: (draws,) candidates.
        prior: candidates of the prior, on the centre of the single starts.
        scatter: (draws,) number in SCATTERS.
        misfit: standard deviation of a logarithm by which predictions are off beyond noise.
        effective: number of independent draws that they are worth, at most as many as there are.
        settled: whether the misfit had come down to the least of the best candidate when the steps ended.
        worst: the statistic that is off most, and by how much.
        place_weights: (places,) how probable each place of the lock is.
    """

    grid: Grid
    prior: Grid
    scatter: Ints
    misfit: float
    effective: float
    worst: tuple[Statistic, float] | None
    place_weights: Floats
    settled: bool = True


@dataclass(frozen=True)
class _Comparison:
    """Candidates against what was seen.

    Attributes:
        stages_ns: (1 or candidates, stages) of the single starts that each candidate belongs to.
        longer: (1 or candidates,) by how much these are longer than the centre of all resamples.
    """

    seen: Seen
    priors: Priors
    setting: Setting
    agreement: Agreement
    stages_ns: Floats
    longer: Floats

    def of(self, points: Points) -> tuple[Floats, Grid]:
        """(candidates, statistics) Observed less predicted, inf for a candidate that cannot be; and the candidates."""
        found, grid = self.candidates(points)
        if not self.seen.statistics:
            return np.zeros((len(points), 0)), grid
        expected = predictions(grid, found.scatter, self.seen.statistics, self.setting)
        residuals = self.seen.observed - (expected - np.log(self._longer(points))[:, None])
        return np.where(possible(found, self._stages(points))[:, None], residuals, np.inf), grid

    def candidates(self, points: Points) -> tuple[Unknowns, Grid]:
        """The candidates in their own units and in the simulator's terms."""
        found = unknowns(points, self.priors, self._longer(points))
        return found, grid_for(found, self._stages(points), self.setting)

    def _stages(self, points: Points) -> Floats:
        return np.broadcast_to(self.stages_ns, (len(points), self.stages_ns.shape[1]))

    def _longer(self, points: Points) -> Floats:
        return np.broadcast_to(self.longer, (len(points),))


@dataclass(frozen=True)
class _Particles:
    """A population.

    Attributes:
        at: (particles, axes) any numbers; folded, they are points of the cube.
        place: (particles,)
        residuals: (particles, statistics)
        logs: (particles,) logarithm of their density, up to a constant.
    """

    at: Floats
    place: Ints
    residuals: Floats
    logs: Floats

    @property
    def points(self) -> Points:
        """Of the cube."""
        return Points(folded(self.at), self.place)

    def take(self, which: Ints) -> _Particles:
        """Some of them, or some of them several times."""
        return _Particles(folded(self.at[which]), self.place[which], self.residuals[which], self.logs[which])


class _Cooled(NamedTuple):
    """The posterior at the centre of the single starts."""

    particles: _Particles
    prior: Grid
    misfit: float
    effective: float
    settled: bool


def posterior(
    seen: Seen, priors: Priors, stages_ns: Floats, setting: Setting, chance: np.random.Generator
) -> Posterior:
    """Draws of the unknowns, one for each row of ``stages_ns`` but the first.

    Args:
        stages_ns: (1 + draws, stages) of single starts; row 0 is the centre.
    """
    centre, rows = stages_ns[:1], stages_ns[1:]
    agreement = Agreement.of(seen, priors.axes)
    comparison = _Comparison(seen, priors, setting, agreement, centre, np.ones(1))
    cooled = _cooled(comparison, max(len(rows), _LEAST_PARTICLES), chance)
    # Where what blocks have in common cancels, a draw of longer single starts expects longer storms.
    longer = rows.sum(axis=1) / centre.sum() if seen.relative else np.ones(len(rows))
    paired = replace(comparison, stages_ns=rows, longer=longer)
    draws, effective = _paired(cooled, paired, chance)
    found, grid = paired.candidates(draws.points)
    return Posterior(
        grid=grid,
        prior=cooled.prior,
        scatter=found.scatter,
        misfit=cooled.misfit,
        effective=effective,
        worst=_worst(seen, draws.residuals),
        place_weights=np.bincount(draws.place, minlength=len(priors.places)) / len(draws.place),
        settled=cooled.settled,
    )


def _cooled(comparison: _Comparison, count: int, chance: np.random.Generator) -> _Cooled:
    """Particles of the posterior at the centre, from those of the prior."""
    agreement = comparison.agreement
    points = spread_over(comparison.priors, _FROM_PRIOR * count, chance)
    residuals, prior = comparison.of(points)
    possible_ones = np.where(np.isfinite(residuals).all(axis=1), 0.0, -np.inf)
    particles = _Particles(points.at, points.place, residuals, possible_ones)
    best = Best(agreement, residuals.shape[1])
    best.add(residuals)
    misfit, effective, settled = _WIDEST, float(len(points)), False
    for _ in range(_MOST_STEPS):
        narrower = _narrower(agreement, particles, misfit, best.misfit)
        logs = agreement.log_likelihood(particles.residuals, narrower)
        weights = _weights(logs, particles.logs)
        effective = 1 / (1 / effective + float((weights**2).sum()) - 1 / len(weights))
        particles = replace(particles, logs=logs).take(_resampled(weights, count, chance))
        reached, misfit = narrower <= best.misfit, narrower
        mover = Mover.of(particles.points, comparison.priors, chance)
        moves = _AT_THE_END if reached else _ON_THE_WAY
        particles, effective = _moved(particles, effective, misfit, comparison, mover, moves, chance, best)
        settled = reached and best.misfit >= _CLOSE * misfit
        if settled:
            break
    return _Cooled(particles, prior, misfit, effective, settled)


def _narrower(agreement: Agreement, particles: _Particles, misfit: float, least: float) -> float:
    """The least misfit from ``least`` to ``misfit`` that leaves half of the possible particles their weight."""
    enough = _HALF * float(np.isfinite(particles.logs).sum())

    def leaves_enough(narrower: float) -> bool:
        weights = _weights(agreement.log_likelihood(particles.residuals, narrower), particles.logs)
        return float(1 / (weights**2).sum()) >= enough

    if least >= misfit or leaves_enough(least):
        return min(least, misfit)
    low, high = least, misfit
    for _ in range(30):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if leaves_enough(middle) else (middle, high)
    return high


def _weights(logs: Floats, before: Floats) -> Floats:
    """(particles,) Weights that turn particles of one density into those of another; equal where none can be."""
    alive = np.isfinite(logs) & np.isfinite(before)
    if not alive.any():
        return np.full(len(logs), 1 / len(logs))
    gains = np.full(len(logs), -np.inf)
    gains[alive] = logs[alive] - before[alive]
    return np.asarray(np.exp(gains - logsumexp(gains)))


def _resampled(weights: Floats, count: int, chance: np.random.Generator) -> Ints:
    """(count,) Numbers of particles, each as often as its weight says, up to one (systematic resampling)."""
    at = (np.arange(count) + chance.random()) / count
    return np.minimum(np.searchsorted(np.cumsum(weights), at), len(weights) - 1).astype(np.int64)


def _moved(
    particles: _Particles,
    effective: float,
    misfit: float,
    comparison: _Comparison,
    mover: Mover,
    moves: _Moves,
    chance: np.random.Generator,
    best: Best | None = None,
) -> tuple[_Particles, float]:
    """Metropolis moves, and the effective number of the particles after them."""
    before, restored = _traits(particles.points, comparison.priors), effective
    for number in range(1, moves.most + 1):
        new = mover.propose(particles.at, particles.place, chance)
        residuals, _ = comparison.of(Points(folded(new.at), new.place))
        if best is not None:
            best.add(residuals)
        logs = comparison.agreement.log_likelihood(residuals, misfit)
        # Whatever can be is better than what cannot.
        gain = np.where(np.isfinite(logs), logs - np.maximum(particles.logs, -1e300) + new.ratio, -np.inf)
        taken = np.log1p(-chance.random(len(logs))) < gain
        particles = _Particles(
            at=np.where(taken[:, None], new.at, particles.at),
            place=np.where(taken, new.place, particles.place),
            residuals=np.where(taken[:, None], residuals, particles.residuals),
            logs=np.where(taken, logs, particles.logs),
        )
        kept = _kept(before, _traits(particles.points, comparison.priors))
        restored = _restored(effective, kept, len(logs))
        if moves.end(number, kept, restored, len(logs)):
            break
    return particles, restored


def _traits(points: Points, priors: Priors) -> Floats:
    """(particles, traits) What a particle says of each unknown."""
    found = unknowns(points, priors)
    columns = [
        found.share,
        found.cpu_ns,
        found.hold_ns,
        found.inflation,
        found.growth_ns,
        found.crowding,
        found.crowding > 0,
        found.scatter,
        found.lean,
        found.back,
        found.works,
        *found.where.T,
    ]
    return np.column_stack(columns).astype(np.float64)


def _kept(before: Floats, after: Floats) -> float:
    """The largest squared correlation of a trait with itself before the moves, in [0, 1]."""
    first, then = before - before.mean(axis=0), after - after.mean(axis=0)
    together = (first * then).sum(axis=0)
    spreads = np.sqrt((first**2).sum(axis=0) * (then**2).sum(axis=0))
    varied = spreads > _ROUNDING * np.maximum((before**2).sum(axis=0), 1e-300)
    correlations = together[varied] / spreads[varied]
    return float(np.clip(correlations, 0.0, 1.0).max(initial=0.0)) ** 2


def _restored(effective: float, kept: float, count: int) -> float:
    """The effective number after moves that have kept this part of the variance."""
    return min(float(count), 1 / ((1 - kept) / count + kept / effective))


def _paired(cooled: _Cooled, comparison: _Comparison, chance: np.random.Generator) -> tuple[_Particles, float]:
    """A particle for each resample of the single starts, and their effective number."""
    particles, agreement = cooled.particles, comparison.agreement
    count, rows = len(particles.place), len(comparison.stages_ns)
    rounds = -(-rows * _PER_DRAW // count)
    order = np.concatenate([chance.permutation(count) for _ in range(rounds)])[: rows * _PER_DRAW]
    offered = particles.take(order.astype(np.int64))
    each = np.repeat(np.arange(rows), _PER_DRAW)
    residuals, _ = replace(comparison, stages_ns=comparison.stages_ns[each], longer=comparison.longer[each]).of(
        offered.points
    )
    logs = agreement.log_likelihood(residuals, cooled.misfit)
    gains = np.where(np.isfinite(logs), logs - np.maximum(offered.logs, -1e300), -np.inf)
    chosen = _one_per_row(gains.reshape(rows, _PER_DRAW), chance)
    begun = _Particles(offered.at, offered.place, residuals, logs).take(chosen)
    taken = np.bincount(order[chosen], minlength=count) / rows
    distinct = 1 / float((taken**2).sum())
    mover = Mover.of(particles.points, comparison.priors, chance)
    return _moved(begun, min(cooled.effective, distinct), cooled.misfit, comparison, mover, _OF_DRAWS, chance)


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
